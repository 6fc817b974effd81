/** What a node holds: counts, its commonest tokens, its top members with their dataset examples, its matches. */
import { exampleBox, type ExampleCache } from '../plot/examples.js';
import { labelAt } from '../ui/bundle.js';
import { el } from '../ui/dom.js';
import { exampleList } from '../ui/examples.js';
import { count, labelLine, number, percent, plural } from '../ui/format.js';
import { columnOf, type NodeColours } from './colour.js';
import { membersOf, overlapWith, topTokens, type GraphModel, type GraphSet } from './model.js';

export interface CardOptions {
  model: GraphModel;
  cache: ExampleCache;
  colours: NodeColours;
  colourBy: string;
  set: number;
  node: number;
  /** Points that search and other views light: listed first. */
  lit: Uint8Array | null;
  /** Members listed, and how many of those show examples. */
  members: number;
  examples: number;
  /** Makes the members buttons that open the page of the feature and show it in the other views. */
  pick?(point: number): void;
  /** Makes the matches buttons. */
  show?(set: number, node: number): void;
}

export function valueText(colours: NodeColours, value: number): string {
  if (Number.isNaN(value)) return 'no value';
  if (colours.classes) return colours.classes[value] ?? '–';
  return colours.percent ? percent(value) : number(value, 3);
}

/** By what members are ranked: the column shown, else the firing rate, else their order. */
function ranking(set: GraphSet, colourBy: string): { name: string; values: ArrayLike<number> } | null {
  const shown = colourBy.startsWith('column:') ? colourBy.slice(7) : null;
  const names = [shown, 'firing rate'].filter((n): n is string => n !== null);
  for (const name of names) {
    const meta = set.meta.columns.find((c) => c.name === name);
    const values = columnOf(set, name);
    if (meta && !meta.classes && values) return { name, values };
  }
  return null;
}

/** Members, lit ones first, then highest value first; those without a value last. */
export function rankedMembers(
  set: GraphSet,
  node: number,
  colourBy: string,
  lit: Uint8Array | null,
): { by: string | null; points: number[] } {
  const rank = ranking(set, colourBy);
  const value = (p: number) => (!rank ? 0 : Number.isNaN(rank.values[p]) ? -Infinity : rank.values[p]);
  const first = (p: number) => (lit?.[p] ? 1 : 0);
  // Missing values are −Infinity here, and the difference of two is NaN: equal values are told apart first.
  const order = (a: number, b: number) => (value(a) === value(b) ? a - b : value(b) - value(a));
  const points = [...membersOf(set, node)].sort((a, b) => first(b) - first(a) || order(a, b));
  return { by: rank?.name ?? null, points };
}

function chips(set: GraphSet, node: number): HTMLElement {
  const top = topTokens(set, node);
  if (top.length === 0) return el('p', { class: 'fg-none' }, 'no labels');
  return el(
    'span',
    { class: 'fg-label' },
    ...top.map(({ text, members }) =>
      el(
        'span',
        { class: 'fg-chip', title: `${text}: in the labels of ${plural(members, 'member')}` },
        text,
        el('span', { class: 'times' }, ` ${count(members)}`),
      ),
    ),
  );
}

const examplesOf = (o: CardOptions, point: number): HTMLElement =>
  exampleBox(o.cache.get(o.set, point), (list) =>
    list.length > 0 ? exampleList(list, 2, false) : el('p', { class: 'fg-none' }, 'no dataset examples'),
  );

function memberRow(o: CardOptions, point: number, rank: ArrayLike<number> | null, withExamples: boolean): HTMLElement {
  const set = o.model.sets[o.set];
  const label = labelLine(labelAt(set.columns, point)) || 'no label';
  const value =
    rank === null ? null : o.colourBy.startsWith('column:') ? valueText(o.colours, rank[point]) : percent(rank[point]);
  const { pick } = o;
  const id = pick
    ? el(
        'button',
        { class: 'id link', title: 'Open the page of this feature', on: { click: () => pick(point) } },
        `#${point}`,
      )
    : el('span', { class: 'id' }, `#${point}`);
  return el(
    'li',
    { class: o.lit?.[point] ? 'lit' : '' },
    el(
      'div',
      { class: 'line' },
      id,
      el('span', { class: 'label', title: label }, label),
      value && el('span', { class: 'value' }, value),
    ),
    withExamples ? examplesOf(o, point) : null,
  );
}

