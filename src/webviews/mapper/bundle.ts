/** A Mapper graph read from the files of its bundle (protocol/graph.ts): what an exported report carries in its page. */
import type { GraphColumns, GraphMeta, GraphSource } from '../../protocol/graph.js';
import { floatsOf, intsOf, needed, PageBundle } from '../ui/bundle.js';

/** `read` gives one file of the bundle by its name; `has` says whether there is such a file. */
export function bundleGraphSource(
  read: (file: string) => Promise<Uint8Array>,
  has: (file: string) => boolean,
): GraphSource {
  const bundle = new PageBundle(read);
  const meta = () => bundle.json<GraphMeta>('graph.json');
  return {
    meta,
    columns: async (set) => columnsOf(bundle, (await meta()).sets[set], set, has(`${set}.labels.json`)),
    examples: async (set, point) => (has(`${set}.examples.jsonl`) ? bundle.examples(set, point) : []),
    overlap: async () =>
      has('overlap.safetensors') ? (floatsOf(await bundle.tensors('overlap.safetensors'), 'overlap') ?? null) : null,
  };
}

async function columnsOf(
  bundle: PageBundle,
  meta: GraphMeta['sets'][number],
  set: number,
  labelled: boolean,
): Promise<GraphColumns> {
  const tensors = await bundle.tensors();
  const floats = (name: string) => needed(floatsOf(tensors, `${set}.${name}`), `${set}.${name}`);
  const ints = (name: string) => needed(intsOf(tensors, `${set}.${name}`), `${set}.${name}`);
  return {
    x: floats('x'),
    y: floats('y'),
    membersAt: ints('membersAt'),
    members: ints('members'),
    edges: ints('edges'),
    weight: ints('weight'),
    component: ints('component'),
    cube: ints('cube'),
    noise: ints('noise'),
    columns: meta.columns.map((_, i) => floats(`column.${i}`)),
    counterpart: intsOf(tensors, `${set}.counterpart`),
    r: floatsOf(tensors, `${set}.r`),
    labels: labelled
      ? await bundle.json<string[][]>(`${set}.labels.json`)
      : Array.from({ length: meta.points }, () => []),
  };
}
