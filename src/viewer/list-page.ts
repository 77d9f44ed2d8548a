import type { EvaluationSummary } from '../audit/store.ts';
import type { CompiledGuideline } from '../engine/guideline.ts';
import { formatTime } from './format.ts';
import { type Html, html } from './html.ts';
import { addParameter, base, type PageContext } from './layout.ts';
import { findViewerWords } from './words.ts';

/** What the list is asked for, as it stands in the address. */
export type Filters = Readonly<Record<string, string | undefined>>;

/** Evaluations with the filters they were found by. */
export function renderList(
  context: PageContext,
  guideline: CompiledGuideline,
  filters: Filters,
  evaluations: readonly EvaluationSummary[],
  hasMore: boolean,
): Html {
  const { texts, language, role, address } = context;
  const words = findViewerWords(guideline, language);
  const last = evaluations.at(-1);
  const query = new URL(address, 'http://page').search;
  return html`${renderFilters(context, guideline, filters)}
<section class="long"><h2>${texts.found}</h2>
${
  evaluations.length === 0
    ? html`<p>${texts.noneFound}</p>`
    : html`<div class="scroll" tabindex="0" role="region" aria-label="${texts.found}"><table><thead><tr><th scope="col">${texts.time}</th><th scope="col">${texts.evaluation}</th>
<th scope="col">${texts.hook}</th><th scope="col">${texts.client}</th><th scope="col">${texts.knowledge}</th><th scope="col" class="number">${texts.cards}</th>
${role === 'reviewer' && html`<th scope="col">${texts.patientKey}</th>`}</tr></thead>
<tbody>${evaluations.map(
        (each) => html`<tr><td class="id">${formatTime(each.time, language)}</td>
<th scope="row"><a class="code" href="${base}/evaluations/${each.id}" title="${each.id}">${each.id.slice(0, 8)}</a></th>
<td>${words.ofHook(each.hook)}</td><td>${each.client}${each.tenant !== undefined && html` <span class="soft">${each.tenant}</span>`}</td><td>${each.knowledge}</td>
<td class="number">${each.erasedAt === undefined ? each.cards : texts.erased}</td>
${
  role === 'reviewer' &&
  html`<td>${
    each.patientKey !== undefined &&
    html`<a class="code" href="${base}/evaluations?patientKey=${each.patientKey}" title="${each.patientKey}">${each.patientKey.slice(0, 8)}</a>`
  }</td>`
}</tr>`,
      )}</tbody></table></div>`
}
<p class="actions">
${filters.before !== undefined && html`<a href="${addParameter(address, 'before', undefined)}" rel="first">${texts.newest}</a>`}
${hasMore && last !== undefined && html`<a href="${addParameter(address, 'before', String(last.seq))}" rel="next">${texts.older}</a>`}
<span class="soft">${texts.download}</span> <a href="${base}/export.csv${query}">CSV</a> <a href="${base}/export.ndjson${query}">NDJSON</a>${role === 'reviewer' && html` <a href="${base}/export.fhir.ndjson${query}">FHIR AuditEvent</a>`}
</p></section>
<p class="help">${texts.timeUtc}</p>`;
}

function renderFilters({ texts, language, role }: PageContext, guideline: CompiledGuideline, filters: Filters): Html {
  const input = (name: string, label: string, type = 'text') =>
    html`<label>${label}<input type="${type}" name="${name}" value="${filters[name] ?? ''}"></label>`;
  const select = (name: string, label: string, options: readonly (readonly [string, string])[]) =>
    html`<label>${label}<select name="${name}"><option value="">${texts.any}</option>${options.map(
      ([value, shown]) => html`<option value="${value}"${filters[name] === value && html` selected`}>${shown}</option>`,
    )}</select></label>`;
  const words = findViewerWords(guideline, language);
  const { head, rules, services } = guideline;
  return html`<section><h2>${texts.filters}</h2><form class="filters" method="get" action="${base}/evaluations">
${input('from', texts.from, 'date')}${input('to', texts.to, 'date')}
${select(
  'decision',
  texts.decision,
  [...rules.values()].map(({ id, title }) => [id, `${id} ${title[language]}`]),
)}
${select(
  'outcome',
  texts.outcome,
  (['met', 'not-met', 'unknown', 'error'] as const).map((outcome) => [outcome, texts[outcome]]),
)}
${select(
  'topic',
  texts.topic,
  Object.keys(head.topics).map((topic) => [topic, words.ofTopic(topic)]),
)}
${select(
  'reason',
  texts.reason,
  guideline.texts[language].overrideReasons.map(({ code }) => [code, words.ofReason(code)]),
)}
${select(
  'key',
  texts.key,
  Object.keys(head.prefetch).map((key) => [key, `${words.ofKey(key)} (${key})`]),
)}
${select(
  'state',
  texts.state,
  (['missing', 'failed', 'truncated'] as const).map((state) => [state, texts[state]]),
)}
${select(
  'hook',
  texts.hook,
  [...new Set([...services.values()].map(({ hook }) => hook))].map((hook) => [hook, `${words.ofHook(hook)} (${hook})`]),
)}
${input('client', texts.client)}
${role === 'reviewer' && html`${input('patientKey', texts.patientKey)}${input('hookInstance', texts.hookInstance)}`}
<p class="actions"><button class="main" type="submit">${texts.show}</button> <a href="${base}/evaluations">${texts.clear}</a></p>
</form></section>`;
}
