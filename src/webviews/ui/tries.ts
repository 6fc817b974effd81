/** What a try says: which features fire on a token, how strongly a feature fires along the text, which tokens go together. */
import type { PointLabel } from '../../protocol/tokens.js';
import type { TriedSide, Try } from '../../protocol/prompt.js';

export interface Fired {
  feature: number;
  value: number;
}

/** A token of one side. */
export interface TokenAt {
  side: number;
  token: number;
}

/** Features that fire on one of the tokens, with the largest activation there, the strongest first. */
export function firingOn({ at, features, values }: TriedSide, tokens: readonly number[]): Fired[] {
  const largest = new Map<number, number>();
  for (const t of tokens)
    for (let e = at[t]; e < at[t + 1]; e++)
      largest.set(features[e], Math.max(values[e], largest.get(features[e]) ?? -Infinity));
  return [...largest]
    .map(([feature, value]) => ({ feature, value }))
    .sort((a, b) => b.value - a.value || a.feature - b.feature);
}

/** Activation of a feature on every token. */
export function along({ tokens, at, features, values }: TriedSide, feature: number): number[] {
  return tokens.map((_, t) => {
    for (let e = at[t]; e < at[t + 1]; e++) if (features[e] === feature) return values[e];
    return 0;
  });
}

/** Tokens of a side that stand on the same text as a token of another side; [] where there are none. */
export function together({ sides }: Try, chosen: TokenAt, side: number): number[] {
  if (side === chosen.side) return [chosen.token];
  // Stretches of every side are those of its text and the first side's.
  const inFirst = tokensInFirst(sides[chosen.side], chosen.token);
  if (side === 0) return inFirst;
  const { stretches } = sides[side];
  if (!stretches) return inFirst;
  const wanted = new Set(inFirst.map((t) => stretches.first[t]).filter((s) => s >= 0));
  return stretches.own.flatMap((s, t) => (wanted.has(s) ? t : []));
}

function tokensInFirst({ stretches }: TriedSide, token: number): number[] {
  if (!stretches) return [token];
  const stretch = stretches.own[token];
  return stretch < 0 ? [] : stretches.first.flatMap((s, t) => (s === stretch ? t : []));
}

/** What the try says that a feature is called. */
export function labelIn({ labels }: TriedSide, feature: number): PointLabel {
  return labels?.find(([f]) => f === feature)?.[1] ?? [];
}

/** The last token with something to see: where a reader begins. */
export function firstToken({ sides }: Try): TokenAt {
  const [{ tokens, at }] = sides;
  for (let t = tokens.length - 1; t >= 0; t--) if (at[t + 1] > at[t]) return { side: 0, token: t };
  return { side: 0, token: Math.max(0, tokens.length - 1) };
}

/** Tries of two lists, each text once, the newer of two; oldest first. */
export function merged(older: readonly Try[], newer: readonly Try[]): Try[] {
  const texts = new Set(newer.map(({ text }) => text));
  return [...older.filter(({ text }) => !texts.has(text)), ...newer];
}
