/** The look of the map view, beyond what drawings share (plot/styles.ts). Colours are theme tokens only. */
export const MAP_CSS = `
.fg-map .stage .underlay { pointer-events: none; }
.fg-map .heading { position: absolute; height: 24px; overflow: hidden; }
.fg-map .caption { position: static; flex-wrap: nowrap; align-items: center; height: 100%; pointer-events: auto; }
.fg-map[data-size="narrow"] .caption .counts { display: block; }
.fg-map[data-size="narrow"] { padding: 4px 6px; gap: 4px; }
.fg-map[data-size="narrow"] .maps { gap: 2px; }
.fg-map[data-size="narrow"] .foot { flex-wrap: nowrap; }
.fg-map[data-size="narrow"] .legend { max-width: 72%; }
.fg-map .heading, .fg-map .maps { container-type: inline-size; }
@container (max-width: 300px) { .fg-map[data-size] .heading .caption .counts { display: none; } }
@container (max-width: 460px) { .fg-map[data-size] .foot { flex-wrap: wrap; } .fg-map[data-size] .legend { max-width: 100%; } .fg-map[data-size] .provenance { margin-left: 0; } .fg-map .legend .bars { width: 96px; } }
@container (max-width: 260px) { .fg-map .legend .bars { width: 60px; } }
.fg-map .group-bar { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 8px; padding: 8px 10px 0; flex: none; }
.fg-map .group-bar .words { flex: 1; min-width: 160px; }
.fg-map .group-bar .fg-none { margin: 0 0 0 auto; }
.fg-map .groups > .fg-none { margin: 4px 10px 0; flex: none; }
.fg-map .groups > .fg-none:empty { display: none; }
.fg-map .pairs.groups { overflow-y: auto; }
.fg-map .groups .fg-grid { flex: 1 0 auto; min-height: 150px; margin-top: 6px; }
.fg-map .groups .fg-grid :is(.head, .row) { gap: 4px; }
.fg-map .group-card { margin: 8px 10px 0; flex: none; }
.fg-map .group-card header { display: flex; align-items: center; gap: 6px; color: var(--fg-strong); min-width: 0; }
.fg-map .group-card header strong { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.fg-map .group-card .stats { margin: 2px 0 4px; color: var(--fg-text); font-variant-numeric: tabular-nums; }
.fg-map .group-card dl { margin: 0; display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 10px; }
.fg-map .group-card dt { color: var(--fg-muted); }
.fg-map .group-card dd { margin: 0; font-variant-numeric: tabular-nums; color: var(--fg-muted); }
.fg-map .group-card dd strong { display: inline-block; min-width: 3.6em; color: var(--fg-strong); }
.fg-map .group-card .warning { display: block; color: var(--fg-warning, var(--fg-muted)); font-size: 0.92em; }
.fg-map .kept-list { display: grid; gap: 10px; }
.fg-map .kept header { display: flex; align-items: center; gap: 6px; }
.fg-map .kept .counts { margin-left: auto; white-space: nowrap; color: var(--fg-muted); font-variant-numeric: tabular-nums; }
.fg-map .kept input { font: inherit; color: var(--fg-text); background: transparent; border: 1px solid transparent; border-radius: 2px; padding: 2px 4px; min-width: 0; width: 100%; box-sizing: border-box; }
.fg-map .kept input.name { color: var(--fg-strong); font-weight: 600; }
.fg-map .kept input:is(:hover, .note) { border-color: var(--fg-border); }
.fg-map .kept input:focus { outline: 1px solid var(--fg-focus); border-color: var(--fg-focus); }
.fg-map .layer[hidden] { display: none; }
.fg-map .swatch.triangle { clip-path: polygon(50% 0, 100% 100%, 0 100%); }
.fg-map .swatch.diamond { transform: rotate(45deg) scale(0.8); }
.fg-map .swatch.plus { clip-path: polygon(35% 0, 65% 0, 65% 35%, 100% 35%, 100% 65%, 65% 65%, 65% 100%, 35% 100%, 35% 65%, 0 65%, 0 35%, 35% 35%); }
.fg-map .swatch.cross { clip-path: polygon(20% 0, 50% 30%, 80% 0, 100% 20%, 70% 50%, 100% 80%, 80% 100%, 50% 70%, 20% 100%, 0 80%, 30% 50%, 0 20%); }
.fg-map .swatch.outlined { border: 2px solid var(--fg-strong); }
.fg-map .pair .r { margin: 2px 0 6px; color: var(--fg-text); }
.fg-map .pair .r strong { color: var(--fg-strong); font-size: 1.12em; font-variant-numeric: tabular-nums; }
.fg-map .pair .same { margin-left: 8px; color: var(--fg-hit); white-space: nowrap; }
.fg-map .pair .together { display: block; color: var(--fg-text); margin-top: 2px; }
.fg-map .pair .others { margin: 0 0 6px; color: var(--fg-text); font-variant-numeric: tabular-nums; }
.fg-map .pair .other { overflow-wrap: anywhere; }
.fg-map .pair .sides { display: grid; gap: 10px 18px; }
.fg-map .pair h4 { margin: 0 0 4px; display: flex; gap: 6px; align-items: baseline; font-size: 1em; font-weight: 600; color: var(--fg-strong); }
.fg-map .pair .id { font-variant-numeric: tabular-nums; }
.fg-map .pair .role { color: var(--fg-muted); font-weight: 400; font-size: 0.92em; }
.fg-map .pair .stats { margin: 4px 0 0; color: var(--fg-muted); font-size: 0.92em; font-variant-numeric: tabular-nums; }
.fg-map .fg-tooltip .pair.linked .sides { grid-template-columns: 316px 316px; }
.fg-map .fg-tooltip .pair .sides { grid-template-columns: minmax(0, 330px); }
.fg-map[data-size="medium"] .pin .sides { grid-template-columns: 1fr; }
.fg-map[data-size="narrow"] .fg-tooltip .pair.linked .sides { grid-template-columns: minmax(0, 1fr); }
@media (max-width: 720px) { .fg-map .fg-tooltip .pair.linked .sides { grid-template-columns: minmax(0, 1fr); } }
`;
