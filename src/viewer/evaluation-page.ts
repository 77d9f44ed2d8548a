import { decisionsBehind, type EvaluationRecord, type SentCard } from '../audit/record.ts';
import type { Replay } from '../audit/replay.ts';
import type { FeedbackComment, StoredEvaluation, StoredFeedback } from '../audit/store.ts';
import type { CompiledGuideline, Language } from '../engine/guideline.ts';
import type { Miss, NearestMiss } from '../engine/nearest-miss.ts';
import type { Decision, FactRead, Truth } from '../engine/types.ts';
import { sayAmount } from '../engine/wording.ts';
import { formatNumber, formatTime } from './format.ts';
import { type Html, html } from './html.ts';
import { base, type PageContext } from './layout.ts';
import { renderMarkdown } from './markdown.ts';
import type { Texts } from './texts.ts';
import { findViewerWords, type Words } from './words.ts';

/** What is worked out for the page beside what is stored. */
export interface Explanation {
  replay: Replay;
  /** Absent: the knowledge is another than the evaluation's. */
  nearestMisses?: NearestMiss[];
  /** By decision, whether each of its conditions held. Absent as above. */
  conditions?: Readonly<Record<string, readonly Truth[]>>;
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

/** What the parts of the page are told with. */
interface Telling {
  texts: Texts;
  language: Language;
  words: Words;
  guideline: CompiledGuideline;
  view: EvaluationView;
}

/** Longer lists of readings and of reasons are folded, or cut. */
const mostReadings = 6;
const mostReasons = 3;
const longestReason = 120;

/** One evaluation: in brief, the cards and what became of them, the sources, every decision with its facts. */
export function renderEvaluation(context: PageContext, guideline: CompiledGuideline, view: EvaluationView): Html {
  const { texts, language, role } = context;
  const { summary, record, chain } = view.found;
  const isReviewer = role === 'reviewer';
  const telling = { texts, language, words: findViewerWords(guideline, language), guideline, view };
  return html`<section><h2>${texts.brief}</h2><dl class="facts">
${renderLine(texts.time, formatTime(summary.time, language))}
${renderLine(texts.client, [summary.client, summary.tenant].filter((part) => part !== undefined).join(' / '))}
${renderLine(texts.hook, html`${telling.words.ofHook(summary.hook)} <span class="soft">(${summary.hook})</span>`)}
${record !== undefined && renderBrief(record, telling)}
${
  isReviewer &&
  renderLine(
    texts.patientKey,
    summary.patientKey &&
      html`<span class="code">${summary.patientKey.slice(0, 8)}</span> <a href="${base}/evaluations?patientKey=${summary.patientKey}">${texts.samePatient}</a>`,
  )
}
</dl></section>
${record === undefined ? html`<section><p>${texts.erasedText} (${formatTime(summary.erasedAt ?? summary.time, language)})</p></section>` : renderRecord(record, telling)}
<section><h2>${texts.technical}</h2><dl class="facts">
${renderLine(texts.evaluation, html`<span class="code">${summary.id}</span>`)}
${renderLine(texts.service, html`<span class="code">${summary.service}</span>`)}
${isReviewer && renderLine(texts.hookInstance, summary.hookInstance && html`<span class="code">${summary.hookInstance}</span>`)}
${isReviewer && renderLine(texts.patientKey, summary.patientKey && html`<span class="code">${summary.patientKey}</span>`)}
${renderLine(texts.knowledge, record === undefined ? summary.knowledge : html`${summary.knowledge} <span class="code soft">${record.knowledge.hash}</span>`)}
${record !== undefined && html`${renderLine(texts.program, record.code)}${renderLine(texts.cardLanguage, record.language)}${renderLine(texts.duration, describeDurations(record, language))}`}
${renderLine(texts.chain, html`${summary.seq} <span class="code soft">${chain.hash}</span>`)}
</dl></section>`;
}

function renderLine(name: string, value: string | Html | undefined): Html | false {
  return value !== undefined && html`<dt>${name}</dt><dd>${value}</dd>`;
}

function describeDurations({ durations }: EvaluationRecord, language: Language): string {
  const { collect, read, decide, total } = durations;
  return [collect, read, decide, total].map((each) => formatNumber(Math.round(each * 10) / 10, language)).join(' / ');
}

const outcomes = ['met', 'unknown', 'error', 'not-met'] as const;

/** What came, what was decided, what could not be read, and whether it would be the same. */
function renderBrief(record: EvaluationRecord, { texts, words, view }: Telling): Html {
  const unread = Object.entries(record.chart.keys).filter(([, { state }]) => state !== 'present' && state !== 'empty');
  const counts = outcomes
    .map((outcome) => [outcome, record.decisions.filter((decision) => decision.outcome === outcome).length] as const)
    .filter(([, count]) => count > 0);
  const { explanation } = view;
  return html`${renderLine(
    texts.cards,
    record.cards.length === 0
      ? texts.noCards
      : html`${record.cards.map((card) => {
          const { summary, source } = card as ShownCard;
          const last = view.found.feedback.findLast((each) => each.card === card.uuid)?.outcome;
          const answer = last ?? (view.isAnswerOver ? 'ignored' : 'awaiting');
          return html`<div><span lang="${record.language}">${summary ?? source.topic?.code}</span> <span class="badge ${answer}">${texts[answer]}</span></div>`;
        })}`,
  )}
${renderLine(texts.trace, html`${counts.map(([outcome, count]) => html`<a class="count" href="#${outcome}">${count} ${texts[outcome]}</a> `)}`)}
${renderLine(texts.keysTitle, unread.length === 0 ? texts.allRead : html`${unread.map(([key, { state }]) => html`<div>${words.ofKey(key)} <span class="badge ${state}">${texts[state]}</span></div>`)}`)}
${renderLine(texts.replayTitle, explanation === undefined ? texts.replayFailed : html`<span${explanation.replay.isSameKnowledge && !explanation.replay.isIdentical && html` class="wrong"`}>${sayReplay(explanation.replay, texts)}</span>${explanation.replay.decisions.length + explanation.replay.cards.length > 0 && html` <a href="#replay">${texts.changes}</a>`}`)}
${renderLine(texts.knowledge, record.knowledge.version)}`;
}

function renderRecord(record: EvaluationRecord, telling: Telling): Html {
  const { texts, words, view } = telling;
  const { explanation } = view;
  const behind = new Set(record.cards.flatMap(decisionsBehind));
  return html`<section class="long"><h2>${texts.cardsSent}</h2>
${record.cards.length === 0 ? html`<p>${texts.noCards}</p>` : record.cards.map((card) => renderCard(card as ShownCard, record.language, telling))}
</section>
<section class="long"><h2>${texts.trace}</h2><p class="help">${texts.traceHelp}</p>
${outcomes.map((outcome) => {
  const decisions = record.decisions.filter((decision) => decision.outcome === outcome);
  const heading = html`<h3 id="${outcome}">${texts[outcome]} (${decisions.length})</h3>`;
  return (
    decisions.length > 0 &&
    html`${heading}${decisions.map((decision) => renderDecision(decision, record, behind.has(decision.id), telling))}`
  );
})}
</section>
<section><h2>${texts.sources}</h2><div class="scroll" tabindex="0" role="region" aria-label="${texts.sources}"><table><thead><tr><th scope="col">${texts.key}</th><th scope="col">${texts.state}</th><th scope="col" class="number">${texts.oldest}</th><th scope="col" class="number">${texts.dropped}</th></tr></thead>
<tbody>${Object.entries(record.chart.keys).map(
    ([
      key,
      { state, oldestDaysAgo, dropped },
    ]) => html`<tr><th scope="row">${words.ofKey(key)} <code class="soft">${key}</code></th><td><span class="badge ${state}">${texts[state]}</span></td>
<td class="number">${oldestDaysAgo ?? '–'}</td><td class="number">${dropped}</td></tr>`,
  )}</tbody></table></div><p class="help">${texts.statesHelp}</p></section>
${explanation !== undefined && renderReplay(explanation.replay, texts, words)}`;
}

function renderCard(card: ShownCard, cardLanguage: Language, { texts, language, words, view }: Telling): Html {
  const { found, comments, isAnswerOver } = view;
  const feedback = found.feedback.filter((each) => each.card === card.uuid);
  const indicator = (['info', 'warning', 'critical'] as const).find((each) => each === card.indicator) ?? 'info';
  const { suggestions = [] } = card;
  return html`<article class="card ${indicator}"><p><span class="badge ${indicator}">${texts[indicator]}</span> <span class="soft">${words.ofTopic(card.source.topic?.code ?? '')}</span></p>
<div lang="${cardLanguage}"><h3>${card.summary}</h3>
<div class="detail">${renderMarkdown(card.detail ?? '')}</div></div>
${
  suggestions.length > 0 &&
  html`<p><strong>${texts.suggestions}</strong></p><ul class="plain" lang="${cardLanguage}">${suggestions.map(
    ({ label, actions = [] }) =>
      html`<li>${label}<ul class="plain">${actions.map(({ description, type }) => html`<li>${description ?? type}</li>`)}</ul></li>`,
  )}</ul>`
}
<p class="soft" lang="${cardLanguage}">${card.source.label}</p>
<div><strong>${texts.behindCard}:</strong> ${decisionsBehind(card as SentCard).map((id) => html`<a href="#${id}">${id}</a> ${words.ofDecision(id)} `)}</div>
<div><strong>${texts.feedbackOn}:</strong> ${
    feedback.length === 0
      ? html`<span class="badge ${isAnswerOver ? 'ignored' : 'awaiting'}">${isAnswerOver ? texts.noAnswerOver : texts.noAnswer}</span>`
      : html`<ul class="plain">${feedback.map((each) => html`<li>${renderFeedback(each, words, texts, language)}</li>`)}</ul>`
  }</div>
${comments
  .filter((each) => each.card === card.uuid)
  .map(({ comment }) => html`<blockquote><span class="soft">${texts.comment}:</span> ${comment}</blockquote>`)}
</article>`;
}

function renderFeedback(
  { outcome, outcomeTimestamp, reason, acceptedSuggestions }: StoredFeedback,
  words: Words,
  texts: Texts,
  language: Language,
): Html {
  return html`<span class="badge ${outcome}">${texts[outcome]}</span> ${formatTime(outcomeTimestamp, language)}${
    reason !== undefined && html`: ${words.ofReason(reason.code)} <code class="soft">${reason.code}</code>`
  }${acceptedSuggestions.length > 0 && html` (${acceptedSuggestions.length} ${texts.acceptedSuggestions})`}`;
}

function renderDecision(decision: Decision, record: EvaluationRecord, isShown: boolean, telling: Telling): Html {
  const { texts, words, view } = telling;
  const { id, outcome, facts, lacking, ledger } = decision;
  const { nearestMisses, conditions } = view.explanation ?? {};
  const misses = nearestMisses?.find((each) => each.decision === id)?.misses ?? [];
  const truths = conditions?.[id];
  const why = sayWhy(decision, truths, telling);
  return html`<details class="decision ${outcome}"><summary><span class="id">${id}</span> ${words.ofDecision(id)}
<span class="badge ${outcome}">${texts[outcome]}</span>${isShown && html` <span class="badge info">${texts.cardShown}</span>`}${why !== undefined && html` <span class="soft">${why}</span>`}</summary><div id="${id}">
${lacking.length > 0 && html`<p><strong>${texts.lacking}:</strong></p><ul class="plain">${lacking.map((what) => html`<li>${describeLacking(what, texts, words)}</li>`)}</ul>`}
${truths !== undefined && renderConditions(id, truths, telling)}
${facts.length === 0 ? html`<p>${texts.noFacts}</p>` : renderFacts(id, facts, telling)}
${outcome === 'not-met' && html`<div><strong>${texts.nearest}:</strong> ${nearestMisses === undefined ? texts.nearestOther : renderMisses(misses, texts, words)}</div>`}
${ledger.length > 0 && html`<p><strong>${texts.ledger}:</strong></p><ul class="plain">${ledger.map((entry) => html`<li>${describeLedger(entry, record, telling)}</li>`)}</ul>`}
</div></details>`;
}

/** In a line: the condition that did not hold, what was lacking, or why a met decision gave no card. */
function sayWhy(
  { id, outcome, reason, lacking }: Decision,
  truths: readonly Truth[] | undefined,
  { texts, words, guideline }: Telling,
): string | undefined {
  if (outcome === 'unknown' && lacking.length > 0) {
    const named = [...new Set(lacking.map((what) => nameLacking(what, words)))];
    const more = named.length > mostReasons ? ` (+ ${named.length - mostReasons} ${texts.andMore})` : '';
    return `${texts.lackedShort}: ${named.slice(0, mostReasons).join(', ')}${more}`;
  }
  if (outcome === 'not-met' && truths !== undefined) {
    const failed = guideline.rules.get(id)?.when[truths.indexOf(false)];
    if (failed !== undefined) return `${texts.holdsNot}: ${shorten(words.ofExpression(failed.expression.text))}`;
  }
  if (reason === undefined || outcome === 'error') return reason;
  return outcome === 'met' ? `${texts.noCardSince}: ${words.ofWithholding(id, reason)}` : reason;
}

/** A line's worth of a sentence; all of it stands where the decision is opened. */
function shorten(sentence: string): string {
  return sentence.length <= longestReason ? sentence : `${sentence.slice(0, longestReason).replace(/\s+\S*$/, '')} …`;
}

function renderConditions(id: string, truths: readonly Truth[], { texts, words, guideline }: Telling): Html {
  const when = guideline.rules.get(id)?.when ?? [];
  return html`<p><strong>${texts.conditions}:</strong></p><ol class="plain">${when.map(({ expression }, at) => {
    const truth = truths[at] ?? null;
    const [state, said] =
      truth === null
        ? (['unknown', texts.unknown] as const)
        : truth
          ? (['met', texts.holds] as const)
          : (['lost', texts.holdsNot] as const);
    return html`<li>${words.ofExpression(expression.text)} <span class="badge ${state}">${said}</span></li>`;
  })}</ol>`;
}

function renderMisses(misses: readonly Miss[], texts: Texts, words: Words): Html {
  if (misses.length === 0) return html`${texts.nearestMore}`;
  return html`${texts.nearestOf}<ul class="plain">${misses.map(
    ({ fact, is, wouldBe }) =>
      html`<li><span title="${fact}">“${words.ofFact(fact)}”</span> ${texts.would} <strong>${words.ofValue(wouldBe)}</strong> (${texts.is} ${sayTruth(is, texts, words)})</li>`,
  )}</ul>`;
}

function sayTruth(value: Miss['is'], texts: Texts, words: Words): string {
  return value === null ? texts.unknown : words.ofValue(value);
}

function renderFacts(id: string, facts: readonly FactRead[], { texts, words, guideline, language }: Telling): Html {
  const isBare = ({ values = [], readings = [], lacking = [] }: FactRead) =>
    values.length + readings.length + lacking.length === 0;
  const [bare, told] = [facts.filter(isBare), facts.filter((fact) => !isBare(fact))];
  const hasLacking = told.some(({ lacking = [] }) => lacking.length > 0);
  return html`${
    told.length > 0 &&
    html`<div class="scroll" tabindex="0" role="region" aria-label="${id}: ${texts.facts}"><table class="read"><thead><tr><th scope="col">${texts.fact}</th><th scope="col">${texts.truth}</th><th scope="col">${texts.values}</th>${hasLacking && html`<th scope="col">${texts.lacking}</th>`}</tr></thead>
<tbody>${told.map(({ fact, truth, values = [], readings = [], lacking = [] }) => {
      const named = new Set<unknown>(readings.flatMap(({ concept, reference }) => [concept, reference]));
      // The readings name them already.
      const isNamed = values.every((value) => named.has(value));
      const items = readings.map((reading) => html`<li>${describeReading(reading, guideline, words, language)}</li>`);
      // One resource may be read in two ways that say the same.
      const list = [...new Map(items.map((item) => [item.markup, item])).values()];
      return html`<tr><th scope="row"><span title="${fact}">${words.ofFact(fact)}</span></th><td>${sayTruth(truth, texts, words)}</td>
<td>${!isNamed && html`<div>${values.map(words.ofValue).join(', ')}</div>`}${
        list.length > mostReadings
          ? html`<details><summary>${list.length} ${texts.readings}</summary><ul class="plain">${list}</ul></details>`
          : list.length > 0 && html`<ul class="plain">${list}</ul>`
      }</td>${hasLacking && html`<td>${lacking.map((what) => html`<div>${describeLacking(what, texts, words)}</div>`)}</td>`}</tr>`;
    })}</tbody></table></div>`
  }${
    bare.length > 0 &&
    html`<p class="bare"><strong>${texts.otherFacts}:</strong> ${bare.map(
      ({ fact, truth }, at) =>
        html`${at > 0 && ' · '}<span title="${fact}">${words.ofFact(fact)}</span>: <strong>${sayTruth(truth, texts, words)}</strong>`,
    )}</p>`
  }`;
}

function describeReading(
  reading: NonNullable<FactRead['readings']>[number],
  guideline: CompiledGuideline,
  words: Words,
  language: Language,
): Html {
  const { concept, date, reference } = reading;
  const parts = [
    words.ofValue(concept),
    sayAmount(reading, language),
    sayDirection(reading.abnormal, guideline, language),
    date,
  ].filter((part) => part !== undefined);
  return html`${parts.join(' · ')} <span class="code soft">${reference}</span>`;
}

function sayDirection(
  abnormal: NonNullable<FactRead['readings']>[number]['abnormal'],
  guideline: CompiledGuideline,
  language: Language,
): string | undefined {
  return abnormal === undefined || abnormal === 'no' ? undefined : guideline.texts[language].labels[abnormal];
}

/** A ledger entry with its question and, where the knowledge is the evaluation's, the option that was in force. */
function describeLedger(id: string, record: EvaluationRecord, { texts, language, guideline }: Telling): Html {
  const entry = guideline.ledger.find((each) => each.id === id);
  if (entry === undefined) return html`${id}`;
  const choices = record.settings.ledger as Readonly<Record<string, string>> | undefined;
  const key = choices?.[entry.override] ?? entry.default;
  const option = record.knowledge.hash === guideline.hash ? entry.options.find((each) => each.key === key) : undefined;
  return html`${id}: ${entry.question[language]}${option !== undefined && html` <span class="soft">${texts.chosen}: ${option[language]}</span>`}`;
}

/** What the engine says was lacking, `key:reports`, in words. */
function describeLacking(what: string, texts: Texts, words: Words): Html {
  const [kind = ''] = what.split(':');
  const said: Readonly<Record<string, string>> = {
    key: texts.lackingKey,
    broader: texts.lackingBroader,
    undated: texts.lackingUndated,
    preliminary: texts.lackingPreliminary,
    unclear: texts.lackingUnclear,
    decision: texts.lackingDecision,
    patient: texts.lackingPatient,
    undecided: texts.lackingUndecided,
  };
  return kind in said ? html`${nameLacking(what, words)}: ${said[kind]}` : html`<code>${what}</code>`;
}

/** What `key:reports`, `patient:age`, `decision:MAS-01` or `undated:Condition/1` is about. */
function nameLacking(what: string, words: Words): string {
  const [kind = '', ...rest] = what.split(':');
  const of = rest.join(':');
  if (kind === 'key') return words.ofKey(of);
  if (kind === 'patient') return words.ofFact(of);
  if (kind === 'undecided') return words.ofExpression(of);
  return kind === 'decision' ? `${of} ${words.ofDecision(of)}`.trim() : of;
}

function sayReplay(replay: Replay, texts: Texts): string {
  if (!replay.isSameKnowledge) {
    return replay.decisions.length + replay.cards.length === 0
      ? `${texts.replayOther} ${texts.replayNoChange}`
      : texts.replayChanged;
  }
  return replay.isIdentical ? texts.replaySame : texts.replayNot;
}

/** What would be otherwise now; nothing where nothing would. */
function renderReplay(replay: Replay, texts: Texts, words: Words): Html | false {
  if (replay.decisions.length + replay.cards.length === 0) return false;
  return html`<section id="replay"><h2>${texts.replayTitle}</h2><p${replay.isSameKnowledge && html` class="wrong"`}>${sayReplay(replay, texts)}</p><ul class="plain">${replay.decisions.map(
    ({ decision, was, is }) => html`<li>${decision} ${words.ofDecision(decision)}: ${texts[was]} → ${texts[is]}</li>`,
  )}${replay.cards.map(
    ({ change, topic, decisions }) =>
      html`<li><span class="badge ${change}">${texts[change]}</span> ${words.ofTopic(topic)} (${decisions.join(', ')})</li>`,
  )}</ul></section>`;
}
