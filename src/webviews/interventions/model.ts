/** What the interventions panel holds, and the pure rules by which it changes. */
import {
  MAX_PINS,
  type InterventionsDescriptor,
  type InterventionSpec,
  type InterventionKind,
  type InterventionsMeta,
  type InterventionPositions,
  type InterventionsSetting,
  type InterventionsSnapshot,
} from '../../protocol/interventions.js';

export type Pin = InterventionsSetting['pins'][number];

export type InterventionsAction =
  | { type: 'prompt'; prompt: string }
  | { type: 'feature'; feature: number; max: number | null }
  | { type: 'kind'; kind: InterventionKind; max: number | null }
  | { type: 'value'; value: number }
  | { type: 'positions'; positions: InterventionPositions }
  | { type: 'token'; index: number }
  | { type: 'sampling'; sampling: Partial<InterventionsSetting['sampling']> }
  | { type: 'pin' }
  | { type: 'unpin'; index: number }
  | { type: 'rename'; index: number; name: string }
  | { type: 'use'; index: number };

export interface Range {
  min: number;
  max: number;
  step: number;
}

/** A step of 1, 2 or 5 × 10ⁿ that cuts the range into about 200. */
function niceStep(span: number): number {
  const rough = span / 200;
  const power = 10 ** Math.floor(Math.log10(rough));
  const share = rough / power;
  return Number(((share >= 5 ? 5 : share >= 2 ? 2 : 1) * power).toPrecision(1));
}

/** Values that the slider offers, from the feature's largest activation; the number field takes any. */
export function rangeOf(kind: InterventionKind, largest: number | null): Range {
  if (kind === 'scale') return { min: -2, max: 6, step: 0.1 };
  const step = niceStep(8 * (largest && largest > 0 ? largest : 10));
  const top = Math.ceil((4 * (largest && largest > 0 ? largest : 10)) / step) * step;
  const max = Number(top.toPrecision(6));
  return kind === 'steer' ? { min: -max, max, step } : { min: 0, max, step };
}

/** Where a kind starts: the largest activation; a factor of 2. */
export function startValue(kind: InterventionKind, largest: number | null): number {
  if (kind === 'ablate') return 0;
  if (kind === 'scale') return 2;
  const { step } = rangeOf(kind, largest);
  const whole = Math.round((largest && largest > 0 ? largest : 10) / step) * step;
  return Number(whole.toPrecision(6));
}

const sameIntervention = (a: InterventionSpec, b: InterventionSpec): boolean =>
  JSON.stringify(bare(a)) === JSON.stringify(bare(b));

/** An intervention without the name of its pin, keys in one order. */
export function bare({ feature, kind, value, positions }: InterventionSpec): InterventionSpec {
  return { feature, kind, value: kind === 'ablate' ? 0 : value, positions };
}

const SIGN: Record<InterventionKind, string> = { steer: 'α', clamp: 'c', scale: '×', ablate: '' };

/** "steer #12 α 3". */
export function nameOf({ feature, kind, value, positions }: InterventionSpec): string {
  const amount = kind === 'ablate' ? '' : ` ${SIGN[kind]} ${String(Number(value.toPrecision(3))).replace('-', '−')}`;
  const where = positions === 'all' ? '' : positions === 'last' ? ', last' : `, ${positions.length} tokens`;
  return `${kind} #${feature}${amount}${where}`;
}

/** The pins that were asked for, by the names that they were given while the kernel worked. */
export const renamed = (pins: Pin[], newest: Pin[]): Pin[] =>
  pins.map((pin) => newest.find((now) => sameIntervention(now, pin)) ?? pin);

/** Whether the current intervention may be pinned; else why not. */
export function whyNoPin(setting: InterventionsSetting): string | null {
  if (setting.pins.length >= MAX_PINS) return `${MAX_PINS} interventions are pinned; remove one first`;
  return setting.pins.some((pin) => sameIntervention(pin, setting.current)) ? 'This intervention is pinned' : null;
}

/** Positions that a prompt of `tokens` tokens has. */
export function within(positions: InterventionPositions, tokens: number): InterventionPositions {
  if (typeof positions === 'string') return positions;
  const kept = positions.filter((p) => p < tokens);
  return kept.length > 0 ? kept : 'all';
}

/** Clicks choose tokens one by one; the last one taken away means all again. */
function toggled(positions: InterventionPositions, index: number): InterventionPositions {
  if (typeof positions === 'string') return [index];
  const rest = positions.filter((p) => p !== index);
  const next = rest.length < positions.length ? rest : [...positions, index].sort((a, b) => a - b);
  return next.length > 0 ? next : 'all';
}

