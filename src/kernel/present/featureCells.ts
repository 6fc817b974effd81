/**
 * Numbers of features in tables: which columns they are, and of which SAE. The session names them when it shows the
 * table.
 */
import type { TableDescriptor } from '../../protocol/display.js';
import { MIME } from '../../protocol/mime.js';
import type { Json, OutputItem } from '../../protocol/notebook.js';
import { fromPlainJson } from '../../protocol/objects.js';

/** Identity of an SAE, or the key under which each row has it. */
type SaeOf = string | { readonly key: string };

/** Key of rows under which the identity of their SAE may stand. */
export const SAE_ID = 'SAE identity';

/** The table with these columns, by key, as features of these SAEs; identities in rows are no column. */
export function ofFeatures(table: TableDescriptor, columns: Readonly<Record<string, SaeOf>>): TableDescriptor {
  return {
    ...table,
    columns: table.columns
      .filter(({ key }) => key !== SAE_ID)
      .map((column) =>
        Object.hasOwn(columns, column.key) ? { ...column, type: 'feature', sae: columns[column.key] } : column,
      ),
  };
}

/** The features of a table by SAE, each once, in the order of the rows. */
export function featuresIn({ columns, rows }: TableDescriptor): Map<string, number[]> {
  const found = new Map<string, Set<number>>();
  for (const row of rows)
    for (const { key, type, sae } of columns) {
      const id = typeof sae === 'object' ? row[sae.key] : sae;
      const feature = row[key];
      if (type !== 'feature' || typeof id !== 'string' || !Number.isInteger(feature)) continue;
      const of = found.get(id) ?? new Set();
      found.set(id, of.add(feature as number));
    }
  return new Map([...found].map(([id, features]) => [id, [...features]]));
}

/** The table of an item; undefined where it is none. */
export const tableIn = ({ mime, json }: OutputItem): TableDescriptor | undefined =>
  mime === MIME.table && json !== undefined ? fromPlainJson<TableDescriptor>(json) : undefined;

/** The item with the names of its features. */
export const named = (item: OutputItem, saes: TableDescriptor['saes']): OutputItem => ({
  ...item,
  json: { ...(item.json as object), saes: JSON.parse(JSON.stringify(saes)) as Json } as Json,
});
