import type { DecisionStatistics, Statistics } from '../audit/statistics.ts';
import type { CompiledGuideline, Language } from '../engine/guideline.ts';
import { findOutside, renderControlChart, renderSparkline } from './charts.ts';
import { formatNumber, formatShare } from './format.ts';
import { type Html, html } from './html.ts';
import { base, type PageContext } from './layout.ts';
import { findViewerWords, type Words } from './words.ts';

/** The time a page of statistics is about. */
export interface TimeSpan {
  /** First and last day. */
  from: string;
  to: string;
  per: 'day' | 'week' | 'month';
  client?: string;
}

/** Above its limits, a decision with fewer cases in a period is not pointed out: the limits say little of so few. */
const fewestCases = 3;
/** Decisions of one period that stand side by side; more are folded. */
const mostNotices = 6;

/** What happened in a time: decisions, sources that could not be read, time taken, reasons. */
export function renderOverview(
  { texts, language }: PageContext,
  guideline: CompiledGuideline,
  statistics: Statistics,
  span: TimeSpan,
  { feedbackDays, hasRecords }: { feedbackDays: number; hasRecords: boolean },
): Html {
  const words = findViewerWords(guideline, language);
  const { evaluations, decisions, unknownKeys, latency, reasons } = statistics;
  const shown = decisions.filter(({ total }) => total.shown > 0);
  const silent = decisions.filter(({ total }) => total.shown === 0);
  const settled = (name: 'shown' | 'accepted' | 'overridden' | 'ignored') =>
    decisions.reduce((all, each) => all + each.settled[name], 0);
  const told = decisions.reduce((all, { total }) => all + total.shown, 0);
  return html`${renderSpanForm(base, span, texts)}
<section><ul class="figures">
<li><strong>${formatNumber(evaluations, language)}</strong>${texts.evaluations}</li>
<li><strong>${formatNumber(told, language)}</strong>${texts.shown}</li>
<li><strong>${formatShare(settled('accepted'), settled('shown'), language)}</strong>${texts.accepted}</li>
<li><strong>${formatShare(settled('overridden'), settled('shown'), language)}</strong>${texts.overridden}</li>
<li><strong>${formatShare(settled('ignored'), settled('shown'), language)}</strong>${texts.ignored}</li>
${latency.map(
  ({ share, milliseconds }) =>
    html`<li><strong>${milliseconds === undefined ? texts.above : `≤ ${formatNumber(milliseconds, language)} ms`}</strong>${texts.latencyShare.replace('{share}', formatShare(share, 1, language))}</li>`,
)}
</ul></section>
${evaluations > 0 && renderNotices(decisions, words, span, language, texts)}
<section class="long"><h2>${texts.allDecisions}</h2><p class="help">${texts.decisionsHelp} ${feedbackDays}.</p>
${evaluations === 0 ? html`<p>${hasRecords ? texts.notInChart : texts.noRecords}</p>` : renderDecisions(shown, silent, guideline, span, language, texts)}
</section>
<div class="columns">
<section><h2>${texts.keysTitle}</h2><p class="help">${texts.keysHelp}</p>${
    unknownKeys.length === 0
      ? html`<p>${evaluations === 0 ? '–' : texts.keysNone}</p>`
      : html`<div class="scroll" tabindex="0" role="region" aria-label="${texts.keysTitle}"><table><thead><tr><th scope="col">${texts.key}</th>
<th scope="col" class="number">${texts.missing}</th><th scope="col" class="number">${texts.failed}</th><th scope="col" class="number">${texts.truncated}</th></tr></thead>
<tbody>${unknownKeys.map(
          ({ key, ...states }) =>
            html`<tr><th scope="row">${words.ofKey(key)} <code class="soft">${key}</code></th>${(
              ['missing', 'failed', 'truncated'] as const
            ).map(
              (state) =>
                html`<td class="number">${
                  states[state] === 0
                    ? '0'
                    : html`<a href="${listAddress({ key, state }, span)}">${formatShare(states[state], evaluations, language)}</a>`
                }</td>`,
            )}</tr>`,
        )}</tbody></table></div>`
  }</section>
<section><h2>${texts.reasonsTitle}</h2>${
    reasons.length === 0
      ? html`<p>${texts.reasonsNone}</p>`
      : html`<table><thead><tr><th scope="col">${texts.reason}</th><th scope="col" class="number">${texts.count}</th></tr></thead>
<tbody>${reasons.map(
          ({
            code,
            count,
          }) => html`<tr><th scope="row"><a href="${listAddress({ reason: code }, span)}">${words.ofReason(code)}</a></th>
<td class="number">${formatNumber(count, language)}</td></tr>`,
        )}</tbody></table>`
  }</section></div>
<p class="help">${texts.timeUtc}</p>`;
}

