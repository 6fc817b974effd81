/**
 * Labels and dataset examples of a bundle in few bytes: every token of every text stands once, an example is a place in it
 * with the code of what fires there (shown.ts). About 6 bytes an example, where its JSON has 300. What is not of the form
 * that the kernel writes is refused, and stays JSON.
 */
import type { FeatureExample, LinkedLabel } from '../bundle.js';
import { maxOf } from '../lists.js';
import { isRecord } from '../objects.js';
import type { FeatureLabel, TokenShare } from '../tokens.js';
import { encodeSections, Numbers, zigzag } from './sections.js';
import { shareCode, valueCode } from './shown.js';

/** How a label is kept: words alone, with shares, with those of the pair too. */
export const LABEL = { words: 0, shares: 1, together: 2 } as const;
/** Of an example: no band, that of the example before it, one that is told here. */
export const BAND = { none: 0, same: 1, told: 2 } as const;
/** Column of peaks: these are the peaks of the first examples, as the kernel makes them; k: k - 1 tokens are told. */
export const PEAKS_OF_EXAMPLES = 0;

/** Peak tokens that a label has of its examples. */
export const PEAKS = 5;

/** Where runs of these lengths begin, [n + 1]. */
export function startsOf(lengths: Uint32Array): Uint32Array {
  const out = new Uint32Array(lengths.length + 1);
  lengths.forEach((n, i) => (out[i + 1] = out[i] + n));
  return out;
}

