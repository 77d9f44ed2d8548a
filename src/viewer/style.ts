/** The one style sheet of the viewer: light and dark as the reader's system has it, and plain on paper. */
export const styleSheet = `
:root {
  color-scheme: light dark;
  --ground: #f6f7f8; --sheet: #ffffff; --ink: #1b2126; --soft: #55606a; --edge: #d5dbe0; --strong-edge: #7b8791;
  --accent: #0b5cad; --accent-ground: #e7f0f9; --good: #1c6b3a; --warn: #8a4b00; --bad: #a91b24;
  --warn-ground: #fff4e0; --bad-ground: #fdeaec; --good-ground: #e8f5ec;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14181c; --sheet: #1d2328; --ink: #e6eaed; --soft: #a5b0b9; --edge: #353e46; --strong-edge: #75828d;
    --accent: #7db7f0; --accent-ground: #1d3247; --good: #7fd19b; --warn: #f0b866; --bad: #ff9aa0;
    --warn-ground: #3a2c14; --bad-ground: #40191c; --good-ground: #17321f;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: .5rem; background: var(--sheet); padding: .5rem; z-index: 1; }
header { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: center; padding: .6rem 1.5rem; background: var(--sheet); border-bottom: 1px solid var(--edge); }
header .name { margin: 0; font-weight: 650; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem; margin: 0; padding: 0; list-style: none; }
nav a { display: block; padding: .3rem .7rem; border-radius: .4rem; text-decoration: none; }
nav a[aria-current] { background: var(--accent-ground); font-weight: 600; }
.tools { display: flex; gap: 1rem; align-items: center; margin-left: auto; }
.tools form { display: flex; gap: .6rem; align-items: center; color: var(--soft); }
main { max-width: 76rem; margin: 0 auto; padding: 1rem 1.5rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0 1rem; }
h2 { font-size: 1.2rem; margin: 0 0 .6rem; }
h3 { font-size: 1rem; margin: 0 0 .4rem; }
section > :last-child { margin-bottom: 0; }
section { background: var(--sheet); border: 1px solid var(--edge); border-radius: .6rem; padding: 1rem 1.2rem; margin: 0 0 1.2rem; }
.soft, .help { color: var(--soft); }
.help { margin: 0 0 .8rem; font-size: .92rem; max-width: 60rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid var(--edge); }
thead th { color: var(--soft); font-weight: 600; white-space: nowrap; }
thead th::first-letter, figcaption::first-letter, h3::first-letter { text-transform: uppercase; }
tbody th { font-weight: 500; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.id { white-space: nowrap; }
code, .code { font: .88em ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
dl.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .25rem 1.2rem; margin: 0; }
dl.facts dt { color: var(--soft); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
.count { margin-right: .8rem; }
table.read th[scope=row] { width: 34%; }
p.bare { font-size: .92rem; }
ol.plain { margin: .2rem 0 .6rem; padding-left: 1.6rem; }
form.filters { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .7rem 1rem; align-items: end; }
label { display: grid; gap: .15rem; font-size: .88rem; color: var(--soft); }
input, select, button { font: inherit; color: var(--ink); background: var(--sheet); border: 1px solid var(--strong-edge); border-radius: .4rem; padding: .3rem .55rem; height: 2.3rem; min-width: 0; width: 100%; }
button { width: auto; cursor: pointer; }
form.filters .actions { margin: 0; min-height: 2.3rem; }
button.main { background: var(--accent); border-color: var(--accent); color: var(--sheet); font-weight: 600; }
.actions { display: flex; flex-wrap: wrap; gap: .7rem; align-items: center; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 0; padding: 0; list-style: none; }
.figures strong { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.badge { display: inline-block; padding: 0 .5rem; border-radius: 1rem; border: 1px solid currentColor; font-size: .82rem; font-weight: 600; white-space: nowrap; }
.badge.met, .badge.accepted, .badge.present { color: var(--good); background: var(--good-ground); }
.badge.unknown, .badge.warning, .badge.overridden, .badge.truncated, .badge.missing, .badge.changed { color: var(--warn); background: var(--warn-ground); }
.badge.error, .badge.critical, .badge.failed, .badge.lost { color: var(--bad); background: var(--bad-ground); }
.badge.not-met, .badge.empty, .badge.ignored, .badge.awaiting, .badge.absent { color: var(--soft); }
.badge.info, .badge.gained { color: var(--accent); background: var(--accent-ground); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 1.2rem; align-items: start; }
.columns > * { min-width: 0; }
.columns > section { margin: 0; }
.columns { margin-bottom: 1.2rem; }
figure.chart { margin: 0 0 1rem; }
figure.chart figcaption { font-weight: 600; margin-bottom: .3rem; }
figure.chart figcaption span { font-weight: 400; font-size: .85rem; color: var(--soft); }
figure.chart svg { width: 100%; height: auto; min-width: 32rem; max-width: 48rem; }
svg .grid { stroke: var(--edge); }
svg .axis { fill: var(--soft); font-size: 12px; }
svg path.line { fill: none; stroke: var(--accent); stroke-width: 2; }
svg .point { fill: var(--accent); }
svg .mean { stroke: var(--good); stroke-width: 1.5; }
svg .limit { fill: none; stroke: var(--soft); stroke-dasharray: 4 3; }
svg path.outside { fill: var(--bad); }
svg .version { stroke: var(--warn); stroke-width: 2; stroke-dasharray: 2 2; }
svg.spark { width: 120px; height: 24px; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .2rem 0 .4rem; font-size: .85rem; color: var(--soft); }
.key::before { content: ""; display: inline-block; width: 1.4rem; margin-right: .4rem; vertical-align: middle; border-top: 2px solid var(--accent); }
.key.mean::before { border-color: var(--good); }
.key.limit::before { border-top-style: dashed; border-color: var(--soft); }
.key.version::before { border-top-style: dotted; border-color: var(--warn); }
.key.outside::before { width: .6rem; height: .6rem; border: 0; background: var(--bad); transform: rotate(45deg); }
article.card { border: 1px solid var(--edge); border-left: .35rem solid var(--accent); border-radius: .4rem; padding: .8rem 1rem; margin: 0 0 1rem; }
article.card.warning { border-left-color: var(--warn); }
article.card.critical { border-left-color: var(--bad); }
article.card > :first-child { margin-top: 0; }
article.card > :last-child { margin-bottom: 0; }
article.card h3 { font-size: 1.05rem; }
.detail { max-width: 52rem; }
.detail p, .detail ul { margin: .4rem 0; }
ul.plain { margin: .2rem 0; padding-left: 1.2rem; }
details > summary { cursor: pointer; padding: .25rem 0; }
h3:not(:first-of-type) { margin-top: 1.2rem; }
details.decision { border-bottom: 1px solid var(--edge); padding: .15rem 0; }
details.decision > summary .id { display: inline-block; min-width: 4.6rem; font-weight: 600; }
details.decision > summary .soft { font-size: .88rem; }
details.decision > div { padding: .3rem 0 .8rem 1.2rem; }
.wrong { color: var(--bad); font-weight: 600; }
.login { max-width: 26rem; }
.login form { display: grid; gap: .8rem; }
@media (max-width: 40rem) { main, header { padding-left: .8rem; padding-right: .8rem; } dl.facts { grid-template-columns: minmax(0, 1fr); } .columns { grid-template-columns: 1fr; } }
@media print {
  :root {
    color-scheme: light;
    --ground: #fff; --sheet: #fff; --ink: #000; --soft: #333; --edge: #999; --strong-edge: #666;
    --accent: #0b5cad; --accent-ground: #fff; --good: #1c6b3a; --warn: #8a4b00; --bad: #a91b24;
    --warn-ground: #fff; --bad-ground: #fff; --good-ground: #fff;
  }
  header nav, .tools, .skip, form.filters, .actions { display: none; }
  main { max-width: none; padding: 0; }
  section { border: 0; padding: 0; }
  section, figure.chart, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; }
  .columns { display: block; }
  section.long { break-inside: auto; }
  details.decision.met::details-content { content-visibility: visible; }
}
`;