/** What changed by itself: decisions outside their control limits, gathered by period, and such that failed. */
function renderNotices(
  decisions: readonly DecisionStatistics[],
  words: Words,
  span: TimeSpan,
  language: Language,
  texts: PageContext['texts'],
): Html {
  const link = (decision: string) =>
    html`<a class="id" href="${base}/decisions/${decision}?${spanQuery(span)}" title="${words.ofDecision(decision)}">${decision}</a>`;
  const found = new Map<string, Html[]>();
  for (const { decision, periods } of decisions) {
    for (const name of ['shown', 'unknown'] as const) {
      const counted = periods.map((each) => ({ period: each.period, count: each[name], of: each.evaluations }));
      const { mean, points } = findOutside(counted);
      for (const { period, share, count, of } of points) {
        if (share > mean && count < fewestCases) continue;
        const notice = html`${link(decision)} <span class="soft">${formatShare(count, of, language)} (${texts.mean} ${formatShare(mean, 1, language)})</span>`;
        found.set(`${period} ${name}`, [...(found.get(`${period} ${name}`) ?? []), notice]);
      }
    }
  }
  const notices = [...found].sort(([one], [other]) => (one < other ? 1 : -1));
  const failed = decisions.filter(({ total }) => total.error > 0);
  const list = (of: readonly Html[]) => of.map((each, at) => html`${at > 0 && ' · '}${each}`);
  return html`<section class="long"><h2>${texts.noticeTitle}</h2><p class="help">${texts.noticeHelp}</p>
${
  notices.length + failed.length === 0
    ? html`<p>${texts.noticeNone}</p>`
    : html`<ul class="plain">${failed.map(
        ({ decision, total }) =>
          html`<li class="wrong">${link(decision)} <a href="${listAddress({ decision, outcome: 'error' }, span)}">${texts.error}: ${formatNumber(total.error, language)}</a></li>`,
      )}${notices.map(([key, of]) => {
        const [period = '', name] = key.split(' ');
        const title = name === 'shown' ? texts.fired : texts.unknown;
        const head = html`<strong>${period}</strong> ${title.toLowerCase()}:`;
        return of.length <= mostNotices
          ? html`<li>${head} ${list(of)}</li>`
          : html`<li><details><summary>${head} ${of.length} ${texts.allDecisions.toLowerCase()}</summary>${list(of)}</details></li>`;
      })}</ul>`
}</section>`;
}

