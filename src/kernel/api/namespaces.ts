/** The namespaces of `fg` whose verbs are declared in their rooms: what is bound to a session, and what docs/api says. */
import { correlation } from '../correlation/fg.js';
import { interventions } from '../interventions/fg.js';
import { mapper } from '../mapper/fg.js';
import { maps } from '../maps/fg.js';
import { show } from '../show/fg.js';
import { synthetic } from '../synthetic/fg.js';

export const namespaces = { correlation, interventions, maps, mapper, show, synthetic } as const;
