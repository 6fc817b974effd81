/** The look that drawings share. Colours are theme tokens only. */
export const PLOT_CSS = `
.fg-plot { display: grid; grid-template: auto minmax(0, 1fr) / minmax(0, 1fr) auto; gap: 8px; height: 100%; min-height: 0; padding: 10px 12px; background: var(--fg-bg); position: relative; }
.fg-plot > .toolbar { grid-column: 1 / -1; }
.fg-plot .toolbar { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 14px; }
.fg-plot > .toolbar { position: relative; z-index: 10; }
.fg-plot .toolbar .part { display: flex; align-items: center; gap: 8px; max-width: 100%; }
.fg-plot .toolbar .search { width: 190px; }
.fg-plot[data-size="wide"] .toolbar .more { display: none; }
.fg-plot:not([data-size="wide"]) .toolbar:has(.more) .grow { flex: 1 1 130px; }
.fg-plot:not([data-size="wide"]) .toolbar:has(.more) .search { flex: 1 1 110px; width: 110px; }
.fg-plot:not([data-size="wide"]) .toolbar:has(.more):not([data-more="open"]) .extra { display: none; }
.fg-plot .toolbar fgnb-dropdown { min-width: 130px; max-width: 260px; }
.fg-plot .toolbar fgnb-checkbox { margin: 0; white-space: nowrap; }
.fg-plot .toolbar .tools { margin-left: auto; gap: 2px; flex-wrap: wrap; justify-content: flex-end; }
.fg-plot .toolbar .tools .pressed { background: var(--fg-list-active); color: var(--fg-list-active-text); border-radius: 5px; outline: 1px solid var(--fg-contrast-active); }
.fg-plot .toolbar .export { min-width: 96px; max-width: 110px; }
.fg-plot .toolbar .export::part(listbox) { left: auto; right: 0; width: max-content; }
.fg-plot .threshold { white-space: nowrap; }
.fg-plot .threshold input { width: 110px; }
.fg-plot .threshold .value { min-width: 2.4em; font-variant-numeric: tabular-nums; }
.fg-plot .hits { color: var(--fg-hit); font-weight: 600; font-variant-numeric: tabular-nums; }
.fg-plot .wrong { color: var(--fg-error); max-width: 32em; }
.fg-plot .hits:empty, .fg-plot .wrong:empty { display: none; }
.fg-plot .toolbar .linked { gap: 2px; border: 1px solid var(--fg-hit); border-radius: 10px; padding: 0 2px 0 9px; color: var(--fg-strong); max-width: min(320px, 100%); box-sizing: border-box; }
.fg-plot .toolbar .linked .text { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.fg-plot :is(.selection, .selection *)[hidden] { display: none; }
.fg-plot button.id.link { all: unset; cursor: pointer; color: var(--fg-link); }
.fg-plot button.id.link:hover { text-decoration: underline; }
.fg-plot button.id.link:focus-visible { outline: 1px solid var(--fg-focus); }
.fg-plot .selection { flex-wrap: wrap; gap: 4px; }
.fg-plot .selection .part { flex-wrap: wrap; gap: 4px; }
.fg-plot .selection fgnb-button.pressed { outline: 2px solid var(--fg-hit); }
.fg-plot .table-bar { display: flex; flex-wrap: wrap; gap: 2px 14px; align-items: center; }
.fg-plot .table-bar .summary { flex: 1; min-width: 8em; }
.fg-plot .maps { display: grid; grid-template: minmax(0, 1fr) auto / minmax(0, 1fr); gap: 6px; min-width: 0; min-height: 0; }
.fg-plot .stage { position: relative; min-height: 0; overflow: hidden; }
.fg-plot .stage canvas { position: absolute; inset: 0; width: 100%; height: 100%; }
.fg-plot .stage .overlay { z-index: 1; pointer-events: none; }
.fg-plot .layer { position: absolute; z-index: 2; border: 1px solid var(--fg-border); border-radius: 4px; touch-action: none; cursor: grab; overflow: hidden; }
.fg-plot .layer:active { cursor: grabbing; }
.fg-plot .layer.pick { cursor: pointer; }
.fg-plot .stage[data-tool="box"] .layer, .fg-plot .stage[data-tool="lasso"] .layer { cursor: crosshair; }
.fg-plot .layer:focus-visible { outline: 2px solid var(--fg-focus); outline-offset: -2px; }
.fg-plot .caption { position: absolute; inset: 8px 8px auto 10px; display: flex; flex-wrap: wrap; gap: 0 8px; align-items: baseline; pointer-events: none; }
.fg-plot .caption .title { font-weight: 600; color: var(--fg-strong); display: flex; min-width: 0; overflow: hidden; white-space: pre; max-width: calc(100% - 2.4em); }
.fg-plot .caption :is(.title, .counts) { background: color-mix(in srgb, var(--fg-bg) 88%, transparent); border-radius: 3px; padding: 0 3px; }
.fg-plot .caption .title span { flex: none; }
.fg-plot .caption .title .cut { flex: 0 1 auto; min-width: 1.2em; overflow: hidden; text-overflow: ellipsis; }
.fg-plot .caption .counts { color: var(--fg-muted); font-size: 0.9em; white-space: nowrap; font-variant-numeric: tabular-nums; }
.fg-plot .caption .title, .fg-plot .caption .counts { text-shadow: 0 0 3px var(--fg-bg), 0 0 3px var(--fg-bg), 0 0 6px var(--fg-bg); }
.fg-plot .badge { display: inline-block; flex: none; min-width: 1.5em; text-align: center; padding: 0 4px; border-radius: 3px; font-weight: 700; line-height: 1.5; color: var(--fg-bg); background: var(--fg-a); }
.fg-plot .badge.set1 { background: var(--fg-b); }
.fg-plot .foot { display: flex; min-width: 0; gap: 4px 16px; align-items: center; color: var(--fg-muted); font-size: 0.92em; min-height: 18px; }
.fg-plot .legend { flex: none; max-width: 72%; display: flex; flex-wrap: wrap; gap: 2px 14px; max-height: 5.6em; overflow: auto; }
.fg-plot .legend .item { display: inline-flex; align-items: center; gap: 6px; white-space: nowrap; }
.fg-plot .legend .scale { align-items: flex-end; }
.fg-plot .legend .bars { display: grid; width: 168px; }
.fg-plot .legend .histogram { display: flex; align-items: flex-end; gap: 1px; height: 15px; }
.fg-plot .legend .bar { flex: 1; min-width: 0; }
.fg-plot .legend .gradient { width: auto; height: 7px; border-radius: 1px; border: 0; outline: 1px solid var(--fg-contrast); }
.fg-plot .legend .what { color: var(--fg-strong); font-weight: 600; }
.fg-plot .legend .bar.out { opacity: 0.2; }
.fg-plot .legend .bars { position: relative; }
.fg-plot .legend .ends { position: absolute; inset: auto -5px -5px -5px; height: 16px; }
.fg-plot .legend .end { position: absolute; inset: 0; width: 100%; margin: 0; pointer-events: none; --fg-range-track: transparent; }
.fg-plot .legend .end::-webkit-slider-thumb { pointer-events: auto; width: 10px; height: 14px; border-radius: 3px; border: 1px solid var(--fg-bg); background: var(--fg-text); }
.fg-plot .legend button.item { all: unset; box-sizing: border-box; display: inline-flex; align-items: center; gap: 6px; cursor: pointer; border-radius: 3px; padding: 0 3px; }
.fg-plot .legend button.item:hover { background: var(--fg-list-hover); }
.fg-plot .legend button.item:focus-visible { outline: 1px solid var(--fg-focus); }
.fg-plot .legend button.item[aria-pressed="true"] { background: var(--fg-list-active); color: var(--fg-list-active-text); outline: 1px solid var(--fg-contrast-active); }
.fg-plot .legend.chosen button.item[aria-pressed="false"] { opacity: 0.55; }
.fg-plot .gradient { width: 110px; height: 9px; border-radius: 2px; border: 1px solid var(--fg-border); }
@media (forced-colors: active) { .fg-plot :is(.bar, .gradient, .swatch, .badge) { forced-color-adjust: none; } }
.fg-plot .swatch { width: 10px; height: 10px; background: var(--c); flex: none; }
.fg-plot .swatch.disc { border-radius: 50%; }
.fg-plot .swatch.hollow { background: none; border: 2px solid var(--c); }
.fg-plot .foot .provenance { margin-left: auto; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.fg-plot .foot.whole { flex-wrap: wrap; }
.fg-plot .foot.whole .provenance { margin-left: 0; white-space: normal; }
.fg-plot .notice { position: absolute; inset: 0; display: grid; place-content: center; justify-items: center; gap: 10px; text-align: center; padding: 20px; color: var(--fg-muted); }
.fg-plot .notice.error { color: var(--fg-error); }
.fg-plot .pane { width: 410px; min-width: 0; min-height: 0; display: flex; flex-direction: column; border: 1px solid var(--fg-border); border-radius: 4px; overflow: hidden; background: var(--fg-bg); }
.fg-plot .tabs { display: flex; gap: 2px; padding: 0 8px; border-bottom: 1px solid var(--fg-border); flex: none; }
.fg-plot .tabs button { background: none; border: 0; border-bottom: 2px solid transparent; padding: 7px 8px 5px; color: var(--fg-muted); font: inherit; cursor: pointer; }
.fg-plot .tabs button[aria-selected="true"] { color: var(--fg-strong); border-bottom-color: var(--fg-focus); font-weight: 600; }
.fg-plot .pairs { display: flex; flex-direction: column; flex: 1; min-height: 0; }
.fg-plot .summary { margin: 6px 10px; color: var(--fg-muted); font-variant-numeric: tabular-nums; }
.fg-plot .details { overflow: auto; padding: 8px 10px; display: grid; gap: 10px; align-content: start; flex: 1; min-height: 0; }
.fg-grid { display: flex; flex-direction: column; flex: 1; min-height: 0; --label: 0px; }
.fg-grid.scrolls { overflow-x: auto; --label: 7em; }
.fg-grid.scrolls > * { min-width: var(--least); }
.fg-grid .head, .fg-grid .row { display: grid; gap: 8px; padding: 0 10px; align-items: center; }
.fg-grid .head { border-bottom: 1px solid var(--fg-border); flex: none; scrollbar-gutter: stable; overflow-y: hidden; }
.fg-grid .head button { all: unset; cursor: pointer; font-weight: 600; color: var(--fg-strong); padding: 3px 0; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.fg-grid .head button.numeric { text-align: right; }
.fg-grid .head button:focus-visible { outline: 1px solid var(--fg-focus); }
.fg-grid .head [aria-sort="ascending"]::after { content: " ▲"; font-size: 0.7em; }
.fg-grid .head [aria-sort="descending"]::after { content: " ▼"; font-size: 0.7em; }
.fg-grid .numeric { text-align: right; font-variant-numeric: tabular-nums; }
.fg-grid .body { flex: 1; min-height: 60px; overflow-y: auto; position: relative; scrollbar-gutter: stable; }
.fg-grid .spacer { position: relative; }
.fg-grid .row { position: absolute; left: 0; right: 0; height: 24px; cursor: pointer; color: var(--fg-text); }
.fg-grid .row span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.fg-grid .row:hover { background: var(--fg-list-hover); }
.fg-grid .row.pinned { background: var(--fg-list-active); color: var(--fg-list-active-text); font-weight: 600; }
.fg-grid .row.pinned { box-shadow: inset 3px 0 0 var(--fg-focus); }
.fg-grid .body:focus-visible .row.active { outline: 1px solid var(--fg-focus); outline-offset: -1px; }
.fg-plot .pin { border: 1px solid var(--fg-border); border-radius: 4px; padding: 6px 10px 10px; background: var(--fg-surface); }
.fg-plot .pin header { display: flex; align-items: center; gap: 4px; float: right; }
.fg-plot .pin .number { background: var(--fg-strong); color: var(--fg-bg); border-radius: 9px; min-width: 18px; padding: 0 5px; text-align: center; font-weight: 700; font-size: 0.85em; line-height: 18px; }
.fg-plot .fg-tooltip { position: fixed; inset: auto; margin: 0; padding: 10px 12px; box-sizing: border-box; width: max-content; max-width: min(690px, calc(100vw - 16px)); max-height: calc(100vh - 16px); overflow: hidden; color: var(--fg-text); background: var(--vscode-editorHoverWidget-background, var(--fg-surface)); border: 1px solid var(--vscode-editorHoverWidget-border, var(--fg-border)); border-radius: 4px; box-shadow: 0 4px 18px rgba(0, 0, 0, 0.28); pointer-events: none; font: inherit; line-height: 1.4; }
.fg-plot .fg-tooltip .examples { min-height: 5.4em; }
.fg-plot .help { position: absolute; z-index: 3; right: 8px; bottom: 8px; color: var(--fg-muted); font-size: 0.88em; pointer-events: none; opacity: 0; }
.fg-plot .layer:hover .help, .fg-plot .layer:focus-visible .help { opacity: 1; }
.fg-plot[data-size="medium"] { grid-template: auto minmax(220px, 1fr) minmax(0, 36%) / minmax(0, 1fr); }
.fg-plot[data-size="medium"] .pane, .fg-plot[data-size="narrow"] .pane { width: auto; }
.fg-plot[data-size="medium"] .details { grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); }
.fg-plot[data-size="narrow"] { grid-template: auto minmax(320px, 1fr) minmax(0, 34%) / minmax(0, 1fr); padding: 8px; }
.fg-plot[data-size="narrow"] .caption .counts { display: none; }
.fg-plot[data-size="narrow"] .foot { flex-wrap: wrap; }
.fg-plot[data-size="narrow"] .legend { max-width: none; }
.fg-plot[data-pane="closed"][data-size] { grid-template: auto minmax(0, 1fr) auto / minmax(0, 1fr); }
.fg-plot[data-pane="closed"][data-size="wide"] { grid-template: auto minmax(0, 1fr) / minmax(0, 1fr) auto; }
.fg-plot[data-pane="closed"] .pane > :not(.tabs) { display: none; }
.fg-plot[data-pane="closed"][data-size] .pane { width: auto; }
.fg-plot[data-pane="closed"] .tabs { border: 0; }
.fg-plot[data-pane="closed"] .tabs button { border: 0; padding: 4px 8px; }
.fg-plot[data-pane="closed"][data-size="wide"] .tabs { writing-mode: vertical-rl; padding: 8px 0; }
.fg-plot[data-pane="closed"][data-size="wide"] .tabs button { padding: 8px 4px; }
.fg-plot.compact { padding: 6px 0 2px; height: 420px; }
.fg-plot.compact[data-size="narrow"] { height: 640px; }
.fg-plot.compact:not([data-pane="closed"])[data-size="medium"] { height: 700px; }
.fg-plot.compact:not([data-pane="closed"])[data-size="narrow"] { height: 900px; }
@media (max-height: 520px) { .fg-plot:not(.compact, [data-pane="closed"])[data-size="medium"], .fg-plot:not(.compact, [data-pane="closed"])[data-size="narrow"] { grid-template-rows: auto minmax(140px, 1fr) minmax(0, 30%); } }
.fg-plot > .paper { display: none; }
.fg-plot > .paper > * { display: block; width: 100%; height: auto; max-height: 100vh; }
@media print { .fg-plot > :not(.paper) { display: none !important; } .fg-plot > .paper { display: block; } .fg-plot.fg-plot { display: block; height: auto !important; padding: 0; break-inside: avoid; } }
`;
