/** Styles of the feature page. Colours are theme tokens only. */
export const FEATURE_CSS = `
.fg-feature { container-type: inline-size; color: var(--fg-text); background: var(--fg-bg); }
.fg-feature.full { height: 100%; overflow: auto; }
.fg-feature .sheet { padding: 10px 16px 20px; max-width: 1500px; margin: 0 auto; position: relative; }
.fg-feature.compact .sheet { border: 1px solid var(--fg-border); border-radius: 6px; padding: 8px 12px 12px; }
.fg-feature.bounded .sheet { max-height: 760px; overflow: auto; }
.fg-feature .bar { display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: center; position: sticky; top: 0; z-index: 2; background: var(--fg-bg); padding: 4px 0 6px; }
.fg-feature.bounded .bar { top: -8px; }
.fg-feature.compact:not(.bounded) .bar { position: static; }
.fg-feature .bar .part { display: flex; gap: 4px; align-items: center; }
.fg-feature .bar .finder { position: relative; flex: 0 1 260px; min-width: 150px; }
.fg-feature .bar .finder fgnb-text-field { width: 100%; }
.fg-feature .bar .place { color: var(--fg-muted); font-variant-numeric: tabular-nums; white-space: nowrap; }
.fg-feature .bar .actions { margin-left: auto; }
.fg-feature .bar .link { display: flex; gap: 6px; align-items: center; }
.fg-feature .bar .told { color: var(--fg-muted); }
.fg-feature .hits { position: absolute; z-index: 3; top: 100%; left: 0; right: 0; min-width: 260px; margin: 2px 0 0; padding: 4px; list-style: none; background: var(--fg-menu-bg); border: 1px solid var(--fg-border); border-radius: 4px; box-shadow: 0 4px 18px rgba(0, 0, 0, 0.28); max-height: 300px; overflow: auto; }
.fg-feature .hits li { padding: 2px 6px; display: flex; }
.fg-feature .hits li:hover { background: var(--fg-list-hover); }
.fg-feature .box.ask { margin: 4px 0 10px; }
.fg-feature .head { margin: 4px 0 12px; }
.fg-feature .head h2 { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: center; font-size: 1.2em; font-weight: 600; margin: 0 0 4px; color: var(--fg-strong); }
.fg-feature .head .number { font-size: 1.35em; font-variant-numeric: tabular-nums; }
.fg-feature .where { color: var(--fg-muted); margin: 0; overflow-wrap: anywhere; }
.fg-feature .where code { font-family: var(--fg-mono); font-size: 0.95em; background: none; padding: 0; color: inherit; }
.fg-feature .facts { color: var(--fg-muted); margin: 3px 0 0; font-variant-numeric: tabular-nums; }
.fg-feature .remark { margin: 6px 0 0; padding: 3px 10px; border-left: 3px solid var(--fg-hover); color: var(--fg-strong); overflow-wrap: anywhere; }
.fg-feature .columns { display: grid; grid-template-columns: minmax(0, 1.15fr) minmax(0, 1fr); gap: 12px; align-items: start; }
.fg-feature .main, .fg-feature .aside { display: grid; gap: 12px; min-width: 0; align-items: start; }
.fg-feature .aside { grid-template-columns: repeat(auto-fill, minmax(min(100%, 225px), 1fr)); }
.fg-feature .box { background: var(--fg-surface); border: 1px solid var(--fg-border); border-radius: 6px; padding: 8px 12px 10px; min-width: 0; }
.fg-feature .box.wide { grid-column: 1 / -1; }
.fg-feature .line .name .fg-chip { max-width: 100%; }
.fg-feature h3 { display: flex; flex-wrap: wrap; gap: 0 10px; align-items: baseline; font-size: 1em; font-weight: 600; color: var(--fg-strong); margin: 0 0 6px; }
.fg-feature h3 .note { font-weight: 400; font-size: 0.88em; color: var(--fg-muted); }
.fg-feature h4 { font-size: 0.88em; font-weight: 600; color: var(--fg-muted); margin: 8px 0 2px; font-variant-numeric: tabular-nums; }
.fg-feature .band:first-of-type h4 { margin-top: 0; }
.fg-feature .fg-example.opens { cursor: pointer; border-radius: 3px; }
.fg-feature .fg-example.opens:hover { background: var(--fg-list-hover); }
.fg-feature .histogram { display: flex; align-items: flex-end; gap: 1px; height: 84px; border-bottom: 1px solid var(--fg-border); }
.fg-feature .tower { flex: 1; min-width: 1px; background: var(--fg-a); }
.fg-feature .axis { display: flex; justify-content: space-between; gap: 8px; color: var(--fg-muted); font-size: 0.88em; margin-top: 2px; font-variant-numeric: tabular-nums; }
.fg-feature .lines { list-style: none; margin: 0; padding: 0; display: grid; gap: 2px 8px; grid-template-columns: minmax(0, 1fr) minmax(20px, 60px) max-content; }
.fg-feature .line { display: grid; grid-column: 1 / -1; grid-template-columns: subgrid; align-items: center; }
.fg-feature .line .name { min-width: 0; overflow: hidden; display: flex; }
.fg-feature .track { height: 6px; border-radius: 3px; background: color-mix(in srgb, var(--fg-text) 12%, transparent); overflow: hidden; }
.fg-feature .track .share { display: block; height: 100%; background: var(--fg-a); }
.fg-feature .up .track .share { background: var(--fg-added); }
.fg-feature .down .track .share { background: var(--fg-removed); }
.fg-feature .figures { color: var(--fg-muted); font-variant-numeric: tabular-nums; font-size: 0.92em; text-align: right; }
.fg-feature .counterpart + .counterpart { margin-top: 10px; border-top: 1px solid var(--fg-border); padding-top: 8px; }
.fg-feature .pair { display: flex; gap: 10px; align-items: baseline; margin: 0; min-width: 0; }
.fg-feature .pair strong { color: var(--fg-strong); font-variant-numeric: tabular-nums; flex: none; }
.fg-feature .places { display: flex; flex-wrap: wrap; gap: 10px; }
.fg-feature figure { margin: 0; max-width: 220px; }
.fg-feature figcaption { color: var(--fg-muted); font-size: 0.85em; overflow-wrap: anywhere; }
.fg-feature canvas.place { border: 1px solid var(--fg-border); border-radius: 4px; background: var(--fg-bg); display: block; max-width: 100%; }
.fg-feature button.lights { all: unset; cursor: pointer; display: block; border-radius: 4px; }
.fg-feature button.lights:is(:hover, :focus-visible) { outline: 2px solid var(--fg-focus); }
.fg-feature .notice { padding: 20px; color: var(--fg-muted); }
.fg-feature .notice.error { color: var(--fg-error); }
.fg-feature[data-theme^="hc"] :is(.tower, .track) { outline: 1px solid var(--fg-border); forced-color-adjust: none; }
@media (forced-colors: active) { .fg-feature :is(.tower, .track, .share) { forced-color-adjust: none; } }
@container (max-width: 760px) { .fg-feature .columns { grid-template-columns: minmax(0, 1fr); } }
@media print { .fg-feature .bar { display: none; } .fg-feature .sheet { max-height: none !important; overflow: visible; } }
`;
