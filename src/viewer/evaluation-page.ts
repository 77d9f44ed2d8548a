import type { EvaluationRecord, SentCard } from '../audit/record.ts';
import type { Replay } from '../audit/replay.ts';
import type { FeedbackComment, StoredEvaluation, StoredFeedback } from '../audit/store.ts';
import type { CompiledGuideline, Language } from '../engine/compile.ts';
import type { Miss, NearestMiss } from '../engine/nearest-miss.ts';
import type { Decision, FactRead } from '../engine/types.ts';
import { sayAmount } from '../engine/wording.ts';
import { formatNumber, formatTime } from './format.ts';
import { type Html, html } from './html.ts';
import type { PageContext } from './layout.ts';
import { renderMarkdown } from './markdown.ts';
import { nameReason } from './overview-page.ts';
import type { Texts } from './texts.ts';

/** What is worked out for the page beside what is stored. */
export interface Explanation {
  replay: Replay;
  /** Absent: the knowledge is another than the evaluation's. */
  nearestMisses?: NearestMiss[];
}

export interface EvaluationView {
  found: StoredEvaluation;
  /** Absent: the record was erased, or cannot be decided again. */
  explanation: Explanation | undefined;
  /** Reviewers only. */
  comments: readonly FeedbackComment[];
  /** Whether cards nobody answered count as ignored by now. */
  isAnswerOver: boolean;
}

/** A card as far as the page shows it; records of other versions may hold less. */
interface ShownCard extends Omit<SentCard, 'source' | 'suggestions'> {
  summary?: string;
  detail?: string;
  source: { label?: string; topic?: { code: string; display?: string } };
  suggestions?: readonly { label?: string; actions?: readonly { type: string; description?: string }[] }[];
}

/** One evaluation: the cards, what became of them, the sources, every decision with its facts, the same decided again. */
export function renderEvaluation(context: PageContext, guideline: CompiledGuideline, view: EvaluationView): Html {
  const { texts, language, role } = context;
  const { summary, record, chain } = view.found;
  const isReviewer = role === 'reviewer';
  const line = (name: string, value: string | Html | undefined) =>
    value !== undefined && html`<dt>${name}</dt><dd>${value}</dd>`;
  return html`<section><dl class="facts">
${line(texts.time, formatTime(summary.time, language))}
${line(texts.client, [summary.client, summary.tenant].filter((part) => part !== undefined).join(' / '))}
${line(texts.hook, `${summary.hook} (${summary.service})`)}
${isReviewer && line(texts.hookInstance, summary.hookInstance)}
${isReviewer && line(texts.patientKey, summary.patientKey && html`<span class="code">${summary.patientKey}</span>`)}
${line(texts.knowledge, record === undefined ? summary.knowledge : html`${summary.knowledge} <span class="code soft">${record.knowledge.hash}</span>`)}
${record !== undefined && html`${line(texts.program, record.code)}${line(texts.cardLanguage, record.language)}${line(texts.duration, describeDurations(record, language))}`}
${line(texts.chain, html`${summary.seq} <span class="code soft">${chain.hash}</span>`)}
</dl></section>
${record === undefined ? html`<section><p>${texts.erasedText} (${formatTime(summary.erasedAt ?? summary.time, language)})</p></section>` : renderRecord(context, guideline, record, view)}`;
}

function describeDurations({ durations }: EvaluationRecord, language: Language): string {
  const { collect, read, decide, total } = durations;
  return [collect, read, decide, total].map((each) => formatNumber(Math.round(each * 10) / 10, language)).join(' / ');
}

