/** Reads what texts.ts packed: labels and examples of a point when they are asked for. */
import type { ExampleBand, FeatureExample, LinkedLabel } from '../bundle.js';
import { isRecord } from '../objects.js';
import type { TokenShare } from '../tokens.js';
import { decodeSections, unzigzag } from './sections.js';
import { shareOfCode, valueOfCode } from './shown.js';
import { BAND, LABEL, PEAKS, PEAKS_OF_EXAMPLES, runAt, type Window } from './texts.js';

const isWindow = (v: unknown): v is Window => isRecord(v) && [v.before, v.after].every((n) => Number.isSafeInteger(n));

/** Tokens of a window: far above what is written. */
const MAX_WINDOW = 2 ** 20;

/** Where the parts of each point begin: sums of counts, [n + 1]. */
function starts(counts: Iterable<number> & { length: number }, damaged: () => Error, end: number): Uint32Array {
  const out = new Uint32Array(counts.length + 1);
  let [at, i] = [0, 0];
  for (const n of counts) {
    if ((at += n) > end) throw damaged();
    out[++i] = at;
  }
  return out;
}

export class PackedTexts {
  private readonly tokens: string[];
  private readonly firstPoint: Uint32Array;
  private readonly column: (name: string) => Uint32Array;
  private readonly at: Record<'words' | 'pairWords' | 'peaks' | 'shared' | 'examples' | 'fired' | 'bands', Uint32Array>;
  private readonly runs: Uint32Array;
  private readonly window: Window;
  private readonly damaged: () => Error;

  /** @throws Error that names `where` when these are not the packed texts of so many points per set */
  constructor(bytes: Uint8Array, where: string) {
    const { head, column } = decodeSections(bytes, where);
    this.damaged = () => new Error(`${where} is damaged: export the page again.`);
    const { version, points, tokens, window } = head;
    const lists = Array.isArray(points) && Array.isArray(tokens) && tokens.every((t) => typeof t === 'string');
    if (version !== 1 || !lists || !isWindow(window) || !points.every((n) => Number.isSafeInteger(n) && n >= 0))
      throw this.damaged();
    this.tokens = tokens as string[];
    this.column = column;
    this.window = window;
    this.firstPoint = this.sums(points as number[], column('label').length);
    this.runs = this.sums(column('runLength'), column('pool').length);
    const label = column('label');
    const shares = label.map((kind) => (kind === LABEL.words ? 0 : 1));
    const of = (kinds: Uint32Array, counts: Uint32Array, end: number): Uint32Array => this.spread(kinds, counts, end);
    this.at = {
      words: this.sums(column('words'), column('word').length),
      shared: this.sums(shares, column('peaks').length),
      pairWords: of(label.map((kind) => (kind === LABEL.together ? 1 : 0)), column('pairWords'), column('pairWord').length), // prettier-ignore
      peaks: this.sums(column('peaks').map((n) => Math.max(0, n - 1)), column('peakWord').length), // prettier-ignore
      examples: this.sums(column('examples'), column('at').length),
      fired: this.sums(column('fired'), column('firedAt').length),
      bands: this.sums(column('band').map((kind) => (kind === BAND.told ? 1 : 0)), column('bandTo').length), // prettier-ignore
    };
  }

  private sums(counts: Iterable<number> & { length: number }, end: number): Uint32Array {
    return starts(counts, this.damaged, end);
  }

  /** The same of counts that only some points have. */
  private spread(has: Uint32Array, counts: Uint32Array, end: number): Uint32Array {
    let next = 0;
    return this.sums(Uint32Array.from(has, (one) => (one ? (counts[next++] ?? end + 1) : 0)), end); // prettier-ignore
  }

  /** Labels of a set, by point. */
  labels(set: number): Array<LinkedLabel | readonly string[]> {
    const [from, to] = [this.firstPoint[set], this.firstPoint[set + 1]];
    if (to === undefined) return [];
    return Array.from({ length: to - from }, (_, i) => this.label(from + i));
  }

