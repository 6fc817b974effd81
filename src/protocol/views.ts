/**
 * The views that outputs may have: one entry for each kind. Panels, outputs, the report, commands and the editor's state
 * go over this list; how a kind is drawn is its entry in webviews/views.ts. What VS Code must know of a kind before the
 * extension runs is in package.json; test/unit/extension/manifest.test.ts compares the two.
 */
import { isFileOf, type BundleManifest, type Descriptor } from './bundle.js';
import { FEATURE_BUNDLE, type FeatureDescriptor } from './feature.js';
import { GRAPH_BUNDLE, type GraphDescriptor } from './graph.js';
import type { InterventionsDescriptor } from './interventions.js';
import { MAP_BUNDLE, type MapDescriptor } from './map.js';
import type { PromptDescriptor } from './prompt.js';

export interface ViewKind<D extends Descriptor = Descriptor> {
  /** Its word in saved notebooks and panels: in mime and panel types, and in what a panel keeps. Never to be changed. */
  saved: string;
  /** As shown, such as "feature map". */
  noun: string;
  /** Data beside the descriptor. */
  bundle?: BundleManifest;
  /** Texts of the command that opens one: its title, the message where there is none, a line about each. */
  open: { title: string; none: string; detail(descriptor: D): string };
}

/** What each kind's output carries. */
export interface Descriptors {
  map: MapDescriptor;
  graph: GraphDescriptor;
  interventions: InterventionsDescriptor;
  feature: FeatureDescriptor;
  prompt: PromptDescriptor;
}
export type ViewName = keyof Descriptors;

/** Every kind of view, by its name in the code. */
export const VIEWS: { readonly [K in ViewName]: ViewKind<Descriptors[K]> } = {
  map: {
    saved: 'map',
    noun: 'feature map',
    bundle: MAP_BUNDLE,
    open: {
      title: 'Open Feature Map',
      none: 'This notebook has no feature map yet: run a cell with fg.show(layout, { activations }).',
      detail: ({ meta }) => meta.sets.map((set) => `${set.title}: ${set.points} features`).join(' · '),
    },
  },
  graph: {
    saved: 'graph',
    noun: 'Mapper graph',
    bundle: GRAPH_BUNDLE,
    open: {
      title: 'Open Mapper Graph',
      none: 'This notebook has no Mapper graph yet: run a cell with fg.mapper.graph and fg.show.',
      detail: ({ meta }) => meta.sets.map((set) => `${set.title}: ${set.nodes} nodes`).join(' · '),
    },
  },
  interventions: {
    saved: 'lab',
    noun: 'interventions panel',
    open: {
      title: 'Open Interventions Panel',
      none: 'This notebook has no interventions panel yet: run a cell with fg.interventions.panel.',
      detail: ({ meta }) => `${meta.model.name} · ${meta.sae.name}`,
    },
  },
  feature: {
    saved: 'feature',
    noun: 'feature page',
    bundle: FEATURE_BUNDLE,
    open: {
      title: 'Open Feature Page',
      none: 'This notebook has no feature page yet: run a cell with fg.show.feature(activations, id).',
      detail: ({ meta }) => `${meta.sets[0].sae.name} · ${meta.sets[0].points} features`,
    },
  },
  prompt: {
    saved: 'prompt',
    noun: 'prompt box',
    open: {
      title: 'Open Prompt Box',
      none: 'This notebook has no prompt box yet: run a cell with fg.show.prompt(models, saes, text).',
      detail: ({ meta }) => meta.sides.map(({ model, sae }) => `${model.name} · ${sae.name}`).join(' ↔ '),
    },
  },
};

/** The names of VIEWS, in its order. */
export const VIEW_NAMES = Object.keys(VIEWS) as ViewName[];

/** Mime type of the outputs of a kind. */
export const viewMime = (view: ViewName): string => `application/vnd.fgnb.${VIEWS[view].saved}+json`;

/** The kind of view that draws outputs of a mime type. */
export function viewOfMime(mime: string): ViewName | undefined {
  return VIEW_NAMES.find((view) => viewMime(view) === mime);
}

/** View type of the panels of a kind: the id of createWebviewPanel and of registerWebviewPanelSerializer alike. */
export const panelType = (view: ViewName): string => `fgnb.${VIEWS[view].saved}`;

/** Whether a bundle of some kind has a file of this name: nothing else is served to webviews. */
export function isBundleFile(name: string): boolean {
  return VIEW_NAMES.some((view) => {
    const manifest = VIEWS[view].bundle;
    return manifest !== undefined && isFileOf(manifest, name);
  });
}

/** A descriptor of the kind read from outside; undefined for anything else. */
export function asDescriptor(view: ViewName, value: unknown): Descriptor | undefined {
  const { id, path, meta } = (value ?? {}) as Partial<Descriptor>;
  const placed = VIEWS[view].bundle ? typeof path === 'string' : path === undefined || typeof path === 'string';
  return typeof id === 'string' && placed && typeof meta === 'object' && meta ? (value as Descriptor) : undefined;
}
