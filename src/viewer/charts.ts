import { type ControlChart, type ControlPoint, chartShares } from '../audit/statistics.ts';
import type { Language } from '../engine/guideline.ts';
import { formatShare } from './format.ts';
import { type Html, html } from './html.ts';
import type { Texts } from './texts.ts';

/** What a chart is drawn of. */
export interface ChartInput {
  title: string;
  /** What the shares are taken of. */
  shareOf: string;
  periods: readonly { period: string; count: number; of: number }[];
  /** Knowledge versions by the first period they were used in; the first one is not marked. */
  versions: readonly { knowledge: string; period: string }[];
}

const size = { width: 640, height: 240, left: 48, right: 12, top: 34, bottom: 30 };
/** Fewer points make no chart. */
const leastPoints = 2;
/** Labels on the axis of time. */
const timeLabels = 6;

/** The points of a control chart that are not there by chance. */
export function findOutside(periods: ChartInput['periods']): ControlChart {
  const { mean, points } = chartShares(periods);
  return { mean, points: points.length < leastPoints ? [] : points.filter(({ isOutside }) => isOutside) };
}

/** A control chart as SVG, with the same figures as a table below it. */
export function renderControlChart(input: ChartInput, texts: Texts, language: Language): Html {
  const chart = chartShares(input.periods);
  if (chart.points.length < leastPoints) {
    return html`<figure class="chart"><figcaption>${input.title} <span>${input.shareOf}</span></figcaption><p>${texts.fewPoints}</p></figure>`;
  }
  const { points, mean } = chart;
  const top = niceTop(
    Math.max(mean, ...points.map(({ share, high }) => Math.max(share, Math.min(high, share * 2 + mean)))),
  );
  const scale = scaleOf(points.length, top);
  const outside = points.filter(({ isOutside }) => isOutside);
  const label = `${input.title}: ${texts.mean} ${formatShare(mean, 1, language)}. ${outside.length} ${texts.outside}.`;
  const line = (of: (point: ControlPoint) => number) =>
    points.map((point, at) => `${at === 0 ? 'M' : 'L'}${scale.x(at)} ${scale.y(of(point))}`).join('');
  const marks = input.versions.slice(1).flatMap(({ knowledge, period }) => {
    const at = points.findIndex((point) => point.period >= period);
    return at < 0 ? [] : [{ knowledge, x: scale.x(at) }];
  });
  const every = Math.max(1, Math.ceil(points.length / timeLabels));
  return html`<figure class="chart">
<figcaption>${input.title} <span>${input.shareOf}</span></figcaption>
<div class="scroll" tabindex="0" role="region" aria-label="${input.title}"><svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${label}">
${[0, top / 2, top].map(
  (
    share,
  ) => html`<line class="grid" x1="${size.left}" x2="${size.width - size.right}" y1="${scale.y(share)}" y2="${scale.y(share)}"/>
<text class="axis" x="${size.left - 6}" y="${scale.y(share) + 4}" text-anchor="end">${formatShare(share, 1, language)}</text>`,
)}
${points.map((point, at) =>
  at % every === 0
    ? html`<text class="axis" x="${scale.x(at)}" y="${size.height - 8}" text-anchor="${scale.x(at) > size.width - size.left ? 'end' : 'middle'}">${point.period}</text>`
    : undefined,
)}
<path class="limit" d="${line(({ low }) => low)}"/>
<path class="limit" d="${line(({ high }) => Math.min(high, top))}"/>
<line class="mean" x1="${size.left}" x2="${size.width - size.right}" y1="${scale.y(mean)}" y2="${scale.y(mean)}"/>
${marks.map(
  ({
    knowledge,
    x,
  }) => html`<line class="version" x1="${x}" x2="${x}" y1="${size.top - 12}" y2="${size.height - size.bottom}"/>
<text class="axis" x="${x}" y="${size.top - 18}" text-anchor="${x > size.width / 2 ? 'end' : 'start'}">${knowledge}</text>`,
)}
<path class="line" d="${line(({ share }) => share)}"/>
${points.map((point, at) => renderPoint(point, scale.x(at), scale.y(point.share), texts, language))}
</svg></div>
<p class="legend"><span class="key line">${texts.share}</span> <span class="key mean">${texts.mean} ${formatShare(mean, 1, language)}</span>
<span class="key limit">${texts.limits}</span> ${outside.length > 0 && html`<span class="key outside">${texts.outside}: ${outside.length}</span>`}
${marks.length > 0 && html`<span class="key version">${texts.newKnowledge}</span>`}</p>
${renderFigures(chart, input.title, texts, language)}
</figure>`;
}

function renderPoint(point: ControlPoint, x: number, y: number, texts: Texts, language: Language): Html {
  const { period, count, of, isOutside } = point;
  const words = html`<title>${period}: ${count} ${texts.of} ${of} (${formatShare(count, of, language)})</title>`;
  // Not by colour alone: a point outside has another shape.
  return isOutside
    ? html`<path class="outside" d="M${x} ${y - 6}L${x + 6} ${y}L${x} ${y + 6}L${x - 6} ${y}Z">${words}</path>`
    : html`<circle class="point" cx="${x}" cy="${y}" r="2.5">${words}</circle>`;
}

function renderFigures({ points }: ControlChart, title: string, texts: Texts, language: Language): Html {
  return html`<details><summary>${texts.dataTable}</summary>
<div class="scroll" tabindex="0" role="region" aria-label="${texts.dataTable}: ${title}"><table>
<thead><tr><th scope="col">${texts.period}</th><th scope="col" class="number">${texts.count}</th><th scope="col" class="number">${texts.of}</th>
<th scope="col" class="number">${texts.share}</th><th scope="col">${texts.limits}</th></tr></thead>
<tbody>${points.map(
    ({
      period,
      count,
      of,
      low,
      high,
      isOutside,
    }) => html`<tr><th scope="row">${period}</th><td class="number">${count}</td>
<td class="number">${of}</td><td class="number">${formatShare(count, of, language)}</td>
<td>${formatShare(low, 1, language)} – ${formatShare(high, 1, language)}${isOutside && html` <strong>${texts.outside}</strong>`}</td></tr>`,
  )}</tbody></table></div></details>`;
}

const spark = { width: 120, height: 24 };

/** A small curve of shares over time for a table; the figures stand on the page it leads to. */
export function renderSparkline(periods: ChartInput['periods'], label: string): Html {
  const { points } = chartShares(periods);
  if (points.length < leastPoints) return html``;
  const top = Math.max(...points.map(({ share }) => share), Number.EPSILON);
  const path = points
    .map(({ share }, at) => {
      const x = round((at / (points.length - 1)) * spark.width);
      const y = round(spark.height - 2 - (share / top) * (spark.height - 4));
      return `${at === 0 ? 'M' : 'L'}${x} ${y}`;
    })
    .join('');
  return html`<svg class="spark" viewBox="0 0 ${spark.width} ${spark.height}" role="img" aria-label="${label}"><path class="line" d="${path}"/></svg>`;
}

function scaleOf(points: number, top: number) {
  const width = size.width - size.left - size.right;
  const height = size.height - size.top - size.bottom;
  return {
    x: (at: number) => round(size.left + (at / (points - 1)) * width),
    y: (share: number) => round(size.top + (1 - Math.min(share, top) / top) * height),
  };
}

/** A share at or above the highest one that reads well on an axis. */
function niceTop(highest: number): number {
  const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1];
  return steps.find((step) => step >= highest) ?? highest;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
