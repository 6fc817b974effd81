/** The namespaces of `fg`, whose verbs are declared in their rooms: what is bound to a session, and what docs/api says. */
import { activations } from '../activations/fg.js';
import { device } from '../compute/fg.js';
import { correlation } from '../correlation/fg.js';
import { datasets } from '../datasets/fg.js';
import { interventions } from '../interventions/fg.js';
import { mapper } from '../mapper/fg.js';
import { maps } from '../maps/fg.js';
import { models } from '../models/fg.js';
import { sae } from '../sae/fg.js';
import { show } from '../show/fg.js';
import { synthetic } from '../synthetic/fg.js';
import type { AnyVerb } from '../verb/namespace.js';
import { root } from './fg.js';
import { arrays } from './fgArrays.js';
import { artifactsOf } from './fgArtifacts.js';

const rooms = {
  models,
  datasets,
  sae,
  arrays,
  activations,
  correlation,
  maps,
  mapper,
  interventions,
  show,
  synthetic,
  device,
} as const;

/** Kinds of what rooms keep by functions of their own: pictures, layouts and maps of features. */
const OTHER_KINDS = ['map', 'graph', 'correlation', 'layout', 'sweep-cell', 'mfr', 'recovery', 'conformance'];

const verbs: readonly AnyVerb[] = Object.values(rooms).flatMap((each) => Object.values<AnyVerb>(each.verbs));

export const namespaces = {
  ...rooms,
  fg: root,
  artifacts: artifactsOf([...new Set([...verbs.flatMap(({ kinds }) => kinds), ...OTHER_KINDS])]),
} as const;
