/** The namespaces of `fg` whose verbs are declared in their rooms: what is bound to a session, and what docs/api says. */
import { mapper } from '../mapper/fg.js';
import { synthetic } from '../synthetic/fg.js';

export const namespaces = { mapper, synthetic } as const;
