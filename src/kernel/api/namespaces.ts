/** The namespaces of `fg` whose verbs are declared in their rooms: what is bound to a session, and what docs/api says. */
import { arrays } from './fgArrays.js';
import { mapper } from '../mapper/fg.js';

export const namespaces = { arrays, mapper } as const;
