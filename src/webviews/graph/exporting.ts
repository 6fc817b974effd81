/** Exports of a graph view: what is shown, as a picture, a page, GraphML or KeplerMapper's JSON. */
import type { Palette } from '../plot/palette.js';
import type { ViewHost } from '../ui/view.js';
import type { NodeColours } from './colour.js';
import { graphMl, keplerJson } from './export.js';
import type { GraphModel } from './model.js';
import { picture, type PictureGraph } from './picture.js';
import type { Plot } from './plot.js';
import { download, fileName } from '../ui/save.js';
import type { GraphViewState } from './state.js';
import type { ExportKind } from './toolbar.js';
import { counts } from './words.js';

/** What the host does, for these graphs. */
export interface GraphHost extends Omit<ViewHost, 'savePage'> {
  savePage?(): Promise<string | null>;
}

export interface ExportJob {
  model: GraphModel;
  state: GraphViewState;
  options: GraphHost;
  plots: readonly Plot[];
  colours: NodeColours;
  palette: Palette;
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
    case 'png':
      return save({ name: fileName(model.meta.title, 'png'), base64: await pictureOf(job) });
    case 'html':
      return options.savePage?.() ?? null;
  }
}

function pictureOf({ model, state, plots, colours, palette }: ExportJob): Promise<string> {
  const graphs = plots.flatMap((plot, s): PictureGraph[] => {
    const drawn = plot.picture();
    if (!drawn || (state.shown >= 0 && state.shown !== s)) return [];
    const { meta } = model.sets[s];
    const title = meta.title.startsWith(meta.name) ? meta.title : `${meta.name}: ${meta.title}`;
    return [{ ...drawn, camera: plot.camera, box: plot.box, title, detail: `${counts(meta)} · ${meta.description}` }];
  });
  return picture({ title: model.meta.title, graphs, colours, palette });
}
