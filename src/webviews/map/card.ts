/** A feature, or a linked pair side by side: what the tooltip and the details pane show. */
import { measureOf } from '../../protocol/measure.js';
import { MAP_BUNDLE } from '../../protocol/map.js';
import { exampleBox, type ExampleCache } from '../plot/examples.js';
import { el } from '../ui/dom.js';
import { labelAt } from '../ui/bundle.js';
import { exampleList, labelChips, peaksLine, togetherText } from '../ui/examples.js';
import { correlation, count, labelLine, percent, plural } from '../ui/format.js';
import { shownTexts } from '../plot/shown.js';
import { normalToken } from '../plot/search.js';
import { columnsLine } from './columns.js';
import { othersOf, type Linked } from './counterparts.js';
import { idText, type MapModel, type MapSet } from './model.js';
import { shiftStats, unitOf } from './shift.js';

/** Label tokens of two points that are the same word. */
export function sharedTokens(model: MapModel, a: number, b: number): Set<string> {
  const words = new Set(model.sets[0].columns.labels[a].map(normalToken));
  const shared = model.sets[1].columns.labels[b].filter((token) => words.has(normalToken(token)));
  return new Set(
    [...shared, ...model.sets[0].columns.labels[a].filter((t) => shared.some((s) => normalToken(s) === normalToken(t)))]
      .map((t) => t.trim().toLowerCase())
      .filter((t) => t !== ''),
  );
}

export interface CardOptions {
  model: MapModel;
  cache: ExampleCache;
  set: number;
  point: number;
  /** The linked point of the other set under the threshold, -1 = none. */
  partner: number;
  /** Threshold of further counterparts. */
  minR: number;
  /** Examples of the largest activations shown per feature, and whether those of bands are shown too. */
  examples: number;
  bands: boolean;
  /** Makes the numbers buttons that open the page of the feature. */
  open?(set: number, feature: number): void;
}

/** Where a feature of a joint map comes from, and what it became. */
function familyText(set: MapSet, point: number): string | undefined {
  if (!set.family) return undefined;
  const { parent, cosine } = set.columns;
  const children = set.family.children.get(point);
  const from = parent && parent[point] >= 0;
  const words = [
    from && `child of ${idText(set, parent[point])}, cosine ${correlation(cosine![point])}`,
    children && `${plural(children.length, 'child', 'children')}, nearest ${idText(set, children[0])}`,
  ].filter((part) => typeof part === 'string');
  return words.join(' · ') || 'no child is nearest to it';
}

function firingText(set: MapSet, point: number): string {
  if (set.dead[point]) return 'dead: never fired';
  if (set.meta.unmeasured) return familyText(set, point) ?? 'no activations given';
  const { firingRate, firings } = set.columns;
  return `fires on ${percent(firingRate[point])} of tokens · ${plural(firings[point], 'firing')}`;
}

const lineOf = (name: string, text: string | null): HTMLElement | null =>
  text === null ? null : el('p', { class: name }, text);

/** Its number; where it has a page, a button that opens it. */
function idOf({ model, open }: CardOptions, set: number, point: number): HTMLElement {
  const of = model.sets[set];
  const text = idText(of, point);
  if (!open || !of.meta.sae || of.family) return el('span', { class: 'id' }, text);
  const feature = of.columns.feature[point];
  const label = `Open the page of feature ${feature} of ${of.meta.title}`;
  const button = el('button', { class: 'id link', title: label, on: { click: () => open(set, feature) } }, text);
  button.type = 'button';
  return button;
}

/** One feature's side of a card. */
function side(o: CardOptions, set: number, point: number, shared: Set<string>, heading: string): HTMLElement {
  const { columns, name, meta } = o.model.sets[set];
  const examples = exampleBox(o.cache.get(set, point), (list) => exampleList(list, o.examples, o.bands));
  return el(
    'section',
    { class: `side set${set}`, aria: { label: `${name} ${unitOf(o.model)} ${columns.feature[point]}` } },
    el(
      'h4',
      {},
      el('span', { class: `badge set${set}` }, name),
      idOf(o, set, point),
      el('span', { class: 'role' }, heading),
    ),
    labelChips(labelAt(columns, point), shared),
    peaksLine(labelAt(columns, point)),
    el(
      'p',
      { class: 'stats' },
      o.model.meta.shift
        ? shiftStats(o.model, set, point)
        : [
            firingText(o.model.sets[set], point),
            ...shownTexts(point, MAP_BUNDLE.columns, columns, !meta.unmeasured),
          ].join(' · '),
    ),
    lineOf('stats', columnsLine(o.model.added, set, point)),
    examples,
  );
}