  private label(p: number): LinkedLabel | readonly string[] {
    const kind = this.column('label')[p];
    const { words, pairWords, shared, peaks } = this.at;
    if (kind === LABEL.words) return [...this.column('word').subarray(words[p], words[p + 1])].map((id) => this.token(id)); // prettier-ignore
    const k = shared[p];
    const told = this.column('peaks')[k] !== PEAKS_OF_EXAMPLES;
    return {
      tokens: this.shares('word', 'share', words[p], words[p + 1], this.sharesBefore(p)),
      peaks: told
        ? [...this.column('peakWord').subarray(peaks[k], peaks[k + 1])].map((id) => this.token(id))
        : this.peaksOfExamples(p),
      ...(kind === LABEL.together && {
        together: this.shares('pairWord', 'pairShare', pairWords[p], pairWords[p + 1], 0),
      }),
    };
  }

  /** What peaksOf gives of its examples. */
  private peaksOfExamples(p: number): string[] {
    const { examples } = this.at;
    const [at, band, pool] = ['at', 'band', 'pool'].map((name) => this.column(name));
    const peaks: string[] = [];
    for (let e = examples[p]; e < examples[p + 1] && peaks.length < PEAKS && band[e] === BAND.none; e++)
      peaks.push(this.token(pool[at[e]]));
    return peaks;
  }

  private wordsAlone: Uint32Array | undefined;

  /** Words of labels without shares before a point: the column of shares lacks them. */
  private sharesBefore(p: number): number {
    if (!this.wordsAlone) {
      const [label, words] = [this.column('label'), this.column('words')];
      this.wordsAlone = this.sums(label.map((kind, i) => (kind === LABEL.words ? words[i] : 0)), Infinity); // prettier-ignore
    }
    return this.wordsAlone[p];
  }

  private shares(word: string, share: string, from: number, to: number, missing: number): TokenShare[] {
    const [words, codes] = [this.column(word), this.column(share)];
    return Array.from({ length: to - from }, (_, i) => ({
      token: this.token(words[from + i]),
      share: shareOfCode(codes[from + i - missing]),
    }));
  }

  private token(id: number): string {
    const token = this.tokens[id];
    if (token === undefined) throw this.damaged();
    return token;
  }

  /** Examples of a point of a set. */
  examples(set: number, point: number): FeatureExample[] {
    const p = this.firstPoint[set] + point;
    const out: FeatureExample[] = [];
    let [last, band, bandCode]: [number, ExampleBand | undefined, [from: number, to: number]] = [0, undefined, [0, 0]];
    const { examples, bands } = this.at;
    const column = (name: string, i: number): number => this.column(name)[i];
    for (let e = examples[p]; e < examples[p + 1]; e++) {
      const kind = column('band', e);
      if (kind === BAND.none) band = undefined;
      else if (kind === BAND.told) {
        const b = bands[e];
        const to: number = (band ? bandCode[0] : last) + unzigzag(column('bandTo', b));
        const from: number = to + unzigzag(column('bandFrom', b));
        bandCode = [from, to];
        band = { from: valueOfCode(from), to: valueOfCode(to), firings: column('bandFirings', b) };
      }
      const code = (band ? bandCode[1] : last) + unzigzag(column('value', e));
      out.push(this.example(e, code, band));
      last = code;
    }
    return out;
  }

  private example(e: number, code: number, band: ExampleBand | undefined): FeatureExample {
    const [at, before, after] = ['at', 'before', 'after'].map((name) => this.column(name)[e]);
    const run = runAt(this.runs, at);
    const peak = Math.min(this.window.before, at - this.runs[run]) - before;
    const length = peak + Math.min(this.window.after, this.runs[run + 1] - at) - after;
    if (peak < 0 || length <= peak || length > MAX_WINDOW) throw this.damaged();
    const [begin, pool] = [at - peak, this.column('pool')];
    const activations = new Array<number>(length).fill(0);
    activations[peak] = valueOfCode(code);
    for (let f = this.at.fired[e]; f < this.at.fired[e + 1]; f++) {
      const t = this.column('firedAt')[f];
      if (t >= length) throw this.damaged();
      activations[t] = valueOfCode(code + unzigzag(this.column('firedValue')[f]));
    }
    return {
      sequence: this.column('runSequence')[run],
      position: this.column('runStart')[run] + at - this.runs[run],
      value: activations[peak],
      tokens: Array.from(pool.subarray(begin, begin + length), (id) => this.token(id)),
      peak,
      activations,
      ...(band && { band }),
    };
  }
}
