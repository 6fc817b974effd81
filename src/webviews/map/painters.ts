/** What is drawn below the points of a map, and between them and the rings. */
import { contourPainter, type Contours } from './contours.js';
import { linePainter } from './lines.js';
import { namePainter } from './names.js';
import type { Regions } from './regions.js';
import { arrowPainter, type ArrowScene } from './shift.js';
import type { Painters } from './stage.js';

export interface Ground {
  /** Whether lines to parents, or arrows, are shown. */
  arrows: boolean;
  regions: readonly Regions[];
  contours: Contours[];
}

export function paintersOf(scene: ArrowScene, { arrows, regions, contours }: Ground): Painters {
  const { views, palette } = scene;
  const lines = arrows ? (linePainter(scene) ?? arrowPainter(scene)) : null;
  const names = namePainter(regions.map(({ list }) => list), views, palette); // prettier-ignore
  return {
    below: contourPainter(contours, views, palette),
    above: (c, ratio) => {
      lines?.(c, ratio);
      names?.(c, ratio);
    },
  };
}
