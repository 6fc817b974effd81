/** Vega charts under a strict CSP: expressions run in vega-interpreter, no URL is ever loaded, colours follow the theme. */
import * as vega from 'vega';
import { expressionInterpreter } from 'vega-interpreter';
import type { ChartDescriptor } from '../../protocol/display.js';
import type { Json } from '../../protocol/notebook.js';
import { fromPlainJson } from '../../protocol/objects.js';
import { el, fill } from '../ui/dom.js';
import { css } from '../ui/color.js';
import { tokenColor } from '../ui/theme.js';
import { messageOf } from '../ui/message.js';

export const CHART_CSS = `
.fg-chart { max-width: 100%; overflow-x: auto; position: relative; }
.fg-chart canvas { display: block; }
@media print { .fg-chart { overflow: visible; } .fg-chart canvas { max-width: 100% !important; height: auto !important; } }
.fg-chart-tip { position: fixed; inset: auto; margin: 0; padding: 5px 8px; max-width: 360px; pointer-events: none; background: var(--vscode-editorHoverWidget-background, var(--fg-surface)); color: var(--fg-text); border: 1px solid var(--fg-border); border-radius: 3px; box-shadow: 0 2px 10px rgba(0, 0, 0, 0.25); font: inherit; white-space: pre-wrap; }
`;

/** A spec may carry data only: every load is refused, whatever the scheme. */
function closedLoader(): vega.Loader {
  const refuse = (uri: string) => Promise.reject(new Error(`charts load nothing from outside, refused ${uri}`));
  const loader = vega.loader();
  return { ...loader, load: refuse, sanitize: refuse, http: refuse, file: refuse } as vega.Loader;
}

function themeConfig(root: HTMLElement): vega.Config {
  const text = css(tokenColor(root, 'text'));
  const strong = css(tokenColor(root, 'strong'));
  const line = css(tokenColor(root, 'border'));
  const mark = css(tokenColor(root, 'a'));
  const font = getComputedStyle(root).fontFamily;
  const guide = { labelColor: text, titleColor: strong, labelFont: font, titleFont: font };
  return {
    background: 'transparent',
    style: {
      'guide-label': { fill: text, font },
      'guide-title': { fill: strong, font },
      cell: { fill: 'transparent', stroke: line },
    },
    axis: { ...guide, gridColor: line, domainColor: line, tickColor: line },
    // Of symbols that tell shapes apart, not colours.
    legend: { ...guide, symbolBaseFillColor: text, symbolBaseStrokeColor: text },
    title: { color: strong, subtitleColor: text, font, subtitleFont: font },
    arc: { fill: mark },
    symbol: { fill: mark },
    rect: { fill: mark },
    text: { fill: text, font },
    rule: { stroke: text },
  } as vega.Config;
}

/** Vega-Lite writes a white ground into specs that name none, black into texts, lines and symbols of legends. */
function withoutGround(spec: ChartDescriptor['spec']): vega.Spec {
  const { background, ...rest } = withoutBlack(spec) as ChartDescriptor['spec'];
  // Vega itself refuses what is no spec.
  return fromPlainJson<vega.Spec>(background === 'white' ? rest : { background, ...rest });
}

type Paint = { value?: string };
type Update = { fill?: Paint; stroke?: Paint };

/** Without the black of texts, of lines and of symbols of legends; the theme's colours take its place. */
function withoutBlack(spec: Json, name = ''): Json {
  if (Array.isArray(spec)) return spec.map((each) => withoutBlack(each));
  if (typeof spec !== 'object' || spec === null) return spec;
  const own = Object.entries(spec).map(([key, value]) => [key, key === 'data' ? value : withoutBlack(value, key)]);
  const copy = Object.fromEntries(own) as { type?: string; encode?: { update?: Update }; update?: Update };
  const update = name === 'symbols' ? copy.update : copy.encode?.update;
  if ((copy.type === 'text' || name === 'symbols') && update?.fill?.value === 'black') delete update.fill;
  if (copy.type === 'rule' && update?.stroke?.value === 'black') delete update.stroke;
  return copy as Json;
}

export interface ChartHandle {
  /** Settles when drawn; never rejects: a broken spec is said in place. */
  ready: Promise<void>;
  /** Draws again in the colours of the theme. */
  redraw(): void;
  dispose(): void;
}

/** What a screen reader says of a chart: its title, and its description where the spec has one. */
function spokenOf({ title = 'Chart', spec: { description } }: ChartDescriptor): string {
  return typeof description === 'string' && description !== '' ? `${title}. ${description}` : title;
}

/** Draws a chart into `host`, inside `root`, which has the theme's tokens. */
export function drawChart(root: HTMLElement, host: HTMLElement, descriptor: ChartDescriptor): ChartHandle {
  // Vega gives it its role, and the description as its name.
  const box = el('div', { class: 'fg-chart' });
  const tip = el('div', { class: 'fg-chart-tip' });
  tip.setAttribute('popover', 'manual');
  host.append(box, tip);
  let view: vega.View | null = null;
  const draw = async () => {
    try {
      view?.finalize();
      // As high as before until the new one is there: what is below stays where it is.
      box.style.minHeight = `${box.offsetHeight}px`;
      box.textContent = '';
      const spec = { ...withoutGround(descriptor.spec), description: spokenOf(descriptor) };
      const runtime = vega.parse(spec, themeConfig(root), { ast: true });
      view = new vega.View(runtime, {
        renderer: 'canvas',
        container: box,
        hover: true,
        expr: expressionInterpreter,
        loader: closedLoader(),
        logLevel: vega.Error,
        tooltip: (_handler, event, _item, value) => showTip(tip, event, value),
      });
      await view.runAsync();
    } catch (error) {
      fill(box, el('p', { class: 'fg-none' }, `The chart could not be drawn: ${messageOf(error)}`));
    } finally {
      box.style.minHeight = '';
    }
  };
  const ready = draw();
  return {
    ready,
    redraw: () => void draw(),
    dispose: () => {
      view?.finalize();
      view = null;
      box.remove();
      tip.remove();
    },
  };
}

/** Vega's tooltip values are strings or flat objects: shown as text. */
function showTip(tip: HTMLElement, event: MouseEvent, value: unknown): void {
  if (value === null || value === undefined || value === '') {
    if (tip.matches(':popover-open')) tip.hidePopover();
    return;
  }
  tip.textContent =
    typeof value === 'object'
      ? Object.entries(value as Record<string, unknown>)
          .map(([key, v]) => `${key}: ${String(v)}`)
          .join('\n')
      : String(value as string | number);
  if (!tip.matches(':popover-open')) tip.showPopover();
  const { offsetWidth, offsetHeight } = tip;
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, innerWidth - offsetWidth - 4))}px`;
  tip.style.top = `${Math.max(4, Math.min(event.clientY + 14, innerHeight - offsetHeight - 4))}px`;
}