function renderRecord(
  { texts, language }: PageContext,
  guideline: CompiledGuideline,
  record: EvaluationRecord,
  view: EvaluationView,
): Html {
  const { explanation } = view;
  const misses = new Map(explanation?.nearestMisses?.map(({ decision, misses: of }) => [decision, of]));
  const order = ['met', 'unknown', 'error', 'not-met'] as const;
  return html`<section class="long"><h2>${texts.cardsSent}</h2>
${record.cards.length === 0 ? html`<p>${texts.noCards}</p>` : record.cards.map((card) => renderCard(card as ShownCard, guideline, view, texts, language))}
</section>
<section class="long"><h2>${texts.trace}</h2><p class="help">${texts.traceHelp}</p>
${order.map((outcome) => {
  const decisions = record.decisions.filter((decision) => decision.outcome === outcome);
  return (
    decisions.length > 0 &&
    html`<h3>${texts[outcome]} (${decisions.length})</h3>${decisions.map((decision) =>
      renderDecision(
        decision,
        misses.get(decision.id),
        explanation?.nearestMisses !== undefined,
        guideline,
        texts,
        language,
      ),
    )}`
  );
})}
</section>
<div class="columns">
<section><h2>${texts.sources}</h2><div class="scroll" tabindex="0" role="region" aria-label="${texts.sources}"><table><thead><tr><th scope="col">${texts.key}</th><th scope="col">${texts.state}</th><th scope="col" class="number">${texts.oldest}</th><th scope="col" class="number">${texts.dropped}</th></tr></thead>
<tbody>${Object.entries(record.chart.keys).map(
    ([
      key,
      { state, oldestDaysAgo, dropped },
    ]) => html`<tr><th scope="row"><code>${key}</code></th><td><span class="badge ${state}">${texts[state]}</span></td>
<td class="number">${oldestDaysAgo ?? '–'}</td><td class="number">${dropped}</td></tr>`,
  )}</tbody></table></div></section>
<section><h2>${texts.replayTitle}</h2>${explanation === undefined ? html`<p class="wrong">${texts.replayFailed}</p>` : renderReplay(explanation.replay, texts)}</section>
</div>`;
}

function renderCard(
  card: ShownCard,
  guideline: CompiledGuideline,
  { found, comments, isAnswerOver }: EvaluationView,
  texts: Texts,
  language: Language,
): Html {
  const feedback = found.feedback.filter((each) => each.card === card.uuid);
  const indicator = (['info', 'warning', 'critical'] as const).find((each) => each === card.indicator) ?? 'info';
  const { suggestions = [] } = card;
  return html`<article class="card ${indicator}"><p><span class="badge ${indicator}">${texts[indicator]}</span> <span class="soft">${card.source.topic?.display ?? card.source.topic?.code}</span></p>
<h3>${card.summary}</h3>
<div class="detail">${renderMarkdown(card.detail ?? '')}</div>
${
  suggestions.length > 0 &&
  html`<p><strong>${texts.suggestions}</strong></p><ul class="plain">${suggestions.map(
    ({ label, actions = [] }) =>
      html`<li>${label}<ul class="plain">${actions.map(({ description, type }) => html`<li>${description ?? type}</li>`)}</ul></li>`,
  )}</ul>`
}
<p class="soft">${card.source.label}</p>
<div><strong>${texts.feedbackOn}:</strong> ${
    feedback.length === 0
      ? html`<span class="badge ${isAnswerOver ? 'ignored' : 'awaiting'}">${isAnswerOver ? texts.noAnswerOver : texts.noAnswer}</span>`
      : html`<ul class="plain">${feedback.map((each) => html`<li>${renderFeedback(each, guideline, texts, language)}</li>`)}</ul>`
  }</div>
${comments
  .filter((each) => each.card === card.uuid)
  .map(({ comment }) => html`<blockquote><span class="soft">${texts.comment}:</span> ${comment}</blockquote>`)}
</article>`;
}

function renderFeedback(
  { outcome, outcomeTimestamp, reason, acceptedSuggestions }: StoredFeedback,
  guideline: CompiledGuideline,
  texts: Texts,
  language: Language,
): Html {
  return html`<span class="badge ${outcome}">${texts[outcome]}</span> ${formatTime(outcomeTimestamp, language)}${
    reason !== undefined && html`: ${nameReason(reason.code, guideline, language)} <code>${reason.code}</code>`
  }${acceptedSuggestions.length > 0 && html` (${acceptedSuggestions.length} ${texts.acceptedSuggestions})`}`;
}

function renderDecision(
  { id, outcome, reason, facts, lacking, ledger }: Decision,
  misses: readonly Miss[] | undefined,
  isMissKnown: boolean,
  guideline: CompiledGuideline,
  texts: Texts,
  language: Language,
): Html {
  return html`<details class="decision"><summary><span class="id">${id}</span> ${guideline.rules.get(id)?.title[language] ?? ''}
<span class="badge ${outcome}">${texts[outcome]}</span>${reason !== undefined && html` <code>${reason}</code>`}</summary><div>
${lacking.length > 0 && html`<p><strong>${texts.lacking}:</strong></p><ul class="plain">${lacking.map((what) => html`<li>${describeLacking(what, texts)}</li>`)}</ul>`}
${facts.length === 0 ? html`<p>${texts.noFacts}</p>` : renderFacts(id, facts, guideline, texts, language)}
${ledger.length > 0 && html`<p><span class="soft">${texts.ledger}:</span> ${ledger.join(', ')}</p>`}
${outcome === 'not-met' && html`<div><strong>${texts.nearest}:</strong> ${isMissKnown ? renderMisses(misses ?? [], texts) : texts.nearestOther}</div>`}
</div></details>`;
}

