/**
 * A still picture of Mapper graphs, for viewers without our renderer: where nodes and edges lie, and how large nodes
 * are.
 */
import type { GraphColumns, GraphMeta } from '../../protocol/graph.js';
import { maxOf, minOf } from '../../protocol/lists.js';
import { escapeHtml } from '../../protocol/webview.js';

const SIDE = 320;
const HEAD = 40;
const MARGIN = 14;
/** Marks of one graph; more would make a file too large to open. */
const MAX_MARKS = 20_000;
/** The Okabe-Ito palette, told apart with any colour vision. */
const COLOURS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00'];

const round = (value: number): string => String(Math.round(value * 10) / 10);

type Columns = Pick<GraphColumns, 'x' | 'y' | 'edges' | 'membersAt' | 'component'>;

/** Nodes in their square, coloured by component; area by members. */
function marks({ x, y, edges, membersAt, component }: Columns, left: number): string[] {
  const placed = [...x.keys()].filter((i) => Number.isFinite(x[i]) && Number.isFinite(y[i]));
  const count = placed.length + edges.length / 2;
  if (count > MAX_MARKS) throw new Error(`it has ${count} nodes and edges; ${MAX_MARKS} are drawn at most`);
  const bounds = [x, y].map((values) => {
    const shown = placed.map((i) => values[i]);
    return [minOf(shown), maxOf(shown)];
  });
  const span = maxOf(bounds.map(([low, high]) => high - low)) || 1;
  const room = SIDE - 2 * MARGIN;
  const at = (values: Float32Array, [low, high]: number[], i: number): number =>
    MARGIN + ((values[i] - (low + high) / 2) / span + 0.5) * room;
  const px = (i: number): string => round(left + at(x, bounds[0], i));
  const py = (i: number): string => round(HEAD + SIDE - at(y, bounds[1], i));
  const there = new Set(placed);
  const most = maxOf(
    [1],
    placed.map((i) => membersAt[i + 1] - membersAt[i]),
  );
  const lines: string[] = [];
  for (let e = 0; e < edges.length; e += 2) {
    const [a, b] = [edges[e], edges[e + 1]];
    if (there.has(a) && there.has(b)) lines.push(`<line x1="${px(a)}" y1="${py(a)}" x2="${px(b)}" y2="${py(b)}"/>`);
  }
  const dots = placed.map((i) => {
    const members = Math.max(0, membersAt[i + 1] - membersAt[i]);
    const colour = COLOURS[Math.abs(component[i]) % COLOURS.length];
    return `<circle cx="${px(i)}" cy="${py(i)}" r="${round(2 + 7 * Math.sqrt(members / most))}" fill="${colour}"/>`;
  });
  return [
    `<g stroke="#999999" stroke-width="1">${lines.join('')}</g>`,
    `<g stroke="#ffffff" stroke-width="0.5">${dots.join('')}</g>`,
  ];
}

const shortened = (text: string): string => (text.length > 40 ? `${text.slice(0, 39).trimEnd()}…` : text);

/** The graphs side by side on white, each under its title. */
export function graphSvg(sets: GraphMeta['sets'], columns: readonly Columns[]): string {
  const width = SIDE * sets.length;
  const label = (words: string, x: number, y: number, weight: string): string =>
    `<text x="${x}" y="${y}" font-size="12" font-weight="${weight}" fill="#222222">${escapeHtml(words)}</text>`;
  const shown = sets.flatMap((set, s) => [
    label(shortened(String(set.title)), s * SIDE + MARGIN, 16, 'bold'),
    label(`${set.nodes} nodes, ${set.edges} edges`, s * SIDE + MARGIN, 32, 'normal'),
    ...marks(columns[s], s * SIDE),
  ]);
  const size = `width="${width}" height="${SIDE + HEAD}" viewBox="0 0 ${width} ${SIDE + HEAD}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif">\n<rect width="${width}" height="${SIDE + HEAD}" fill="#ffffff"/>\n${shown.join('\n')}\n</svg>\n`;
}
