/** The namespaces that rooms declare. */
import { activations } from '../activations/fg.js';
import { cluster } from '../cluster/fg.js';
import { device } from '../compute/fg.js';
import { correlation } from '../correlation/fg.js';
import { crosscoder } from '../crosscoder/fg.js';
import { datasets } from '../datasets/fg.js';
import { interventions } from '../interventions/fg.js';
import { mapper } from '../mapper/fg.js';
import { maps } from '../maps/fg.js';
import { models } from '../models/fg.js';
import { sae } from '../sae/fg.js';
import { show } from '../show/fg.js';
import { synthetic } from '../synthetic/fg.js';
import { arrays } from './fgArrays.js';

export const rooms = {
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
  crosscoder,
  cluster,
  device,
} as const;
