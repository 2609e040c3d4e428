"""How the report looks: dark on light, readable on a screen and on A4 paper, without a line of script."""

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
html { font-size: 15px; }
body { margin: 0 auto; padding: 1.5rem; max-width: 62rem; background: #ffffff; color: #1b1e23;
  font: 1rem/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif; }
h1 { margin: 0 0 .2rem; font-size: 1.6rem; overflow-wrap: anywhere; }
h2 { margin: 1.8rem 0 .5rem; font-size: 1.15rem; }
p { margin: .4rem 0; }
.use { margin: .8rem 0; padding: .5rem .8rem; border: 2px solid #1b1e23; }
.warnings { margin: .8rem 0; padding: .5rem .8rem; border-left: .4rem solid #b45309; background: #fff7e6; }
.warnings h2 { margin: 0; font-size: 1rem; }
.warnings ul { margin: .2rem 0 0; padding-left: 1.2rem; }
.pictures { display: flex; gap: .8rem; align-items: flex-start; }
figure { flex: 1 1 0; min-width: 0; margin: .6rem 0; }
figure img { display: block; width: auto; height: auto; max-width: 100%; max-height: 62rem; }
figcaption { margin-top: .3rem; font-size: .85rem; color: #41464f; }
table { width: 100%; border-collapse: collapse; font-size: .87rem; font-variant-numeric: tabular-nums; }
caption { padding: 0 0 .4rem; text-align: left; font-weight: 600; font-size: 1.15rem; }
th, td { padding: .28rem .4rem; border-bottom: 1px solid #d4d8de; vertical-align: top; }
thead th { border-bottom: 2px solid #1b1e23; vertical-align: bottom; font-weight: 600; }
th { text-align: left; }
.figures th[scope=col]:not(:first-child), .figures td { text-align: right; }
.figures tbody th, .figures td { white-space: nowrap; }
.definitions { font-size: .82rem; }
.definitions tbody th[scope=row] { font-weight: 500; }
.definitions .group { padding-top: .8rem; border-bottom: 1px solid #1b1e23; }
.unit { display: block; font-weight: 400; color: #41464f; }
.scroll { margin-top: 1.6rem; overflow-x: auto; }
.doubt { background: #fff0cc; font-weight: 600; }
.none { color: #5b616b; }
.swatch { display: inline-block; width: .7em; height: .7em; margin-right: .4em; border: 1px solid #1b1e23; }
sup { line-height: 0; font-weight: 400; }
sup a { padding-left: .1em; color: inherit; }
.notes { margin: .4rem 0 0; padding: 0; list-style: none; font-size: .82rem; color: #41464f; }
.about th { width: 11rem; font-weight: 600; }
.about td { overflow-wrap: anywhere; }
footer { margin-top: 1.6rem; font-size: .82rem; color: #41464f; }
@page { size: A4; margin: 14mm 12mm; }
@media print {
  html { font-size: 9.5pt; }
  body { max-width: none; padding: 0; }
  .use, .warnings, .doubt, .swatch { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .pictures { break-inside: avoid; }
  figure img { max-height: 165mm; }
  tr, figure, .warnings { break-inside: avoid; }
  thead { display: table-header-group; }
  h2, caption { break-after: avoid; }
  .scroll { overflow: visible; break-inside: avoid; }
}
@media (max-width: 34rem) { .pictures { display: block; } }
""".strip()
"""CSS of the page."""
