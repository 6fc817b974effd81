/** Styles of the interventions panel. */
export const INTERVENTIONS_CSS = `
.fg-interventions { container-type: inline-size; color: var(--fg-text); background: var(--fg-bg); }
.fg-interventions.full { height: 100%; overflow: auto; }
.fg-interventions .body { padding: 12px 16px 20px; max-width: 1500px; margin: 0 auto; }
.fg-interventions:not(.full) .body { padding: 10px 12px 12px; border: 1px solid var(--fg-border); border-radius: 6px; }
.fg-interventions .head { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: center; margin-bottom: 10px; }
.fg-interventions h2 { font-size: 1.15em; font-weight: 600; margin: 0; color: var(--fg-strong); }
.fg-interventions .where { color: var(--fg-muted); flex: 1 1 200px; overflow-wrap: anywhere; }
.fg-interventions .where code { font-family: var(--fg-mono); font-size: 0.95em; background: none; padding: 0; color: inherit; }
.fg-interventions .actions { display: flex; gap: 4px; flex-wrap: wrap; }
.fg-interventions h3 { font-size: 0.85em; letter-spacing: 0.04em; text-transform: uppercase; font-weight: 600; color: var(--fg-muted); margin: 0 0 6px; }
.fg-interventions .columns { display: grid; grid-template-columns: minmax(0, 5fr) minmax(0, 6fr); gap: 14px; align-items: start; }
.fg-interventions .below { margin-top: 14px; }
.fg-interventions .texts + .line { margin-top: 12px; }
.fg-interventions .rows + table { margin-top: 12px; }
.fg-interventions .column { display: grid; gap: 14px; min-width: 0; grid-template-columns: minmax(0, 1fr); }
.fg-interventions .box { background: var(--fg-surface); border: 1px solid var(--fg-border); border-radius: 6px; padding: 10px 12px; min-width: 0; }
.fg-interventions .note { color: var(--fg-muted); font-size: 0.92em; margin: 6px 0 0; }
.fg-interventions .banner { border: 1px solid var(--fg-border); border-left: 3px solid var(--fg-hover); background: var(--fg-surface); padding: 6px 10px; margin: 0 0 10px; border-radius: 3px; }
.fg-interventions .banner.error { border-left-color: var(--fg-error); color: var(--fg-strong); }
.fg-interventions textarea, .fg-interventions input[type=number], .fg-interventions input[type=text] { font: inherit; color: var(--fg-input-text); background: var(--fg-input-bg); border: 1px solid var(--fg-input-border); border-radius: 3px; padding: 4px 6px; }
.fg-interventions textarea { display: block; width: 100%; min-height: 3.4em; resize: vertical; line-height: 1.45; }
.fg-interventions input[type=number] { width: 6.6em; font-variant-numeric: tabular-nums; }
.fg-interventions input:disabled, .fg-interventions textarea:disabled, .fg-interventions button:disabled { opacity: 0.6; cursor: not-allowed; }
.fg-interventions .rows { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 8px 10px; margin-top: 10px; align-items: baseline; }
.fg-interventions .rows .tag { color: var(--fg-muted); font-size: 0.9em; }
.fg-interventions .chips { display: flex; flex-wrap: wrap; gap: 3px 1px; line-height: 1.35; min-width: 0; }
.fg-interventions .chip { font: inherit; font-size: 1.05em; color: var(--fg-strong); white-space: pre; border: 1px solid transparent; border-radius: 3px; padding: 2px 1px 1px; margin: 0; background: none; border-bottom: 2px solid transparent; cursor: default; }
.fg-interventions button.chip { cursor: pointer; }
.fg-interventions button.chip:hover:not(:disabled) { border-color: var(--fg-hover); }
.fg-interventions .chip.chosen { border-color: var(--fg-a); border-bottom-color: var(--fg-a); }
.fg-interventions[data-theme^="hc"] .chip.on { border-color: var(--fg-heat); }
.fg-interventions .scale { display: inline-flex; align-items: center; gap: 6px; color: var(--fg-muted); font-size: 0.9em; margin-top: 8px; font-variant-numeric: tabular-nums; flex-wrap: wrap; }
.fg-interventions .ramp { width: 90px; height: 8px; border-radius: 4px; border: 1px solid var(--fg-border); background: linear-gradient(to right, transparent, color-mix(in srgb, var(--fg-heat) 75%, transparent)); }
.fg-interventions .hits { list-style: none; margin: 6px 0 0; padding: 0; max-height: 12.4em; overflow: auto; border: 1px solid var(--fg-border); border-radius: 3px; background: var(--fg-bg); }
.fg-interventions .hit { display: grid; grid-template-columns: 3.6em minmax(0, 1fr) max-content; gap: 8px; padding: 3px 8px; cursor: pointer; }
.fg-interventions .hit:hover { background: var(--fg-list-hover); }
.fg-interventions .hit[aria-selected=true] { background: var(--fg-list-active); color: var(--fg-list-active-text); }
.fg-interventions[data-theme^="hc"] .hit[aria-selected=true] { outline: 1px solid var(--fg-focus); outline-offset: -1px; }
.fg-interventions .hit .id { font-variant-numeric: tabular-nums; text-align: right; }
.fg-interventions .hit .words { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.fg-interventions .hit .rate { color: var(--fg-muted); font-variant-numeric: tabular-nums; font-size: 0.92em; }
.fg-interventions .hit[aria-selected=true] .rate { color: inherit; }
.fg-interventions .card { margin-top: 12px; }
.fg-interventions .card .name { display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: baseline; margin: 0 0 4px; }
.fg-interventions .card .number { font-size: 1.25em; font-weight: 600; color: var(--fg-strong); font-variant-numeric: tabular-nums; }
.fg-interventions .facts { color: var(--fg-muted); margin: 4px 0 8px; font-variant-numeric: tabular-nums; }
.fg-interventions .kinds { display: inline-flex; border: 1px solid var(--fg-input-border); border-radius: 4px; overflow: hidden; }
.fg-interventions .kinds button { font: inherit; border: 0; border-right: 1px solid var(--fg-input-border); background: var(--fg-input-bg); color: var(--fg-input-text); padding: 4px 12px; cursor: pointer; }
.fg-interventions .kinds button:last-child { border-right: 0; }
.fg-interventions .kinds button:hover:not(:disabled, [aria-checked=true]) { background: var(--fg-list-hover); }
.fg-interventions .kinds button[aria-checked=true] { background: var(--fg-button-bg); color: var(--fg-button-text); }
.fg-interventions[data-theme^="hc"] .kinds button[aria-checked=true] { outline: 2px solid var(--fg-focus); outline-offset: -2px; font-weight: 700; }
.fg-interventions .line { display: flex; flex-wrap: wrap; gap: 8px 14px; align-items: center; }
.fg-interventions .line + .line { margin-top: 10px; }
.fg-interventions .what { color: var(--fg-muted); }
.fg-interventions .slider { display: grid; grid-template-columns: max-content minmax(80px, 1fr) max-content; gap: 10px; align-items: center; margin: 12px 0; }
.fg-interventions .slider .sign { font-family: var(--fg-mono); font-size: 1.2em; color: var(--fg-strong); min-width: 1em; text-align: center; }
.fg-interventions input[type=range] { width: 100%; }
.fg-interventions label.field { display: inline-flex; gap: 6px; align-items: center; color: var(--fg-muted); }
.fg-interventions label.field input[type=number] { width: 5em; }
.fg-interventions .texts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 240px), 1fr)); gap: 12px; }
.fg-interventions .text { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.55; color: var(--fg-strong); }
.fg-interventions .text .said { color: var(--fg-muted); }
.fg-interventions .tag { color: var(--fg-muted); font-size: 0.9em; display: block; margin-bottom: 2px; }
.fg-interventions del { text-decoration: line-through; text-decoration-color: var(--fg-removed); background: color-mix(in srgb, var(--fg-removed) 18%, transparent); border-radius: 2px; }
.fg-interventions ins { text-decoration: underline; text-decoration-color: var(--fg-added); text-decoration-thickness: 2px; text-underline-offset: 3px; background: color-mix(in srgb, var(--fg-added) 20%, transparent); border-radius: 2px; }
.fg-interventions .tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 14px; }
.fg-interventions table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.fg-interventions caption { text-align: left; color: var(--fg-muted); font-size: 0.85em; letter-spacing: 0.04em; text-transform: uppercase; font-weight: 600; padding-bottom: 4px; }
.fg-interventions th { text-align: right; font-weight: 400; color: var(--fg-muted); font-size: 0.9em; padding: 1px 0 3px 8px; border-bottom: 1px solid var(--fg-border); white-space: nowrap; }
.fg-interventions td { padding: 2px 0 2px 8px; text-align: right; white-space: nowrap; }
.fg-interventions th:first-child, .fg-interventions td:first-child { text-align: left; padding-left: 0; }
.fg-interventions td.name { max-width: 0; width: 40%; overflow: hidden; text-overflow: ellipsis; color: var(--fg-strong); white-space: pre; }
.fg-interventions td.delta { min-width: 86px; }
.fg-interventions .delta .bar { display: inline-block; height: 8px; border-radius: 2px; vertical-align: baseline; }
.fg-interventions .delta .up { background: var(--fg-added); } .fg-interventions .delta .down { background: var(--fg-removed); }
.fg-interventions .delta .track { display: inline-block; width: 40px; margin-left: 6px; text-align: left; }
.fg-interventions .link { font: inherit; color: var(--fg-link); background: none; border: 0; padding: 0; cursor: pointer; text-align: left; max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: pre; vertical-align: bottom; }
.fg-interventions .link:hover { text-decoration: underline; }
.fg-interventions .pins { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 230px), 1fr)); gap: 12px; }
.fg-interventions .pin { border: 1px solid var(--fg-border); border-radius: 5px; background: var(--fg-bg); padding: 8px 10px; min-width: 0; display: grid; gap: 8px; align-content: start; grid-template-columns: minmax(0, 1fr); }
.fg-interventions .pin.current { border-color: var(--fg-a); }
.fg-interventions .pin .title { display: flex; gap: 2px; align-items: center; }
.fg-interventions .pin .title input { flex: 1; min-width: 0; font-weight: 600; border-color: transparent; background: transparent; color: var(--fg-strong); padding: 2px 4px; }
.fg-interventions .pin .title input:hover, .fg-interventions .pin .title input:focus { border-color: var(--fg-input-border); background: var(--fg-input-bg); }
.fg-interventions .pin .title strong { flex: 1; padding: 3px 5px; color: var(--fg-strong); }
.fg-interventions .pin .moved { list-style: none; margin: 0; padding: 0; display: grid; grid-template-columns: minmax(0, 1fr) max-content; gap: 1px 8px; font-variant-numeric: tabular-nums; }
.fg-interventions .pin .moved span:nth-child(odd) { overflow: hidden; text-overflow: ellipsis; white-space: pre; }
.fg-interventions .status { color: var(--fg-muted); font-variant-numeric: tabular-nums; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; min-width: 0; max-width: 28em; }
.fg-interventions .status.waiting { color: var(--fg-hover); white-space: normal; }
.fg-interventions .chip:focus-visible, .fg-interventions .hit:focus-visible, .fg-interventions .kinds button:focus-visible, .fg-interventions .link:focus-visible { outline: 2px solid var(--fg-focus); outline-offset: 0; }
.fg-interventions .columns[data-order=narrow] { grid-template-columns: minmax(0, 1fr); }
@container (max-width: 480px) { .fg-interventions .kinds button { padding: 4px 8px; } .fg-interventions .body { padding: 8px; } }
`;