/** The run that has this place. */
export function runAt(starts: Uint32Array, at: number): number {
  let [low, high] = [0, starts.length - 2];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** What cannot be packed. */
export class UnpackableError extends Error {}

function expectThat(ok: boolean, what: string): asserts ok {
  if (!ok) throw new UnpackableError(what);
}

const isWhole = (v: unknown): v is number => typeof v === 'number' && v >>> 0 === v;
const isWords = (v: unknown): v is string[] => Array.isArray(v) && v.every((each) => typeof each === 'string');

function hasKeys(value: object, needed: readonly string[], more: readonly string[] = []): boolean {
  const keys = Object.keys(value);
  return needed.every((key) => keys.includes(key)) && keys.every((key) => needed.includes(key) || more.includes(key));
}

function coded(value: number): number {
  const code = valueCode(value);
  expectThat(code !== null, `the activation ${value}`);
  return code;
}

/** Tokens as numbers, in the order in which they come. */
class Vocabulary {
  private readonly ids = new Map<string, number>();

  id(token: string): number {
    let id = this.ids.get(token);
    if (id === undefined) this.ids.set(token, (id = this.ids.size));
    return id;
  }

  /** The tokens with the most frequent first, and the place of each number among them. */
  byFrequency(uses: readonly Uint32Array[]): { tokens: string[]; places: Uint32Array } {
    const count = new Float64Array(this.ids.size);
    for (const list of uses) for (const id of list) count[id]++;
    const order = [...count.keys()].sort((a, b) => count[b] - count[a] || a - b);
    const places = new Uint32Array(order.length);
    order.forEach((id, place) => (places[id] = place));
    const all = [...this.ids.keys()];
    return { tokens: order.map((id) => all[id]), places };
  }
}

/** Token ids of a text by position; what no window covers is not there. */
type Text = Array<number | undefined>;

/** The texts that examples are windows of. Where windows of one sequence contradict each other there are several of it. */
class Texts {
  private readonly of = new Map<number, Text[]>();

  /** The text that has these tokens from here on, or may have them. */
  place(sequence: number, start: number, ids: readonly number[]): Text {
    let texts = this.of.get(sequence);
    if (!texts) this.of.set(sequence, (texts = []));
    let text = texts.find((each) => ids.every((id, t) => (each[start + t] ?? id) === id));
    if (!text) texts.push((text = []));
    for (let t = 0; t < ids.length; t++) text[start + t] = ids[t];
    return text;
  }

  /** All tokens in runs of neighbours; replaces in every text the ids by the places of its tokens in the pool. */
  pool(): { pool: Numbers; runs: Record<'runSequence' | 'runStart' | 'runLength', Numbers> } {
    const pool = new Numbers();
    const runs = { runSequence: new Numbers(), runStart: new Numbers(), runLength: new Numbers() };
    for (const sequence of [...this.of.keys()].sort((a, b) => a - b))
      for (const text of this.of.get(sequence)!) {
        let start = -1;
        let end = -1;
        const close = (): void => {
          if (start < 0) return;
          runs.runSequence.push(sequence);
          runs.runStart.push(start);
          runs.runLength.push(end - start);
        };
        text.forEach((id, position) => {
          if (position !== end) {
            close();
            start = position;
          }
          end = position + 1;
          text[position] = pool.length;
          pool.push(id!);
        });
        close();
      }
    return { pool, runs };
  }
}

const COLUMNS = [
  ...['label', 'words', 'word', 'share', 'peaks', 'peakWord', 'pairWords', 'pairWord', 'pairShare'],
  ...['examples', 'value', 'fired', 'firedAt', 'firedValue'],
  ...['band', 'bandFrom', 'bandTo', 'bandFirings'],
] as const;

/** Takes the points of all sets, one after the other. */
export class TextPacker {
  private readonly vocabulary = new Vocabulary();
  private readonly texts = new Texts();
  private readonly columns = Object.fromEntries(COLUMNS.map((name) => [name, new Numbers()])) as Record<
    (typeof COLUMNS)[number],
    Numbers
  >;
  private readonly places: Array<{ text: Text; position: number }> = [];
  private readonly windows: Array<{ peak: number; after: number }> = [];
  private readonly points: number[] = [];

  /** The next set begins. */
  set(): void {
    this.points.push(0);
  }

  /** The next point of the set. @throws UnpackableError for a label or examples of another form */
  add(label: LinkedLabel | readonly string[], examples: readonly FeatureExample[]): void {
    this.points[this.points.length - 1]++;
    this.addLabel(label, examples);
    this.columns.examples.push(examples.length);
    let before: FeatureExample | undefined;
    for (const example of examples) {
      expectThat(isExample(example), 'an example');
      this.addExample(example, before);
      before = example;
    }
  }

  private addLabel(label: LinkedLabel | readonly string[], examples: readonly FeatureExample[]): void {
    const { columns } = this;
    if (isWords(label)) {
      columns.label.push(LABEL.words);
      this.addWords('words', 'word', label);
      return;
    }
    expectThat(isRecord(label) && hasKeys(label, ['tokens', 'peaks'], ['together']), 'a label');
    const { tokens, peaks, together } = label as LinkedLabel;
    columns.label.push(together ? LABEL.together : LABEL.shares);
    this.addShares('words', 'word', 'share', tokens);
    if (together) this.addShares('pairWords', 'pairWord', 'pairShare', together);
    this.addPeaks(peaks, examples);
  }

  private addWords(count: 'words' | 'pairWords', word: 'word' | 'pairWord', words: readonly string[]): void {
    this.columns[count].push(words.length);
    for (const each of words) this.columns[word].push(this.vocabulary.id(each));
  }

  private addShares(
    count: 'words' | 'pairWords',
    word: 'word' | 'pairWord',
    column: 'share' | 'pairShare',
    shares: readonly TokenShare[],
  ): void {
    expectThat(Array.isArray(shares), 'shares');
    const fit = shares.every((each) => isRecord(each) && hasKeys(each, ['token', 'share']));
    expectThat(fit && isWords(shares.map(({ token }) => token)), 'the tokens of a label');
    this.addWords(count, word, shares.map(({ token }) => token)); // prettier-ignore
    for (const { share } of shares) {
      const code = typeof share === 'number' ? shareCode(share) : null;
      expectThat(code !== null, `the share ${share}`);
      this.columns[column].push(code);
    }
  }

  private addPeaks(peaks: FeatureLabel['peaks'], examples: readonly FeatureExample[]): void {
    expectThat(isWords(peaks), 'the peaks of a label');
    const told = !equal(peaks, peaksOf(examples));
    this.columns.peaks.push(told ? peaks.length + 1 : PEAKS_OF_EXAMPLES);
    if (told) for (const peak of peaks) this.columns.peakWord.push(this.vocabulary.id(peak));
  }

  private addExample(example: FeatureExample, before: FeatureExample | undefined): void {
    const { sequence, position, value, tokens, peak, activations, band } = example;
    const { columns } = this;
    const ids = tokens.map((token) => this.vocabulary.id(token));
    this.places.push({ text: this.texts.place(sequence, position - peak, ids), position });
    this.windows.push({ peak, after: tokens.length - peak });
    this.addBand(band, before);
    const code = coded(value);
    expectThat(coded(activations[peak]) === code, 'an activation that is not that of its peak');
    columns.value.push(zigzag(code - (band ? coded(band.to) : before ? coded(before.value) : 0)));
    let fired = 0;
    for (let t = 0; t < activations.length; t++) {
      if (t === peak || activations[t] === 0) continue;
      fired++;
      columns.firedAt.push(t);
      columns.firedValue.push(zigzag(coded(activations[t]) - code));
    }
    columns.fired.push(fired);
  }

  private addBand(band: FeatureExample['band'], before: FeatureExample | undefined): void {
    const { columns } = this;
    const last = before?.band;
    if (!band) return columns.band.push(BAND.none);
    const same = band.from === last?.from && band.to === last.to && band.firings === last.firings;
    columns.band.push(same ? BAND.same : BAND.told);
    if (same) return;
    columns.bandTo.push(zigzag(coded(band.to) - (last ? coded(last.from) : before ? coded(before.value) : 0)));
    columns.bandFrom.push(zigzag(coded(band.from) - coded(band.to)));
    columns.bandFirings.push(band.firings);
  }

  /** The largest window, and what each lacks of it that the ends of its run do not take. */
  private windowsOf(
    runs: Record<'runStart' | 'runLength', Numbers>,
    at: Uint32Array,
  ): { window: Window; lacking: Record<'before' | 'after', Uint32Array> } {
    const largest = (of: 'peak' | 'after'): number => maxOf([0], this.windows.map((each) => each[of])); // prettier-ignore
    const window = { before: largest('peak'), after: largest('after') };
    const starts = startsOf(runs.runLength.values);
    const lacking = { before: new Uint32Array(at.length), after: new Uint32Array(at.length) };
    this.windows.forEach(({ peak, after }, e) => {
      const run = runAt(starts, at[e]);
      lacking.before[e] = Math.min(window.before, at[e] - starts[run]) - peak;
      lacking.after[e] = Math.min(window.after, starts[run + 1] - at[e]) - after;
    });
    return { window, lacking };
  }

  /** All of it as bytes, to be compressed. */
  bytes(): Uint8Array {
    const { pool, runs } = this.texts.pool();
    const at = Uint32Array.from(this.places, ({ text, position }) => text[position]!);
    const { window, lacking } = this.windowsOf(runs, at);
    const { word, peakWord, pairWord } = this.columns;
    const { tokens, places } = this.vocabulary.byFrequency([pool, word, peakWord, pairWord].map((n) => n.values));
    for (const { values } of [pool, word, peakWord, pairWord]) values.forEach((id, i) => (values[i] = places[id]));
    const columns = { ...this.columns, ...runs, pool };
    const all = Object.fromEntries(Object.entries(columns).map(([name, { values }]) => [name, values]));
    return encodeSections(
      { version: 1, points: this.points, tokens, window: { ...window } },
      { ...all, ...lacking, at },
    );
  }
}

/** Tokens that a window has around its peak, the peak among those behind, where its run has so many. */
export interface Window {
  before: number;
  after: number;
}

const KEYS = ['sequence', 'position', 'value', 'tokens', 'peak', 'activations'];

/** Whether a value is an example as the kernel writes them. */
export function isExample(example: unknown): example is FeatureExample {
  if (!isRecord(example) || !hasKeys(example, KEYS, ['band'])) return false;
  const { sequence, position, value, tokens, peak, activations, band } = example;
  const whole = isWhole(sequence) && isWhole(position) && isWhole(peak) && peak <= position;
  const fits = isWords(tokens) && Array.isArray(activations) && activations.length === tokens.length;
  if (!whole || !fits || peak >= tokens.length || typeof value !== 'number') return false;
  if (!activations.every((each) => typeof each === 'number')) return false;
  if (band === undefined) return true;
  const ends = isRecord(band) && hasKeys(band, ['from', 'to', 'firings']) && isWhole(band.firings);
  return ends && typeof band.from === 'number' && typeof band.to === 'number';
}

/** The peak tokens of the first examples that are of no band. */
function peaksOf(examples: readonly FeatureExample[]): string[] {
  const banded = examples.findIndex(({ band }) => band !== undefined);
  const top = examples.slice(0, Math.min(PEAKS, banded < 0 ? PEAKS : banded));
  return top.map(({ tokens, peak }) => tokens[peak]);
}

const equal = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((each, i) => each === b[i]);
