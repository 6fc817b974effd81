/** Help texts of verbs for places without an editor: Jupyter, or a cell of its own. */
import type { Described } from './option.js';

const HELP = new WeakMap<object, () => string>();

/** What the help of a verb contains. */
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

/** Returns the same function after registering its help for helpOf. */
export function helped<F extends object>(call: F, name: string, told: Told): F {
  HELP.set(call, () => helpText(name, told));
  return call;
}

/** The help of a verb of `fg`; undefined for any other value. */
export const helpOf = (value: object): string | undefined => HELP.get(value)?.();