/** The label of the pair that a point makes with its counterpart. */
function together(model: MapModel, set: number, point: number): HTMLElement | null {
  const tokens = model.sets[set].columns.shares[point]?.together;
  return tokens ? el('span', { class: 'together' }, togetherText(tokens)) : null;
}

/** Counterparts beside the partner, in a line: their numbers open their pages where they have one. */
function othersLine(o: CardOptions): HTMLElement | null {
  const { model, set, point } = o;
  const others = othersOf(model.sets[set], point, o.minR);
  if (others.length === 0) return null;
  const to = 1 - set;
  const each = others.map(({ point: p, r }, k) =>
    el(
      'span',
      { class: 'other' },
      k > 0 ? ' · ' : '',
      idOf(o, to, p),
      ` ${labelLine(labelAt(model.sets[to].columns, p))} ${correlation(r)}`,
    ),
  );
  return el('p', { class: 'others' }, `${o.partner < 0 ? '' : 'also '}${model.sets[to].name}: `, ...each);
}

/** Both features side by side with r between them; the asked one first. */
export function pairCard(o: CardOptions): HTMLElement {
  const { model, set, point, partner } = o;
  const linked = model.twin && partner >= 0;
  const shared = linked
    ? sharedTokens(model, set === 0 ? point : partner, set === 0 ? partner : point)
    : new Set<string>();
  const parts = [side(o, set, point, shared, '')];
  if (linked) {
    const mutual = model.sets[1 - set].partner[partner] === point;
    const role = model.meta.shift ? 'the same token' : mutual ? 'mutual counterpart' : 'counterpart';
    parts.push(side(o, 1 - set, partner, shared, role));
  }
  const r = model.sets[set].r[point];
  const line =
    !model.twin || model.meta.shift
      ? null
      : linked
        ? el(
            'p',
            { class: 'r' },
            el('strong', {}, `${measureOf(model.meta.pairing?.method ?? '')} ${correlation(r)}`),
            ` ${model.sets[set].name} #${model.sets[set].columns.feature[point]} → ${model.sets[1 - set].name} #${model.sets[1 - set].columns.feature[partner]}`,
            shared.size > 0 ? el('span', { class: 'same' }, plural(shared.size, 'shared token')) : null,
            together(model, set, point),
          )
        : el(
            'p',
            { class: 'r' },
            model.sets[set].partner[point] >= 0
              ? `counterpart hidden: ${measureOf(model.meta.pairing?.method ?? '')} ${correlation(r)} is below the threshold`
              : 'no counterpart',
          );
  return el(
    'div',
    { class: linked ? 'pair linked' : 'pair' },
    line,
    othersLine(o),
    el('div', { class: 'sides' }, ...parts),
  );
}

/** One line for the live region. */
export function spokenPair(model: MapModel, { set, point, partner, others }: Linked): string {
  const say = (s: number, p: number) => {
    const { columns, name } = model.sets[s];
    const label = labelLine(labelAt(columns, p)) || 'no label';
    const delta = model.meta.shift ? `, ${shiftStats(model, s, p)}` : '';
    return `${name} ${unitOf(model)} ${idText(model.sets[s], p).replace('#', '')}, ${label}${delta}`;
  };
  if (model.meta.shift) return partner < 0 ? say(set, point) : `${say(set, point)}; ${say(1 - set, partner)}`;
  const { meta, columns } = model.sets[set];
  const firing = meta.unmeasured ? familyText(model.sets[set], point) : `${count(columns.firings[point])} firings`;
  const own = [say(set, point), firing].filter(Boolean).join(', ');
  if (!model.twin) return own;
  const also = others.length > 0 ? `; ${plural(others.length, 'further counterpart')}` : '';
  return partner < 0
    ? `${own}; no counterpart${also}`
    : `${own}; counterpart ${say(1 - set, partner)}, ${measureOf(model.meta.pairing?.method ?? '')} ${correlation(model.sets[set].r[point])}${also}`;
}
