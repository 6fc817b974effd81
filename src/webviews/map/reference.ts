/** A twin map as the JSON of the reference tool; a map that was read from such a file gives the same file again. */
import {
  LABEL_JOIN,
  type ReferenceMap,
  type ReferenceModel,
  type ReferencePoint,
} from '../../protocol/referenceMap.js';
import { groupTest } from './filter.js';
import type { MapModel } from './model.js';

function pointsOf({ sets, meta }: MapModel, s: number): ReferencePoint[] {
  const set = sets[s];
  const { feature, x, y, labels } = set.columns;
  const other = sets[1 - s].columns.feature;
  return Array.from({ length: set.n }, (_, i) => i)
    .filter((i) => Number.isFinite(x[i]) && Number.isFinite(y[i]))
    .map((i) => {
      const [partner, r] = [set.partner[i], set.r[i]];
      // The reference writes r on the side that was mapped alone: on that of B.
      const said = !Number.isNaN(r) && partner >= 0 && (s === 1 || !meta.reference);
      return {
        ...{ feature_id: feature[i], x: x[i], y: y[i], label: labels[i].join(LABEL_JOIN) },
        ...(partner >= 0 && { mapped_feature_id: other[partner] }),
        ...(said && { corr_to_mapped: r }),
      };
    });
}

/** @throws Error for a map of one set */
export function referenceOf(model: MapModel): ReferenceMap {
  const { meta, sets, twin } = model;
  if (!twin || meta.shift) throw new Error('only a map of two models has this form');
  const { pairing, reference } = meta;
  const modelOf = (s: number): ReferenceModel => ({
    ...(reference?.models[s] ?? { name: sets[s].meta.title, sae_name: sets[s].meta.sae?.name ?? '', layer: 0 }),
    points: pointsOf(model, s),
  });
  const metrics = pairing && {
    ...{ mapping_method: pairing.method, n_selected_b: sets[1].n },
    ...{ mean_matched_column_pearson: pairing.meanR, n_pairs: pairing.pairs, n_tokens: pairing.tokens },
  };
  return {
    meta: reference?.meta ?? {
      description: meta.title,
      mapping_direction_note: 'model_b feature -> matched model_a feature',
      metrics: metrics ?? {},
    },
    semantic_groups: (meta.groups ?? []).map((group) => {
      const inGroup = groupTest(model, group);
      const ids = (s: number): number[] =>
        group.features?.[s] ?? Array.from(sets[s].columns.feature).filter((_, i) => !sets[s].dead[i] && inGroup(s, i));
      return { id: group.id ?? group.name, name: group.name, feature_ids_a: ids(0), feature_ids_b: ids(1) };
    }),
    model_a: modelOf(0),
    model_b: modelOf(1),
  };
}
