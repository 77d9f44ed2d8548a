import type { ReplayRow, ReplaySummary } from '../audit/replay-summary.ts';
import type { CompiledGuideline, Language } from '../engine/guideline.ts';
import { formatNumber, formatTime } from './format.ts';
import { type Html, html, trustMarkup } from './html.ts';
import { base, type PageContext } from './layout.ts';
import { styleSheet } from './style.ts';
import { type Texts, viewerTexts } from './texts.ts';

/** What is asked for on the page that compares. */
export interface CompareForm {
  from: string;
  to: string;
  knowledge: string;
  most: number;
}

/** What a comparison found, and the first of what it found. */
export interface Comparison {
  summary: ReplaySummary;
  rows: readonly ReplayRow[];
  hasMore: boolean;
}

/** The page: what to compare, and what came of it. */
export function renderCompare(
  { texts, language }: PageContext,
  guideline: CompiledGuideline,
  form: CompareForm,
  choices: readonly string[],
  comparison: Comparison | undefined,
): Html {
  return html`<section><p class="help">${texts.compareHelp}</p><form class="filters" method="get" action="${base}/compare">
<label>${texts.from}<input type="date" name="from" value="${form.from}" required></label>
<label>${texts.to}<input type="date" name="to" value="${form.to}" required></label>
<label>${texts.compareWith}<select name="knowledge"><option value="">${guideline.head.version} (${texts.current})</option>${choices.map(
    (choice) => html`<option value="${choice}"${choice === form.knowledge && html` selected`}>${choice}</option>`,
  )}</select></label>
<label>${texts.most}<input type="number" name="most" min="1" max="10000" value="${form.most}" required></label>
<p class="actions"><button class="main" type="submit">${texts.run}</button></p></form>${choices.length === 0 && html`<p class="help">${texts.noChoices}</p>`}</section>
${comparison !== undefined && comparison.summary.evaluations >= form.most && html`<p class="help">${texts.firstOnly}</p>`}
${comparison !== undefined && renderComparison(comparison, guideline, texts, language)}`;
}

/** What a comparison found, as a file that needs nothing else. */
export function renderReport(
  comparison: Comparison,
  guideline: CompiledGuideline,
  title: string,
  language: Language,
): string {
  const texts = viewerTexts[language];
  return html`<!doctype html>
<html lang="${language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${texts.compare}: ${title}</title><style>${trustMarkup(styleSheet)}</style></head>
<body><main><h1>${texts.compare}</h1><p class="code">${title}</p>${renderComparison(comparison, guideline, texts, language)}</main></body></html>
`.markup;
}

function renderComparison(
  { summary, rows, hasMore }: Comparison,
  guideline: CompiledGuideline,
  texts: Texts,
  language: Language,
): Html {
  const { evaluations, erased, unreadable, identical, patients, notReproduced, notReproducedCount, decisions } =
    summary;
  const link = (id: string) => html`<a class="code" href="${base}/evaluations/${id}">${id}</a>`;
  return html`<section><ul class="figures">
<li><strong>${formatNumber(evaluations - erased - unreadable, language)}</strong>${texts.compared}</li>
<li><strong>${formatNumber(identical, language)}</strong>${texts.identical}</li>
<li><strong>${formatNumber(patients, language)}</strong>${texts.patientsTouched}</li>
${erased > 0 && html`<li><strong>${formatNumber(erased, language)}</strong>${texts.erased}</li>`}
${unreadable > 0 && html`<li class="wrong"><strong>${formatNumber(unreadable, language)}</strong>${texts.unreadable}</li>`}</ul>
${notReproducedCount > 0 && html`<p class="wrong">${texts.notReproduced}: ${notReproducedCount}</p><ul class="plain">${notReproduced.map((id) => html`<li>${link(id)}</li>`)}</ul>`}</section>
<section class="long"><h2>${texts.byDecision}</h2>
${
  decisions.length === 0
    ? html`<p>${texts.noChanges}</p>`
    : html`<div class="scroll" tabindex="0" role="region" aria-label="${texts.byDecision}"><table><thead><tr><th scope="col">${texts.decision}</th><th scope="col" class="number">${texts.gained}</th><th scope="col" class="number">${texts.lost}</th>
<th scope="col" class="number">${texts.changed}</th><th scope="col">${texts.outcomes}</th></tr></thead><tbody>${decisions.map(
        ({
          decision,
          gained,
          lost,
          changed,
          outcomes,
        }) => html`<tr><th scope="row"><span class="id">${decision}</span> ${guideline.rules.get(decision)?.title[language] ?? ''}</th>
<td class="number">${gained}</td><td class="number">${lost}</td><td class="number">${changed}</td>
<td>${[...outcomes].map(([turn, count]) => html`<div>${sayTurn(turn, texts)}: ${count}</div>`)}</td></tr>`,
      )}</tbody></table></div>`
}</section>
${
  rows.length > 0 &&
  html`<section class="long"><h2>${texts.changes}</h2>${hasMore && html`<p class="help">${texts.firstChanges}</p>`}
<div class="scroll" tabindex="0" role="region" aria-label="${texts.changes}"><table><thead><tr><th scope="col">${texts.time}</th><th scope="col">${texts.patientKey}</th><th scope="col">${texts.decision}</th>
<th scope="col">${texts.was}</th><th scope="col">${texts.becomes}</th><th scope="col">${texts.card}</th><th scope="col">${texts.evaluation}</th></tr></thead><tbody>${rows.map(
    ({
      time,
      id,
      patientKey,
      decision,
      was,
      is,
      card,
    }) => html`<tr><td class="id">${formatTime(time, language)}</td><td class="code" title="${patientKey}">${patientKey.slice(0, 8)}</td><th scope="row" class="id">${decision}</th>
<td>${sayOutcome(was, texts)}</td><td>${sayOutcome(is, texts)}</td>
<td>${card !== undefined && html`<span class="badge ${card.change}">${texts[card.change]}</span> ${guideline.texts[language].topics[card.topic] ?? card.topic} ${card.pathway}`}</td><td>${link(id)}</td></tr>`,
  )}</tbody></table></div></section>`
}`;
}

function sayTurn(turn: string, texts: Texts): string {
  return turn
    .split(' → ')
    .map((outcome) => sayOutcome(outcome, texts))
    .join(' → ');
}

function sayOutcome(outcome: string, texts: Texts): string {
  return outcome in texts ? texts[outcome as keyof Texts] : outcome;
}
