/** What a verb says of itself where there is no editor: in Jupyter, on a line of its own. */
import type { Described } from './option.js';

const HELP = new WeakMap<object, () => string>();

/** What is told of a verb. */
interface Told {
  readonly doc: string;
  readonly args: ReadonlyArray<{ readonly name: string; readonly doc: string }>;
  readonly options: Readonly<Record<string, Described>>;
}

function optionLine(name: string, { doc, expected, telling, fallback, required }: Described): string {
  const left = required ? 'required' : fallback === undefined ? undefined : `default ${fallback}`;
  const rest = [telling ? expected : undefined, left].filter((words) => words !== undefined);
  return `  ${name}: ${doc}${rest.length > 0 ? ` (${rest.join('; ')})` : ''}`;
}

/** "fg.mapper.graph(points, options)", what it does, its arguments and options. */
function helpText(name: string, { doc, args, options }: Told): string {
  const named = Object.entries(options);
  const given = [...args.map((arg) => arg.name), ...(named.length > 0 ? ['options'] : [])];
  return [
    `${name}(${given.join(', ')})`,
    doc,
    ...(args.length > 0 ? ['', ...args.map((arg) => `${arg.name}: ${arg.doc}`)] : []),
    ...(named.length > 0 ? ['', 'options:', ...named.map(([option, of]) => optionLine(option, of))] : []),
  ].join('\n');
}

/** The same function, of which helpOf now knows. */
export function helped<F extends object>(call: F, name: string, told: Told): F {
  HELP.set(call, () => helpText(name, told));
  return call;
}

/** Help of what `fg` has; undefined for anything else. */
export const helpOf = (value: object): string | undefined => HELP.get(value)?.();
