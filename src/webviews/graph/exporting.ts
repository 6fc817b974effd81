/** Exports of a graph view: what is shown, as a picture, a page, GraphML or KeplerMapper's JSON. */
import { PAPER } from '../plot/palette.js';
import type { PaperPicture } from '../plot/paper.js';
import { pictureFile } from '../plot/pictureFiles.js';
import type { ViewHost } from '../ui/view.js';
import { graphMl, keplerJson } from './export.js';
import { graphPicture, roomOnPaper, type PictureGraph } from './picture.js';
import type { Plot } from './plot.js';
import { makeScene, type SceneJob } from './scene.js';
import { download, fileName } from '../ui/save.js';
import type { GraphViewState } from './state.js';
import type { ExportKind } from './toolbar.js';
import { counts } from './words.js';

/** What the host does, for these graphs. */
export interface GraphHost extends Omit<ViewHost, 'savePage'> {
  savePage?(): Promise<string | null>;
}

export interface ExportJob extends Omit<SceneJob, 'palette' | 'minWeight'> {
  state: GraphViewState;
  options: GraphHost;
  plots: readonly Plot[];
}

/** Where it was saved, or null when the reader cancelled. */
export async function exportGraph(kind: ExportKind, s: number, job: ExportJob): Promise<string | null> {
  const { model, state, options } = job;
  const save = options.saveFile?.bind(options) ?? download;
  const set = model.sets[s];
  const name = model.sets.length > 1 ? `${model.meta.title} - ${set.name}` : model.meta.title;
  switch (kind) {
    case 'graphml':
      return save({ name: fileName(name, 'graphml'), text: graphMl(model.meta, set, state.minWeight) });
    case 'json':
      return save({ name: fileName(name, 'json'), text: keplerJson(set, state.minWeight) });
    case 'html':
      return options.savePage?.() ?? null;
    default:
      return save(await pictureFile(kind, pictureOf(job)));
  }
}

/**
 * The graphs that are shown, from where they are looked at, in the colours of paper.
 * @param width of the picture; default: each graph as large as it is on the screen, side by side
 */
export function pictureOf({ model, state, plots, colours, lighting, most }: ExportJob, width?: number): PaperPicture {
  const shown = [...model.sets.keys()].filter((s) => state.shown < 0 || state.shown === s);
  const perRow = width === undefined ? shown.length : Math.min(2, shown.length);
  const scenes = { model, colours, lighting, most, palette: PAPER, minWeight: state.minWeight };
  const graphs = shown.map((s): PictureGraph => {
    const { meta } = model.sets[s];
    const box = width === undefined ? plots[s].box : roomOnPaper(width, perRow);
    return {
      scene: makeScene(scenes, s, box.width, box.height),
      ...{ marks: plots[s].marksOnPaper, camera: plots[s].camera, box },
      title: meta.title.startsWith(meta.name) ? meta.title : `${meta.name}: ${meta.title}`,
      detail: `${counts(meta)} · ${meta.description}`,
    };
  });
  return graphPicture({ title: model.meta.title, graphs, colours, lighting, perRow });
}
