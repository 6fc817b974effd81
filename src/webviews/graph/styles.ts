/** The look of the graph view, beyond what drawings share (plot/styles.ts). Colours are theme tokens only. */
export const GRAPH_CSS = `
.fg-graph .plots { display: grid; grid-auto-flow: column; grid-auto-columns: minmax(0, 1fr); gap: 8px; }
.fg-graph .plot { display: grid; grid-template: auto minmax(0, 1fr) auto / minmax(0, 1fr); min-width: 0; min-height: 0; overflow: hidden; border: 1px solid var(--fg-border); border-radius: 4px; }
.fg-graph .plot .view { grid-row: 2; position: relative; min-height: 0; overflow: hidden; }
.fg-graph .plot .surface { position: absolute; inset: 0; }
.fg-graph .plot .layer { inset: 0; border: 0; border-radius: 0; }
.fg-graph .caption { position: static; padding: 7px 10px 2px; display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 1px 8px; }
.fg-graph .caption .counts { grid-column: 1 / -1; overflow: hidden; text-overflow: ellipsis; }
.fg-graph[data-size="narrow"] .caption .counts { display: block; }
.fg-graph .badge { background: var(--fg-a); min-width: 1.5em; white-space: nowrap; }
.fg-graph .badge.set1 { background: var(--fg-b); }
.fg-graph .badge.null { background: var(--fg-muted); }
.fg-graph .toolbar .words { width: 150px; }
.fg-graph .toolbar .stat { min-width: 84px; }
.fg-graph .toolbar .threshold input { width: 90px; }
.fg-graph .notes { grid-row: 3; margin: 0; padding: 3px 8px 6px; list-style: none; display: grid; gap: 2px; font-size: 0.92em; color: var(--fg-text); }
.fg-graph .notes li { display: flex; gap: 6px; align-items: flex-start; min-width: 0; }
.fg-graph .notes svg, .fg-graph .empty svg { flex: none; color: var(--fg-hover); margin-top: 1px; }
.fg-graph .notes span { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; }
.fg-graph .empty { position: absolute; inset: 12px 24px; display: grid; place-content: center; justify-items: center; gap: 10px; text-align: center; color: var(--fg-text); pointer-events: none; }
.fg-graph .empty p { margin: 0; max-width: 46ch; line-height: 1.5; }
.fg-graph .empty svg { width: 26px; height: 26px; }
.fg-graph .foot { min-height: 40px; align-items: flex-end; }
.fg-graph .legend { max-height: none; align-items: flex-end; max-width: 74%; }
.fg-graph .legend .histogram { height: 24px; }
.fg-graph .pane { width: 456px; }
.fg-graph .tabs { overflow-x: auto; scrollbar-width: none; }
.fg-graph .tabs button { white-space: nowrap; padding: 7px 6px 5px; }
.fg-graph .pin { position: relative; }
.fg-graph .pin header { position: absolute; top: 4px; right: 6px; float: none; }
.fg-graph .members li.lit .label { color: var(--fg-hit); font-weight: 600; }
.fg-graph .details { gap: 8px; }
.fg-graph .details > .fg-none { margin: 0 0 2px; }
.fg-graph .entry { all: unset; box-sizing: border-box; cursor: pointer; display: grid; gap: 2px; padding: 6px 10px; border: 1px solid var(--fg-border); border-radius: 4px; color: var(--fg-text); min-width: 0; }
.fg-graph .entry:hover { background: var(--fg-list-hover); }
.fg-graph .entry:focus-visible { outline: 1px solid var(--fg-focus); outline-offset: -1px; }
.fg-graph .entry .head { display: flex; gap: 8px; color: var(--fg-strong); font-variant-numeric: tabular-nums; }
.fg-graph .entry .detail { color: var(--fg-muted); overflow: hidden; text-overflow: ellipsis; }
.fg-graph .node { display: grid; gap: 5px; min-width: 0; }
.fg-graph .node h4 { margin: 0; display: flex; gap: 6px; align-items: baseline; font-size: 1em; font-weight: 600; color: var(--fg-strong); }
.fg-graph .node .stats { margin: 0; color: var(--fg-muted); font-size: 0.92em; font-variant-numeric: tabular-nums; }
.fg-graph .node .stats.strong { color: var(--fg-strong); }
.fg-graph .node .times { color: var(--fg-muted); font-size: 0.85em; }
.fg-graph .node .sub { margin: 4px 0 2px; color: var(--fg-muted); font-size: 0.92em; }
.fg-graph .node ul { list-style: none; margin: 0; padding: 0; display: grid; gap: 3px; }
.fg-graph .members > ul > li > .line { display: grid; grid-template-columns: 4.6em minmax(0, 1fr) auto; gap: 8px; align-items: baseline; }
.fg-graph .members .id { font-variant-numeric: tabular-nums; color: var(--fg-strong); justify-self: start; }
.fg-graph .members .label { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.fg-graph .members .value { color: var(--fg-muted); font-variant-numeric: tabular-nums; }
.fg-graph .members .examples { padding-left: 10px; min-height: 0; }
.fg-graph .members .fg-example .text { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; }
.fg-graph .matches .list { margin: 0; display: flex; flex-wrap: wrap; gap: 4px; }
.fg-graph button.link { all: unset; cursor: pointer; }
.fg-graph button.id.link { color: var(--fg-link); }
.fg-graph button.id.link:hover { text-decoration: underline; }
.fg-graph button.fg-chip.link { background: var(--fg-code-bg); border: 1px solid var(--fg-border); border-radius: 3px; padding: 0 5px; color: var(--fg-strong); font-size: 0.95em; }
.fg-graph button.link:focus-visible { outline: 1px solid var(--fg-focus); }
.fg-graph .fg-tooltip { width: 380px; max-width: calc(100vw - 16px); }
.fg-graph .fg-tooltip .examples { min-height: 0; }
.fg-graph[data-size="medium"] .pane, .fg-graph[data-size="narrow"] .pane { width: auto; }
.fg-graph[data-size="medium"] .details { grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); }
.fg-graph[data-size="medium"] .details > .fg-none { grid-column: 1 / -1; }
.fg-graph[data-size="narrow"] .plots { grid-auto-flow: row; grid-auto-columns: auto; grid-auto-rows: minmax(0, 1fr); }
.fg-graph[data-size="narrow"] .legend { max-width: none; flex: 1 1 100%; }
.fg-graph[data-size="narrow"]:not([data-pane="closed"]) { grid-template-rows: auto minmax(0, 1fr) minmax(0, 27%); }
.fg-graph[data-size="narrow"] .foot .provenance { margin-left: 0; }
.fg-graph.compact { height: 480px; }
@media (max-height: 520px) { .fg-graph:not(.compact, [data-pane="closed"])[data-size="medium"], .fg-graph:not(.compact, [data-pane="closed"])[data-size="narrow"] { grid-template-rows: auto minmax(220px, 1fr) minmax(90px, 30%); overflow-y: auto; } }
`;