/** The setting after an action of the reader. */
export function reduce(setting: InterventionsSetting, action: InterventionsAction): InterventionsSetting {
  const { current, pins } = setting;
  const change = (part: Partial<InterventionSpec>): InterventionsSetting => ({
    ...setting,
    current: { ...current, ...part },
  });
  switch (action.type) {
    case 'prompt':
      // Tokens chosen by index are other tokens in another text.
      return {
        ...setting,
        prompt: action.prompt,
        current: typeof current.positions === 'string' ? current : { ...current, positions: 'all' },
        pins: pins.map((pin) => (typeof pin.positions === 'string' ? pin : { ...pin, positions: 'all' })),
      };
    case 'feature':
      return change({ feature: action.feature, value: startValue(current.kind, action.max) });
    case 'kind':
      return change({ kind: action.kind, value: startValue(action.kind, action.max) });
    case 'value':
      return Number.isFinite(action.value) ? change({ value: action.value }) : setting;
    case 'positions':
      return change({ positions: action.positions });
    case 'token':
      return change({ positions: toggled(current.positions, action.index) });
    case 'sampling':
      return { ...setting, sampling: { ...setting.sampling, ...action.sampling } };
    case 'pin':
      return whyNoPin(setting) ? setting : { ...setting, pins: [...pins, { ...bare(current), name: nameOf(current) }] };
    case 'unpin':
      return { ...setting, pins: pins.filter((_, i) => i !== action.index) };
    case 'rename': {
      const name = action.name.trim();
      return { ...setting, pins: pins.map((pin, i) => (i === action.index && name ? { ...pin, name } : pin)) };
    }
    case 'use':
      return pins[action.index] ? { ...setting, current: bare(pins[action.index]) } : setting;
  }
}

/** What is asked of the kernel: pinned interventions, and last the current one. */
export function asked(setting: InterventionsSetting): InterventionSpec[] {
  return [...setting.pins.map(bare), bare(setting.current)];
}

/** Kept state as a snapshot; undefined when it is none, or of another panel. */
export function keptSnapshot(state: unknown, descriptor: InterventionsDescriptor): InterventionsSnapshot | undefined {
  const kept = state as { lab?: string; snapshot?: Partial<InterventionsSnapshot> } | undefined;
  const { setting, card, result, generation, hits } = kept?.snapshot ?? {};
  if (kept?.lab !== descriptor.id || !setting || !card || !result || !generation || !hits) return undefined;
  return { setting, card, result, generation, hits };
}

const CALLS: Record<InterventionKind, (i: InterventionSpec) => [name: string, options: string[]]> = {
  steer: ({ value }) => ['steerFeature', [`scale: ${value}`]],
  clamp: ({ value }) => ['clamp', [`value: ${value}`]],
  scale: ({ value }) => ['scale', [`by: ${value}`]],
  ablate: () => ['ablate', []],
};

/** TypeScript of one intervention. */
function callOf(intervention: InterventionSpec, hook: string): string {
  const { feature, kind, positions } = intervention;
  const [name, options] = CALLS[kind](intervention);
  const where = positions === 'all' ? [] : [`positions: ${JSON.stringify(positions)}`];
  const all = [...options, ...where, `hook: ${JSON.stringify(hook)}`].join(', ');
  return `fg.interventions.${name}(model, sae, ${feature}, { ${all} })`;
}

/** A cell that makes the same interventions and compares the same texts. */
export function cellCode(meta: InterventionsMeta, setting: InterventionsSetting): string {
  const { prompt, sampling, current, pins } = setting;
  const named = [...pins, { ...current, name: nameOf(current) }];
  const { tokens, temperature, seed } = sampling;
  return [
    `// model: ${meta.model.name}; sae: ${meta.sae.name}. Put your names for them here:`,
    'const model = lmA, sae = saeA',
    `const prompt = ${JSON.stringify(prompt)}`,
    'const interventions = [',
    ...named.map((each) => `  ${callOf(each, meta.sae.hook)}, // ${each.name.replace(/\s+/g, ' ')}`),
    ']',
    'for (const intervention of interventions) {',
    `  await fg.show(await fg.interventions.compare(model, intervention, prompt, { tokens: ${tokens}, temperature: ${temperature}, seed: ${seed} }))`,
    '}',
    '',
  ].join('\n');
}

/** The experiment with its results, as a file. */
export function exported(meta: InterventionsMeta, snapshot: InterventionsSnapshot): string {
  const { setting, card, result, generation } = snapshot;
  const { label, firingRate, max, promotes } = card;
  return JSON.stringify(
    {
      format: 'fgnb interventions',
      version: 1,
      ...meta,
      setting,
      feature: { label, firingRate, max, promotes },
      result,
      generation,
    },
    null,
    1,
  );
}
