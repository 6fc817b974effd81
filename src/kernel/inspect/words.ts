/** An inspection in words, as shown. */
import { formatBytes } from '../../protocol/bytes.js';
import { clip } from '../../protocol/clip.js';
import type { Inspection, TensorFact } from './types.js';

/** A string of a cell. */
export const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

const number = (n: number): string => n.toLocaleString('en');

/** Lines of tensors that are shown. */
const MOST_LINES = 60;

export function inspectionText(found: Inspection): string {
  const where = found.repository
    ? ` (${found.repository.type} repository, commit ${found.repository.commit.slice(0, 8)})`
    : '';
  return [
    `${found.path}${where}: ${found.format}`,
    ...facts(found).map((line) => `  ${line}`),
    ...section('Tensors', tensorLines(found.tensors)),
    ...section(
      'SAEs inside',
      shortened(found.saes, (name) => name),
    ),
    ...section(
      'Kept results',
      shortened(found.artifacts, ({ id, title, kind }) => `${id.slice(0, 8)}  ${clip(title ?? kind)}`),
    ),
    ...section(
      'Unusual',
      found.unusual.map(({ severity, text }) => `${severity}: ${text}`),
    ),
    ...section(
      'Loads by',
      found.load === null ? [] : [found.load + (found.loads ? '' : '   // when what is refused is mended')],
    ),
  ].join('\n');
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];

function shortened<T>(items: readonly T[], line: (item: T) => string): string[] {
  const lines = items.slice(0, MOST_LINES).map(line);
  return items.length > MOST_LINES ? [...lines, `and ${number(items.length - MOST_LINES)} more`] : lines;
}

function facts({ model, sae, tokenizer, dataset, tensors, parameters, memory, values, files }: Inspection): string[] {
  const lines: string[] = [];
  if (model)
    lines.push(
      `family      ${model.family}: ${model.layers} layers of width ${number(model.width)}, ${model.heads} heads${model.kvHeads === model.heads ? '' : ` (${model.kvHeads} of keys and values)`}, MLP ${number(model.mlpWidth)}, context ${number(model.context)}, vocabulary ${number(model.vocabulary)}`,
      `hooks       ${model.hooks[0]} … ${model.hooks[1]}`,
    );
  if (sae)
    lines.push(
      `SAE         ${[sae.architecture ?? 'architecture not said', sae.k === null ? '' : `k ${sae.k}`, `${size(sae.dIn)} → ${size(sae.dSae)}${sae.dOut === sae.dIn ? '' : ` → ${size(sae.dOut)}`}`].filter(Boolean).join(', ')}`,
      `hook        ${sae.hook ?? 'not said'}${sae.hookOut ? `, predicts ${sae.hookOut}` : ''}${sae.model ? `, of ${sae.model}` : ''}`,
    );
  if (tokenizer)
    lines.push(
      `tokenizer   ${tokenizer.kind}, ${number(tokenizer.vocabulary)} tokens; begin ${tokenizer.bosId ?? 'none'}${tokenizer.addsBos ? ' (added)' : ''}, end ${tokenizer.eosId ?? 'none'}, padding ${tokenizer.padId ?? 'none'}`,
    );
  if (dataset)
    lines.push(
      `columns     ${dataset.columns.map(({ name, type }) => `${name} (${type})`).join(', ') || 'told when it is read'}${dataset.rows === null ? '' : `; ${number(dataset.rows)} rows`}`,
    );
  if (tensors.length > 0) {
    const types = [...new Set(tensors.map(({ dtype }) => dtype ?? 'a type that is not read'))].join(', ');
    lines.push(
      `parameters  ${number(parameters)}, stored as ${types}`,
      `memory      ${formatBytes(memory.stored)} as stored, ${formatBytes(memory.float32)} in float32, ${formatBytes(memory.bf16)} with matrices in bf16`,
      `values      ${values.looked === 0 ? 'not looked at' : `${formatBytes(values.looked)} of ${formatBytes(values.of)} looked at for NaN and infinity`}`,
    );
  }
  return lines.length > 0 ? lines : shortened(files, ({ path, bytes }) => `${path}  ${formatBytes(bytes)}`);
}

const size = (n: number | null): string => (n === null ? '?' : number(n));

/** Tensors that differ by the number of their layer alone are one line. */
function tensorLines(tensors: readonly TensorFact[]): string[] {
  const groups = new Map<string, { first: TensorFact; numbers: Set<string>; count: number }>();
  for (const tensor of tensors) {
    const pattern = tensor.name.replace(/(^|\.)\d+(?=\.)/, '$1{}');
    const key = `${pattern} ${tensor.dtype} ${tensor.shape.join()}`;
    const group = groups.get(key) ?? { first: tensor, numbers: new Set<string>(), count: 0 };
    group.numbers.add(/(?:^|\.)(\d+)(?=\.)/.exec(tensor.name)?.[1] ?? '');
    group.count++;
    groups.set(key, group);
  }
  const rows = [...groups.values()].map(({ first, numbers, count }) => {
    const [low, high] = [[...numbers][0], [...numbers].at(-1)];
    const name = count > 1 ? first.name.replace(/(^|\.)\d+(?=\.)/, `$1{${low}…${high}}`) : first.name;
    return [clip(name, 100), `${first.dtype ?? '?'} [${first.shape.join(', ')}]`, count > 1 ? `× ${count}` : ''];
  });
  const width = rows.reduce((most, [name]) => Math.max(most, name.length), 0);
  return shortened(rows, ([name, type, times]) => [name.padEnd(width), type, times].filter(Boolean).join('  '));
}
