/** The look of an exported report, on screen and on paper. */
export const REPORT_CSS = `
html { scroll-padding-top: 16px; }
body { margin: 0; }
#app.fg-root { --fg-size: 15px; background: var(--fg-bg); min-height: 100vh; line-height: 1.6; display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1120px) minmax(0, 1fr); }
#app.with-toc { grid-template-columns: minmax(190px, 1fr) minmax(0, 1120px) minmax(0, 1fr); }
#app > article { grid-column: 2; padding: 28px 24px 64px; min-width: 0; }
#app h1, #app h2, #app h3, #app h4 { color: var(--fg-strong); line-height: 1.25; }
#app .md > h1, #app > article > .title { font-size: 1.9em; margin: 0.4em 0 0.5em; }
#app .md > h2 { font-size: 1.4em; margin: 1.6em 0 0.5em; }
#app .md > h3 { font-size: 1.15em; margin: 1.4em 0 0.4em; }
#app .md > p, #app .md li { max-width: 74ch; }
#app .md li > p { margin: 0; }
#app a { color: var(--fg-link); }
#app code, #app pre { font-family: var(--fg-mono); font-size: 0.88em; }
#app .md code { background: var(--fg-code-bg); padding: 1px 4px; border-radius: 3px; }
#app .md pre code { padding: 0; background: none; }
#app pre { background: var(--fg-code-bg); border: 1px solid var(--fg-contrast); border-radius: 4px; padding: 10px 14px; overflow-x: auto; margin: 0; line-height: 1.5; white-space: pre; tab-size: 2; }
#app .md pre { margin: 0.8em 0; }
#app blockquote { margin: 1em 0; padding: 0 1em; border-left: 3px solid var(--fg-border); color: var(--fg-muted); }
#app .md table { border-collapse: collapse; }
#app .md th, #app .md td { border: 1px solid var(--fg-border); padding: 3px 10px; }
#app .md .scroll { overflow-x: auto; }
#app hr { border: 0; border-top: 1px solid var(--fg-border); }
#app .top { display: flex; gap: 12px; align-items: center; color: var(--fg-muted); font-size: 0.87em; flex-wrap: wrap; }
#app .top .grow { flex: 1; }
#app .cell { margin: 18px 0; }
#app details > summary { cursor: pointer; color: var(--fg-muted); font-size: 0.84em; padding: 2px 0; font-variant-numeric: tabular-nums; }
#app .outputs { margin-top: 8px; display: grid; gap: 10px; min-width: 0; }
#app .output { min-width: 0; font-size: 13px; line-height: 1.45; }
#app .output pre { background: none; border: 0; border-left: 3px solid var(--fg-border); border-radius: 0; padding: 2px 12px; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 480px; overflow: auto; font-size: 12.5px; }
#app .output pre.stderr { border-left-color: var(--fg-heat); }
#app .output pre.error { border-left-color: var(--fg-error); color: var(--fg-error); }
#app .output img, #app .md img { max-width: 100%; }
#app .output .fg-plot { height: 660px; }
#app .output .fg-plot:not([data-pane="closed"])[data-size="medium"] { height: 860px; }
#app .output .fg-plot[data-size="narrow"] { height: 900px; }
#app .t-comment { color: var(--fg-muted); font-style: italic; }
#app .t-string { color: var(--fg-removed); }
#app .t-number { color: var(--fg-added); }
#app .t-keyword { color: var(--fg-link); }
#app .t-call { color: var(--fg-strong); font-weight: 600; }
#app .toc { grid-column: 1; grid-row: 1; position: sticky; top: 0; align-self: start; max-height: 100vh; overflow: auto; padding: 32px 8px 24px 24px; font-size: 0.87em; justify-self: end; width: min(100%, 240px); }
#app .toc ol { list-style: none; margin: 6px 0 0; padding: 0; }
#app .toc a { color: var(--fg-muted); text-decoration: none; display: block; padding: 3px 0; line-height: 1.35; }
#app .toc a:hover { color: var(--fg-strong); text-decoration: underline; }
#app .toc .l3 { padding-left: 14px; }
@media (max-width: 1240px) { #app.with-toc { grid-template-columns: 0 minmax(0, 1fr) 0; } #app .toc { grid-column: 2; grid-row: auto; position: static; width: auto; justify-self: start; padding: 20px 24px 0; } }
@page { margin: 14mm 12mm; }
@media print { #app .top fgnb-dropdown, #app .toc { display: none; } #app .cell, #app .output { break-inside: avoid; } #app .cell.md:has(> :is(h1, h2, h3, h4):last-child), #app .md :is(h1, h2, h3, h4) { break-after: avoid; } #app { print-color-adjust: exact; -webkit-print-color-adjust: exact; } #app details:not([open]) > summary { display: none; } #app pre { white-space: pre-wrap; overflow-wrap: anywhere; } #app .output pre { max-height: none; } #app .md .scroll { overflow: visible; } #app > article { padding: 0; } }
`;
