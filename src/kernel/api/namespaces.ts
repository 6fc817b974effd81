/** The namespaces of `fg` whose verbs are declared in their rooms: what is bound to a session, and what docs/api says. */
import { interventions } from '../interventions/fg.js';
import { mapper } from '../mapper/fg.js';

export const namespaces = { interventions, mapper } as const;
