/** What the list of results says of one: read from a record that may hold anything. */

/** A record as it lies in the artifact folder, as far as the list reads it. */
export interface Artifact {
  /** Path of the record. */
  file: string;
  id: string;
  kind: string;
  title?: string;
  created?: string;
  wallMs?: number;
  note?: string;
  /** Notebook, cell and key figures that made it. */
  notebook?: string;
  cell?: string;
  keyFigures: Array<[name: string, value: string]>;
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The artifact of a record; undefined for what is none. */
export function artifactOf(record: unknown, file: string, folder: string): Artifact | undefined {
  if (!isObject(record)) return undefined;
  const madeBy = isObject(record.madeBy) ? record.madeBy : {};
  const figures = isObject(madeBy.keyFigures) ? Object.entries(madeBy.keyFigures) : [];
  return {
    file,
    id: textOf(record.id) ?? folder,
    kind: textOf(record.kind) ?? 'artifact',
    title: textOf(record.title),
    created: textOf(record.created),
    wallMs: typeof record.wallMs === 'number' ? record.wallMs : undefined,
    note: textOf(record.note),
    notebook: textOf(madeBy.notebook),
    cell: textOf(madeBy.cell),
    keyFigures: figures.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  };
}

/** The line of an artifact: its note comes first, since someone wrote it to find the result by. */
export function artifactLine({ kind, id, title, note, wallMs }: Artifact): { label: string; description: string } {
  const seconds = wallMs === undefined ? '' : `${(wallMs / 1000).toFixed(1)} s`;
  const parts = [note?.replace(/\s+/g, ' '), title ? kind : '', id.slice(0, 8), seconds];
  return { label: title ?? kind, description: parts.filter(Boolean).join(' · ') };
}

/** Where it came from and what was written about it, a line each. */
export function artifactDetails({ kind, id, created, note, notebook, cell, keyFigures }: Artifact): string[] {
  const made = created === undefined ? '' : new Date(created).toLocaleString();
  const by = [notebook, cell && `cell ${cell}`].filter(Boolean).join(', ');
  return [
    `${kind} ${id}`,
    ...(note ? [`Note: ${note}`] : []),
    ...(made || by ? [[made, by && `made by ${by}`].filter(Boolean).join(', ')] : []),
    ...keyFigures.map(([name, value]) => `${name}: ${value}`),
  ];
}
