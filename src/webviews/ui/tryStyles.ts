/** Styles of the prompt box. Colours are theme tokens only. */
export const TRY_CSS = `
.fg-try { display: grid; gap: 8px; min-width: 0; container-type: inline-size; }
.fg-try .ask { display: flex; gap: 8px; align-items: end; }
.fg-try textarea { flex: 1; min-width: 0; box-sizing: border-box; font: inherit; line-height: 1.4; color: var(--fg-input-text); background: var(--fg-input-bg); border: 1px solid var(--fg-input-border); border-radius: 2px; padding: 4px 8px; resize: vertical; min-height: 2.9em; }
.fg-try textarea:focus-visible { outline: 1px solid var(--fg-focus); outline-offset: -1px; }
.fg-try .status { color: var(--fg-muted); font-size: 0.92em; margin: 0; min-height: 1.3em; font-variant-numeric: tabular-nums; }
.fg-try .status.error { color: var(--fg-error); }
.fg-try .tries { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 4px; max-height: 6.4em; overflow: auto; }
.fg-try .tries li { min-width: 0; max-width: 100%; }
.fg-try .tries button { all: unset; box-sizing: border-box; cursor: pointer; max-width: min(100%, 22em); display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; padding: 2px 9px; border: 1px solid var(--fg-border); border-radius: 11px; color: var(--fg-text); font-size: 0.92em; }
.fg-try .tries button[aria-current="true"] { background: var(--fg-list-active); color: var(--fg-list-active-text); border-color: var(--fg-focus); }
.fg-try .tries button:focus-visible, .fg-try .tokens button:focus-visible { outline: 2px solid var(--fg-focus); outline-offset: 1px; }
.fg-try .sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 12px; min-width: 0; }
.fg-try .side { min-width: 0; }
.fg-try .side h4 { margin: 0 0 3px; font-size: 0.92em; font-weight: 600; color: var(--fg-strong); overflow-wrap: anywhere; }
.fg-try .side h4 .note { font-weight: 400; color: var(--fg-muted); }
.fg-try .tokens { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.75; max-height: 12em; overflow: auto; }
.fg-try .tokens button { all: unset; cursor: pointer; border-radius: 2px; padding: 1px 0; color: var(--fg-strong); white-space: pre-wrap; }
.fg-try .tokens button.chosen { outline: 2px solid var(--fg-hover); outline-offset: 0; }
.fg-try .shade { color: var(--fg-muted); font-size: 0.92em; margin: 4px 0; }
.fg-try .fired { list-style: none; margin: 0; padding: 0; display: grid; gap: 2px 8px; grid-template-columns: minmax(0, 1fr) minmax(20px, 70px) max-content; }
.fg-try .fired li { display: grid; grid-column: 1 / -1; grid-template-columns: subgrid; align-items: center; border-radius: 3px; }
.fg-try .fired li.shaded { background: var(--fg-list-hover); box-shadow: -3px 0 0 var(--fg-hover); }
.fg-try .fired .name { min-width: 0; overflow: hidden; display: flex; }
.fg-try .track { height: 6px; border-radius: 3px; background: color-mix(in srgb, var(--fg-text) 12%, transparent); overflow: hidden; }
.fg-try .track .share { display: block; height: 100%; background: var(--fg-heat); }
.fg-try .figures { color: var(--fg-muted); font-variant-numeric: tabular-nums; font-size: 0.92em; text-align: right; }
.fg-root[data-theme^="hc"] .fg-try .tokens button.on, [data-theme^="hc"] .fg-try .tokens button.on { outline: 1px dotted var(--fg-border); }
.fg-root[data-theme^="hc"] .fg-try .tokens button.chosen, [data-theme^="hc"] .fg-try .tokens button.chosen { outline: 2px solid var(--fg-hover); }
@media (forced-colors: active) {
  .fg-try .tokens button.on { outline: 1px dotted CanvasText; forced-color-adjust: none; }
  .fg-try .tokens button.chosen { outline: 2px solid Highlight; }
  .fg-try .track, .fg-try .track .share { forced-color-adjust: none; }
}
`;