function memberList(o: CardOptions): HTMLElement {
  const set = o.model.sets[o.set];
  const { by, points } = rankedMembers(set, o.node, o.colourBy, o.lit);
  const rank = by === null ? null : (columnOf(set, by) ?? null);
  const what = set.meta.sae ? 'features' : 'points';
  const lit = o.lit ? points.filter((p) => o.lit?.[p]).length : 0;
  const order = by === null ? `Members (${what})` : `Members of highest ${by}`;
  const heading = lit > 0 ? `${plural(lit, 'lit member')} first · ${order}` : order;
  const rest = points.length - o.members;
  return el(
    'div',
    { class: 'members' },
    el('p', { class: 'sub' }, heading),
    el('ul', {}, ...points.slice(0, o.members).map((p, k) => memberRow(o, p, rank, k < o.examples))),
    rest > 0 ? el('p', { class: 'fg-none' }, `and ${plural(rest, 'more', 'more')}`) : null,
  );
}

/** Matched nodes of the other graph, largest overlap first. */
function matches(o: CardOptions): HTMLElement | null {
  const overlap = overlapWith(o.model, o.set, o.node);
  if (!overlap) return null;
  const other = o.model.sets[1 - o.set];
  const best = [...overlap.keys()].filter((i) => overlap[i] > 0).sort((a, b) => overlap[b] - overlap[a] || a - b);
  if (best.length === 0)
    return el('p', { class: 'fg-none' }, `No member has a counterpart in a node of ${other.name}.`);
  const a = o.model.sets[0].name;
  return el(
    'div',
    { class: 'matches' },
    el(
      'p',
      {
        class: 'sub',
        title: `Share of the members of ${a}’s node whose counterpart is in the node of ${o.model.sets[1].name}`,
      },
      `Matched nodes in ${other.name} (share of ${a}’s members)`,
    ),
    el(
      'p',
      { class: 'list' },
      ...best.slice(0, 6).map((i) => {
        const text = `node ${i} · ${Math.round(100 * overlap[i])} %`;
        const { show } = o;
        return show
          ? el('button', { class: 'fg-chip link', on: { click: () => show(1 - o.set, i) } }, text)
          : el('span', { class: 'fg-chip' }, text);
      }),
    ),
  );
}

export function nodeCard(o: CardOptions): HTMLElement {
  const set = o.model.sets[o.set];
  const neighbours = set.near.at[o.node + 1] - set.near.at[o.node];
  const facts = [
    plural(set.size[o.node], 'member'),
    plural(neighbours, 'neighbour'),
    `component ${set.columns.component[o.node] + 1}`,
    `cover element ${set.columns.cube[o.node]}`,
  ];
  const value = o.colours.values[o.set][o.node];
  return el(
    'div',
    { class: 'node' },
    el(
      'h4',
      {},
      el('span', { class: `badge set${Math.min(1, o.set)}` }, set.name),
      el('span', { class: 'id' }, `Node ${o.node}`),
    ),
    el('p', { class: 'stats' }, facts.join(' · ')),
    o.colourBy === 'members' || o.colourBy === 'component'
      ? null
      : el('p', { class: 'stats strong' }, `${o.colours.title}: ${valueText(o.colours, value)}`),
    chips(set, o.node),
    matches(o),
    memberList(o),
  );
}

/** One line for the live region and for titles. */
export function spokenNode(model: GraphModel, s: number, node: number): string {
  const set = model.sets[s];
  const tokens = topTokens(set, node, 3)
    .map((t) => t.text)
    .join(', ');
  const neighbours = set.near.at[node + 1] - set.near.at[node];
  return `${set.name} node ${node}: ${plural(set.size[node], 'member')}, ${tokens || 'no labels'}, ${plural(neighbours, 'neighbour')}`;
}
