/** The look of the page: light, dark by the reader's wish, and light on paper. Contrasts are checked by a test (axe). */
const LIGHT = `
  color-scheme: light;
  --paper: #ffffff; --raised: #f4f6f9; --line: #d5dbe3; --ink: #17202c; --quiet: #4e5b6c;
  --accent: #1a5fb4; --accent-soft: #c9dcf5; --wait: #8a5a00;
  --good: #12653a; --good-soft: #dcf2e4; --care: #7a4b00; --care-soft: #fdeccb; --bad: #a01722; --bad-soft: #fbdfe1;`;
const DARK = `
  color-scheme: dark;
  --paper: #12161c; --raised: #1b212a; --line: #38424f; --ink: #e8edf3; --quiet: #a9b5c4;
  --accent: #7fb2ff; --accent-soft: #23406b; --wait: #f0b64b;
  --good: #7fdda4; --good-soft: #17392a; --care: #f6c667; --care-soft: #3d2f12; --bad: #ff9aa2; --bad-soft: #451c21;`;

export const STYLE = `
:root {${LIGHT}
}
@media (prefers-color-scheme: dark) { :root {${DARK}
} }
@media print { :root {${LIGHT}
} }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, header, footer { max-width: 64rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2.5rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: .25rem 0 .75rem; text-wrap: balance; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 0 0 .75rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
p { margin: 0 0 .75rem; max-width: 46rem; }
section { margin-top: 2.75rem; }
code { font: .875em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
pre { background: var(--raised); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; white-space: pre-wrap; overflow-wrap: anywhere; font: .8rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; margin: 0; }
.kicker, .nothing, footer, caption, .small { color: var(--quiet); }
.kicker { margin: 0; font-size: .95rem; }
.lead { font-size: 1.1rem; }
.badge { display: inline-block; padding: .05rem .55rem; border-radius: 99px; font-size: .85rem; font-weight: 600; white-space: nowrap; border: 1px solid currentColor; }
.badge.good { color: var(--good); background: var(--good-soft); }
.badge.care { color: var(--care); background: var(--care-soft); }
.badge.bad { color: var(--bad); background: var(--bad-soft); }
.badge.plain { color: var(--quiet); background: var(--raised); }
dl.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(11.5rem, 1fr)); gap: .75rem; margin: 1.5rem 0 0; }
dl.figures > div { background: var(--raised); border: 1px solid var(--line); border-radius: 10px; padding: .8rem 1rem; }
dl.figures dt { color: var(--quiet); font-size: .85rem; }
dl.figures dd { margin: 0; font-size: 1.35rem; font-weight: 650; line-height: 1.3; overflow-wrap: anywhere; }
dl.figures dd.small { font-size: .85rem; font-weight: 400; line-height: 1.45; margin-top: .15rem; }
nav ol { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; list-style: none; padding: 0; margin: 1.5rem 0 0; font-size: .95rem; }
a { color: var(--accent); }
table { width: 100%; border-collapse: collapse; font-size: .92rem; margin: .5rem 0 1rem; }
caption { text-align: left; font-size: .85rem; padding-bottom: .4rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
thead th { color: var(--quiet); font-weight: 600; font-size: .85rem; border-bottom-width: 2px; overflow-wrap: normal; }
tbody th { font-weight: 600; }
table.compare { table-layout: fixed; }
table.compare th:first-child { width: 9.5rem; color: var(--quiet); }
table.checks th:first-child { width: 13rem; }
table.checks th:nth-child(2) { width: 8.5rem; }
table.steps th:first-child { width: 10rem; }
table.steps td:nth-child(2), table.steps td:nth-child(3) { white-space: nowrap; }
ul { margin: 0 0 1rem; padding-left: 1.2rem; }
li { margin-bottom: .3rem; }
blockquote { margin: .2rem 0 0; padding-left: .8rem; border-left: 3px solid var(--accent-soft); }
figure { margin: .5rem 0 1.25rem; }
figcaption { color: var(--quiet); font-size: .9rem; margin-top: .4rem; max-width: 46rem; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }
svg text { fill: var(--ink); }
svg .quiet { fill: var(--quiet); }
svg .phase { font-weight: 650; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .band { fill: var(--raised); }
svg .bar { fill: var(--accent); }
svg .bar.failed { fill: var(--bad); }
svg .bar.running { fill: var(--wait); }
svg .total { fill: var(--accent-soft); }
svg .mark { fill: var(--wait); stroke: var(--paper); stroke-width: 1; }
svg .line { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; }
svg .area { fill: var(--accent-soft); opacity: .6; }
svg .dot { fill: var(--accent); }
svg .cut { stroke: var(--wait); stroke-width: 1.5; stroke-dasharray: 4 3; }
footer { margin-top: 3rem; padding-top: 1rem; padding-bottom: 3rem; font-size: .9rem; border-top: 1px solid var(--line); }
@media (max-width: 40rem) {
  main, header, footer { padding-left: 1rem; padding-right: 1rem; }
  h1 { font-size: 1.5rem; }
  table.compare th:first-child { width: 6rem; }
  table.compare .badge { white-space: normal; border-radius: 10px; }
  table.checks th:first-child, table.steps th:first-child { width: 7.5rem; }
  table.checks th:nth-child(2) { width: 6.5rem; }
  table.steps td:nth-child(2), table.steps td:nth-child(3) { white-space: normal; }
}
@media print {
  @page { margin: 16mm 14mm; }
  body { font-size: 10.5pt; }
  main, header, footer { max-width: none; padding: 0; }
  nav { display: none; }
  h2, h3 { break-after: avoid; }
  figure, tr, dl.figures > div, li { break-inside: avoid; }
  section { margin-top: 1.75rem; }
  svg .bar, svg .area, svg .total, .badge, dl.figures > div { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
