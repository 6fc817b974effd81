/**
 * The namespaces of `fg`, whose verbs are declared in their rooms. Sessions bind this list, and docs/api is generated
 * from it.
 */
import type { AnyVerb } from '../verb/namespace.js';
import { root } from './fg.js';
import { artifactsOf } from './fgArtifacts.js';
import { rooms } from './rooms.js';

const verbs: readonly AnyVerb[] = Object.values(rooms).flatMap((each) => Object.values<AnyVerb>(each.verbs));

export const namespaces = {
  ...rooms,
  fg: root,
  artifacts: artifactsOf([...new Set(verbs.flatMap(({ kinds }) => kinds))]),
} as const;
