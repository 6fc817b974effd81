/** What a lens takes from fg.maps.umap beyond its own options: the version of the layout. */
import { UMAP_VERSION } from '../maps/options.js';
import type { LensSpec, LensStep } from './options.js';

/** The version of UMAP's layout when a lens draws one; undefined for the others, whose results do not depend on it. */
export function layoutVersion(lens: LensSpec | undefined): string | undefined {
  if (lens === undefined) return undefined;
  if (Array.isArray(lens)) {
    const versions = (lens as readonly LensStep[]).map(layoutVersion);
    return versions.find((v) => v !== undefined);
  }
  if (lens === 'umap') return UMAP_VERSION;
  if (typeof lens !== 'object' || !('kind' in lens)) return undefined;
  if (lens.kind === 'join') return layoutVersion([...lens.lenses] as LensSpec);
  return lens.kind === 'umap' ? UMAP_VERSION : undefined;
}