function renderMisses(misses: readonly Miss[], texts: Texts): Html {
  if (misses.length === 0) return html`${texts.nearestMore}`;
  return html`${texts.nearestOf}<ul class="plain">${misses.map(
    ({ fact, is, wouldBe }) =>
      html`<li><code>${fact}</code> ${texts.would} <strong>${sayValue(wouldBe, texts)}</strong> (${texts.is} ${sayValue(is, texts)})</li>`,
  )}</ul>`;
}

function sayValue(value: Miss['is'], texts: Texts): string {
  if (value === null) return texts.unknown;
  return typeof value === 'boolean' ? (value ? texts.yes : texts.no) : String(value);
}

function renderFacts(
  id: string,
  facts: readonly FactRead[],
  guideline: CompiledGuideline,
  texts: Texts,
  language: Language,
): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${id}: ${texts.facts}"><table><thead><tr><th scope="col">${texts.fact}</th><th scope="col">${texts.truth}</th><th scope="col">${texts.values}</th><th scope="col">${texts.lacking}</th></tr></thead>
<tbody>${facts.map(
    ({
      fact,
      truth,
      values = [],
      readings = [],
      lacking = [],
    }) => html`<tr><th scope="row"><code>${fact}</code></th><td>${sayValue(truth, texts)}</td>
<td>${values.length > 0 && html`<div>${values.map((value) => sayName(value, guideline, language)).join(', ')}</div>`}${
      readings.length > 0 &&
      html`<ul class="plain">${readings.map((reading) => html`<li>${describeReading(reading, guideline, texts, language)}</li>`)}</ul>`
    }</td><td>${lacking.map((what) => html`<div>${describeLacking(what, texts)}</div>`)}</td></tr>`,
  )}</tbody></table></div>`;
}

function sayName(value: string | number | boolean, guideline: CompiledGuideline, language: Language): string {
  if (typeof value === 'number') return formatNumber(value, language);
  return guideline.labels.get(String(value))?.[language] ?? String(value);
}

function describeReading(
  reading: NonNullable<FactRead['readings']>[number],
  guideline: CompiledGuideline,
  texts: Texts,
  language: Language,
): Html {
  const { concept, date, reference } = reading;
  const parts = [
    guideline.labels.get(concept)?.[language] ?? concept,
    sayAmount(reading, language),
    sayDirection(reading.abnormal, guideline, language),
    date,
  ].filter((part) => part !== undefined);
  return html`${parts.join(' · ')} <span class="code soft" title="${texts.key}">${reference}</span>`;
}

function sayDirection(
  abnormal: NonNullable<FactRead['readings']>[number]['abnormal'],
  guideline: CompiledGuideline,
  language: Language,
): string | undefined {
  return abnormal === undefined || abnormal === 'no' ? undefined : guideline.texts[language].labels[abnormal];
}

/** What the engine says was lacking, `key:reports`, in words. */
function describeLacking(what: string, texts: Texts): Html {
  const [kind = '', ...rest] = what.split(':');
  const words: Readonly<Record<string, string>> = {
    key: texts.lackingKey,
    broader: texts.lackingBroader,
    undated: texts.lackingUndated,
    preliminary: texts.lackingPreliminary,
    unclear: texts.lackingUnclear,
    decision: texts.lackingDecision,
    patient: texts.lackingPatient,
    undecided: texts.lackingUndecided,
  };
  const said = words[kind];
  return said === undefined ? html`<code>${what}</code>` : html`<code>${rest.join(':')}</code> ${said}`;
}

function renderReplay(replay: Replay, texts: Texts): Html {
  if (replay.isIdentical && replay.isSameKnowledge) return html`<p>${texts.replaySame}</p>`;
  const changes = html`${
    replay.decisions.length + replay.cards.length === 0
      ? html`<p>${texts.replayNoChange}</p>`
      : html`<ul class="plain">${replay.decisions.map(
          ({ decision, was, is }) => html`<li>${decision}: ${texts[was]} → ${texts[is]}</li>`,
        )}${replay.cards.map(
          ({ change, topic, decisions }) =>
            html`<li><span class="badge ${change}">${texts[change]}</span> ${topic} (${decisions.join(', ')})</li>`,
        )}</ul>`
  }`;
  return replay.isSameKnowledge
    ? html`<p class="wrong">${texts.replayNot}</p>${changes}`
    : html`<p>${texts.replayOther}</p>${changes}`;
}
