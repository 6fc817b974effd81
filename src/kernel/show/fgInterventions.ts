/** fg.show of what fg.interventions returned: tokens before and after on a map, and circuits. */
import type { PointLabel } from '../../protocol/tokens.js';
import { arrowItems, type TokenMap } from '../interventions/arrows.js';
import type { Circuit } from '../interventions/circuits.js';
import { circuitSpec, circuitTable } from '../present/interventions.js';
import { chartItems } from '../present/items.js';
import { form } from '../verb/called.js';
import { CALL, thing } from '../verb/common.js';
import { flag, text, value, whole } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { has } from './forms.js';

const jointMap = verb({
  doc: 'A joint map: arrows from before to after or a slider between the two, coloured by Δ, the null beside.',
  args: [thing<TokenMap>('x', 'What fg.interventions.jointMap returned.')],
  options: {
    title: text({ doc: 'Over the picture.', fallback: 'what was done, and where it is looked at' }),
    beside: flag({ doc: 'Draw the first null direction beside it, in the same embedding.', default: true }),
    ...CALL,
  },
  kinds: ['map'],
  run: async ({ env, options }, map) => env.context.display(await arrowItems(env, map, options)),
});

const labels = (doc: string) =>
  value<readonly PointLabel[]>(
    'an array of labels by feature id',
    { doc, fallback: 'the tokens where they fire' },
    Array.isArray,
  );

export const CIRCUIT = {
  labels: labels('Labels of upstream features by id, as fg.activations.labels gives them.'),
  downstreamLabels: labels('Labels of downstream features by id.'),
  edges: whole({
    doc: 'Edges drawn, those of largest verified Δ first; all are in the table.',
    min: 1,
    default: 40,
  }),
  title: text({ doc: 'Over the picture.', fallback: 'the token and the prompt' }),
} as const;

const circuit = verb({
  doc: 'A circuit: the two layers with their edges, as wide as the verified Δ, and the table of all edges.',
  args: [thing<Circuit>('x', 'What fg.interventions.circuit returned.')],
  options: { ...CIRCUIT, ...CALL },
  async run({ env, options }, found) {
    const title = options.title ?? `Circuit at token ${found.position} of ${JSON.stringify(found.prompt)}`;
    env.context.display(chartItems(circuitSpec(found, options), title));
    const idOf = ({ sae }: { sae: string }) => env.features.idOf(sae);
    const table = circuitTable(found, { upstream: idOf(found.upstream), downstream: idOf(found.downstream) });
    env.context.display(await env.features.name(table));
  },
});

export const INTERVENTION_FORMS = [
  form('jointMap', has('before', 'after', 'nullAfter', 'delta'), jointMap),
  form('circuit', has('upstream', 'downstream', 'edges'), circuit),
] as const;