function renderDecisions(
  shown: readonly DecisionStatistics[],
  silent: readonly DecisionStatistics[],
  guideline: CompiledGuideline,
  span: TimeSpan,
  language: Language,
  texts: PageContext['texts'],
): Html {
  const link = (decision: string) => `${base}/decisions/${decision}?${spanQuery(span)}`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${texts.allDecisions}"><table>
<thead><tr><th scope="col">${texts.decision}</th><th scope="col" class="number">${texts.shown}</th><th scope="col" class="number">${texts.fired}</th>
<th scope="col" class="number">${texts.accepted}</th><th scope="col" class="number">${texts.overridden}</th><th scope="col" class="number">${texts.ignored}</th>
<th scope="col" class="number">${texts.awaiting}</th><th scope="col" class="number">${texts.unknown}</th><th scope="col">${texts.trend}</th></tr></thead>
<tbody>${shown.map(({ decision, total, settled, periods }) => {
    const title = guideline.rules.get(decision)?.title[language] ?? '';
    return html`<tr><th scope="row"><a class="id" href="${link(decision)}">${decision}</a> ${title}</th>
<td class="number">${formatNumber(total.shown, language)}</td><td class="number">${formatShare(total.shown, total.evaluations, language)}</td>
<td class="number">${formatShare(settled.accepted, settled.shown, language)}</td><td class="number">${formatShare(settled.overridden, settled.shown, language)}</td>
<td class="number">${formatShare(settled.ignored, settled.shown, language)}</td><td class="number">${formatNumber(total.awaiting, language)}</td>
<td class="number">${formatShare(total.unknown, total.evaluations, language)}</td>
<td>${renderSparkline(
      periods.map(({ period, shown: count, evaluations: of }) => ({ period, count, of })),
      `${decision}: ${texts.fired}`,
    )}</td></tr>`;
  })}</tbody></table></div>
${
  silent.length > 0 &&
  html`<details><summary>${texts.never}: ${silent.length}</summary><ul class="plain">${silent.map(
    ({
      decision,
      total,
    }) => html`<li><a class="id" href="${link(decision)}">${decision}</a> ${guideline.rules.get(decision)?.title[language]}
<span class="soft">${texts.met}: ${formatNumber(total.met, language)}, ${texts.unknown}: ${formatNumber(total.unknown, language)}, ${texts.error}: ${formatNumber(total.error, language)}</span></li>`,
  )}</ul></details>`
}`;
}

/** One decision over time: how often it fires and what becomes of its cards, as control charts. */
export function renderDecision(
  { texts, language }: PageContext,
  { decision, periods }: DecisionStatistics,
  { versions }: Statistics,
  span: TimeSpan,
): Html {
  const chart = (
    title: string,
    shareOf: string,
    count: (of: (typeof periods)[number]) => number,
    of: (of: (typeof periods)[number]) => number,
  ) =>
    renderControlChart(
      {
        title,
        shareOf,
        periods: periods.map((each) => ({ period: each.period, count: count(each), of: of(each) })),
        versions,
      },
      texts,
      language,
    );
  const settled = (each: (typeof periods)[number]) => (each.isOver ? each.shown : 0);
  return html`${renderSpanForm(`${base}/decisions/${decision}`, span, texts)}
<section class="long"><div class="columns">
${chart(
  texts.fired,
  texts.ofEvaluations,
  (each) => each.shown,
  (each) => each.evaluations,
)}
${chart(
  texts.unknown,
  texts.ofEvaluations,
  (each) => each.unknown,
  (each) => each.evaluations,
)}
${chart(texts.accepted, texts.ofSettled, (each) => each.accepted, settled)}
${chart(texts.overridden, texts.ofSettled, (each) => each.overridden, settled)}
${chart(texts.ignored, texts.ofSettled, (each) => each.ignored, settled)}
</div></section>
<p class="actions">${(['met', 'unknown', 'not-met'] as const).map(
    (outcome) =>
      html`<a href="${listAddress({ decision, outcome }, span)}">${texts.evaluations}: ${texts[outcome]}</a> `,
  )}</p>
<p class="help">${texts.timeUtc}</p>`;
}

function renderSpanForm(action: string, { from, to, per, client }: TimeSpan, texts: PageContext['texts']): Html {
  return html`<section><form class="filters" method="get" action="${action}">
<label>${texts.from}<input type="date" name="from" value="${from}" required></label>
<label>${texts.to}<input type="date" name="to" value="${to}" required></label>
<label>${texts.per}<select name="per">${(['day', 'week', 'month'] as const).map(
    (each) => html`<option value="${each}"${each === per && html` selected`}>${texts[each]}</option>`,
  )}</select></label>
<label>${texts.client}<input name="client" value="${client ?? ''}" placeholder="${texts.any}"></label>
<p class="actions"><button class="main" type="submit">${texts.show}</button></p></form></section>`;
}

function spanQuery({ from, to, per, client }: TimeSpan): string {
  return new URLSearchParams({ from, to, per, ...(client === undefined ? {} : { client }) }).toString();
}

function listAddress(conditions: Record<string, string>, { from, to, client }: TimeSpan): string {
  return `${base}/evaluations?${new URLSearchParams({ ...conditions, from, to, ...(client === undefined ? {} : { client }) })}`;
}
