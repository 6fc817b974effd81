/** Reading back the saved state of a drawing: what is missing or wrong becomes the default. */
import { clampZoom, HOME, type Camera } from './camera.js';

export interface Sort {
  key: string;
  descending: boolean;
}

/** State that every drawing saves. */
export interface PlotState {
  version: 1;
  cameras: Camera[];
  query: string;
  substring: boolean;
  sort: Sort;
}

export const homes = (sets: number): Camera[] => Array.from({ length: sets }, () => ({ ...HOME }));

export const finite = (v: unknown, fallback: number): number =>
  typeof v === 'number' && Number.isFinite(v) ? v : fallback;

/** Items of a list that may be anything. */
export const listOfParts = <T>(v: unknown): Array<Partial<T> | null> =>
  (Array.isArray(v) ? v : []) as Array<Partial<T> | null>;

export function restorePlot(s: Partial<Record<keyof PlotState, unknown>>, fallback: PlotState): PlotState {
  const cameras = listOfParts<Camera>(s.cameras);
  const sort = (s.sort ?? {}) as Partial<Sort>;
  return {
    version: 1,
    cameras: fallback.cameras.map((home, i) => ({
      x: finite(cameras[i]?.x, home.x),
      y: finite(cameras[i]?.y, home.y),
      zoom: clampZoom(finite(cameras[i]?.zoom, home.zoom)),
    })),
    query: typeof s.query === 'string' ? s.query : fallback.query,
    substring: s.substring === true,
    sort: {
      key: typeof sort.key === 'string' ? sort.key : fallback.sort.key,
      descending: typeof sort.descending === 'boolean' ? sort.descending : fallback.sort.descending,
    },
  };
}
