/** The namespaces of `fg` whose verbs are declared in their rooms: what is bound to a session, and what docs/api says. */
import { activations } from '../activations/fg.js';
import { artifacts } from '../artifacts/fg.js';
import { device } from '../compute/fg.js';
import { datasets } from '../datasets/fg.js';
import { mapper } from '../mapper/fg.js';
import { models } from '../models/fg.js';
import { root } from './fg.js';
import { sae } from '../sae/fg.js';
import type { AnyVerb } from '../verb/namespace.js';

const rooms = { models, datasets, sae, activations, mapper, device } as const;

/** Kinds of pictures, and of what namespaces that are still bound by hand keep. */
const OTHER_KINDS = [
  'map',
  'graph',
  'correlation',
  'layout',
  'effects',
  'densities',
  'attribution',
  'transfer',
  'circuit',
  'joint-map',
  'recovery',
  'calibration',
  'score-response',
  'mfr',
  'concepts',
  'sweep-cell',
];

const verbs: readonly AnyVerb[] = Object.values(rooms).flatMap((each) => Object.values<AnyVerb>(each.verbs));

export const namespaces = {
  ...rooms,
  fg: root,
  artifacts: artifacts([...verbs.flatMap(({ kinds }) => kinds), ...OTHER_KINDS]),
} as const;
