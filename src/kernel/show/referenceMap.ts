/** A feature map read from the reference tool's JSON: two models, their points, counterparts and groups, as they stand there. */
import {
  LABEL_JOIN,
  type ReferenceMap,
  type ReferenceModel,
  type ReferenceOrigin,
} from '../../protocol/referenceMap.js';
import type { OutputItem } from '../../protocol/notebook.js';
import { sha256 } from '../io/hash.js';
import type { BundleSet } from '../maps/bundle.js';
import type { Environment } from '../verb/environment.js';
import { bundleItems } from './featureMap.js';

const placesOf = ({ points }: ReferenceModel): Map<number, number> =>
  new Map(points.map(({ feature_id }, i) => [feature_id, i]));

function setOf(name: string, model: ReferenceModel, layout: string): BundleSet {
  const n = model.points.length;
  const coordinates = Float32Array.from(model.points.flatMap(({ x, y }) => [x, y]));
  return {
    name,
    title: [model.name, model.sae_name, `layer ${model.layer}`].filter((part) => part !== '').join(' · '),
    layout: {
      ...{ id: '', coordinates, points: n, method: 'umap', description: layout, parameters: {}, excluded: 0 },
    },
    firings: new Int32Array(n).fill(-1),
    tokens: 0,
    labels: model.points.map(({ label }) => (label === '' ? [] : label.split(LABEL_JOIN))),
    examples: model.points.map(() => []),
    ids: Int32Array.from(model.points, ({ feature_id }) => feature_id),
  };
}

/** Counterparts by point, and r: where a point does not say it, the r of a counterpart that names it back. */
function link(
  a: ReferenceModel,
  b: ReferenceModel,
): Pick<Required<NonNullable<BundleSet['columns']>>, 'partner' | 'r'> {
  const places = placesOf(b);
  const partner = Int32Array.from(a.points, ({ mapped_feature_id: id }) =>
    id === undefined ? -1 : (places.get(id) ?? -1),
  );
  const r = Float32Array.from(a.points, ({ feature_id, corr_to_mapped: own }, i) => {
    const back = partner[i] < 0 ? undefined : b.points[partner[i]];
    return own ?? (back?.mapped_feature_id === feature_id ? back.corr_to_mapped : undefined) ?? NaN;
  });
  return { partner, r };
}

/** @param file name of the file, for people; undefined: the map was given as an object. */
export async function referenceItems(
  env: Environment,
  map: ReferenceMap,
  { title, file }: { title?: string; file?: string },
): Promise<OutputItem[]> {
  const { model_a: a, model_b: b, meta } = map;
  const said = typeof meta.description === 'string' ? meta.description : 'layout of another program';
  const layout = file === undefined ? said : `${said} (${file})`;
  const sets = [setOf('A', a, layout), setOf('B', b, layout)];
  const [ofA, ofB] = [link(a, b), link(b, a)];
  sets[0].columns = ofA;
  sets[1].columns = ofB;
  const r = Array.from(ofB.r).filter((v) => !Number.isNaN(v));
  const metrics = (meta.metrics ?? {}) as { mapping_method?: unknown };
  const pairing = {
    method: typeof metrics.mapping_method === 'string' ? metrics.mapping_method : 'as given',
    pairs: ofB.partner.filter((p) => p >= 0).length,
    tokens: 0,
    meanR: r.reduce((sum, v) => sum + v, 0) / Math.max(1, r.length),
  };
  const { points: _, ...modelA } = a;
  const { points: __, ...modelB } = b;
  const reference: ReferenceOrigin = { meta, models: [modelA, modelB] };
  const listed = map.semantic_groups.map(({ id, name, feature_ids_a, feature_ids_b }) => {
    return { id, name, words: [], features: [feature_ids_a, feature_ids_b] };
  });
  const inputs = { file: sha256([JSON.stringify(map)]) };
  return bundleItems(env, sets, inputs, { title, pairing, reference, listed });
}
