/** A writer of minimal parquet files (plain encoding, one row group): what texts.test.ts reads. */
import { gzipSync } from 'node:zlib';

type Column = { name: string; strings: string[] } | { name: string; lists: bigint[][] };
type Field = [
  id: number,
  value: number | bigint | string | Field[] | Array<number | string | Field[]>,
  type: 'i32' | 'i64' | 'text' | 'struct' | 'i32s' | 'texts' | 'structs',
];

const varint = (n: number | bigint): number[] => {
  const out: number[] = [];
  for (let v = BigInt(n); ; v >>= 7n) {
    if (v < 128n) return [...out, Number(v)];
    out.push(Number(v & 127n) | 128);
  }
};
const zigzag = (n: number | bigint): number[] => varint(BigInt(n) * 2n);
const utf8 = (text: string): number[] => [...new TextEncoder().encode(text)];
const text = (value: string): number[] => [...varint(utf8(value).length), ...utf8(value)];
const u32 = (n: number): number[] => [n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24];

/** Thrift's compact protocol. */
function struct(fields: Field[]): number[] {
  const out: number[] = [];
  let last = 0;
  for (const [id, value, type] of fields) {
    const code = { i32: 5, i64: 6, text: 8, struct: 12, i32s: 9, texts: 9, structs: 9 }[type];
    out.push(((id - last) << 4) | code);
    last = id;
    if (type === 'i32' || type === 'i64') out.push(...zigzag(value as number));
    else if (type === 'text') out.push(...text(value as string));
    else if (type === 'struct') out.push(...struct(value as Field[]));
    else {
      const items = value as Array<number | string | Field[]>;
      out.push((items.length << 4) | { i32s: 5, texts: 8, structs: 12 }[type]);
      for (const item of items)
        out.push(
          ...(type === 'i32s'
            ? zigzag(item as number)
            : type === 'texts'
              ? text(item as string)
              : struct(item as Field[])),
        );
    }
  }
  return [...out, 0];
}

/** Levels of one bit as runs of equal values. */
function levels(values: number[]): number[] {
  const runs: number[] = [];
  for (let i = 0; i < values.length;) {
    let end = i;
    while (end < values.length && values[end] === values[i]) end++;
    runs.push(...varint((end - i) << 1), values[i]);
    i = end;
  }
  return [...u32(runs.length), ...runs];
}

/** The file's bytes. */
export function parquetFile(columns: Column[], gzip = false): Uint8Array {
  const out = utf8('PAR1');
  const schema: Field[][] = [
    [
      [4, 'schema', 'text'],
      [5, columns.length, 'i32'],
    ],
  ];
  const chunks: Field[][] = [];
  let rows = 0;
  for (const column of columns) {
    const [type, path, count, body] = 'strings' in column ? stringPage(column.strings) : listPage(column.lists);
    rows = 'strings' in column ? column.strings.length : column.lists.length;
    const packed = gzip ? [...gzipSync(Uint8Array.from(body))] : body;
    const header = struct([
      [1, 0, 'i32'],
      [2, body.length, 'i32'],
      [3, packed.length, 'i32'],
      [
        5,
        [
          [1, count, 'i32'],
          [2, 0, 'i32'],
          [3, 3, 'i32'],
          [4, 3, 'i32'],
        ],
        'struct',
      ],
    ]);
    const at = out.length;
    out.push(...header, ...packed);
    const meta: Field[] = [
      [1, type, 'i32'],
      [2, [0, 3], 'i32s'],
      [3, [column.name, ...path], 'texts'],
      [4, gzip ? 2 : 0, 'i32'],
      [5, count, 'i64'],
      [6, header.length + body.length, 'i64'],
      [7, header.length + packed.length, 'i64'],
      [9, at, 'i64'],
    ];
    chunks.push([
      [2, at, 'i64'],
      [3, meta, 'struct'],
    ]);
    if ('strings' in column)
      schema.push([
        [1, 6, 'i32'],
        [3, 0, 'i32'],
        [4, column.name, 'text'],
        [6, 0, 'i32'],
      ]);
    else
      schema.push(
        [
          [3, 0, 'i32'],
          [4, column.name, 'text'],
          [5, 1, 'i32'],
          [6, 3, 'i32'],
        ],
        [
          [3, 2, 'i32'],
          [4, 'list', 'text'],
          [5, 1, 'i32'],
        ],
        [
          [1, 2, 'i32'],
          [3, 0, 'i32'],
          [4, 'element', 'text'],
        ],
      );
  }
  const footer = struct([
    [1, 1, 'i32'],
    [2, schema, 'structs'],
    [3, rows, 'i64'],
    [
      4,
      [
        [
          [1, chunks, 'structs'],
          [2, out.length, 'i64'],
          [3, rows, 'i64'],
        ],
      ],
      'structs',
    ],
  ]);
  return Uint8Array.from([...out, ...footer, ...u32(footer.length), ...utf8('PAR1')]);
}

function stringPage(strings: string[]): [number, string[], number, number[]] {
  return [6, [], strings.length, strings.flatMap((s) => [...u32(utf8(s).length), ...utf8(s)])];
}

function listPage(lists: bigint[][]): [number, string[], number, number[]] {
  const values = lists.flat();
  const bytes = [...new Uint8Array(BigInt64Array.from(values).buffer)];
  const repetition = lists.flatMap((list) => list.map((_, i) => (i === 0 ? 0 : 1)));
  return [2, ['list', 'element'], values.length, [...levels(repetition), ...levels(values.map(() => 1)), ...bytes]];
}
