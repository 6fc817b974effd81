/** A circuit as a Vega-Lite chart: two columns of features, and edges as wide as what was verified. */
import type { Circuit, CircuitNode } from '../interventions/circuits.js';

/** Height of a feature's line, and room left for labels on either side. */
const LINE = 26;

interface Placed {
  x: number;
  y: number;
  feature: number;
  label: string;
  tokens: string;
  activation: number;
  layer: string;
}

/** Nodes of a layer from top to bottom, spread over the same height. */
function placed(
  nodes: readonly CircuitNode[],
  x: 0 | 1,
  hook: string,
  height: number,
  labels: readonly string[][] | undefined,
): Placed[] {
  return nodes.map((node, i) => {
    const tokens = (labels?.[node.feature] ?? []).map((t) => t.trim()).filter(Boolean);
    const words = [...new Set(tokens)].slice(0, 3).join(', ') || node.token.replace(/\n/g, '↵');
    return {
      x,
      y: ((i + 0.5) * height) / nodes.length,
      feature: node.feature,
      label: x === 0 ? `${words}  #${node.feature}` : `#${node.feature}  ${words}`,
      tokens: tokens.join(', ') || `fires most on ${JSON.stringify(node.token)}, token ${node.position}`,
      activation: node.activation,
      layer: hook,
    };
  });
}

const EFFECTS = ['makes it fire more', 'makes it fire less'];
const NODE_TOOLTIP = [
  { field: 'feature', title: 'feature' },
  { field: 'layer', title: 'hook' },
  { field: 'tokens', title: 'label' },
  { field: 'activation', title: 'activation', format: '.4~g' },
];
/** How edges look: width by size, colour and dash by sign. */
const EDGE_ENCODING = {
  x2: { field: 'x2' },
  y2: { field: 'y2' },
  strokeWidth: {
    field: 'size',
    type: 'quantitative',
    scale: { range: [0.5, 7], zero: true },
    title: '|Δ| verified',
    legend: { format: '.2~g', tickCount: 3 },
  },
  color: { field: 'effect', type: 'nominal', title: 'upstream feature', scale: { domain: EFFECTS } },
  strokeDash: {
    field: 'effect',
    type: 'nominal',
    title: 'upstream feature',
    scale: {
      domain: EFFECTS,
      range: [
        [1, 0],
        [5, 4],
      ],
    },
  },
  tooltip: [
    { field: 'source', title: 'upstream' },
    { field: 'target', title: 'downstream' },
    { field: 'verified', title: 'Δ verified by ablation', format: '.4~g' },
    { field: 'attribution', title: 'attribution', format: '.4~g' },
  ],
};

/** Rows of the edges drawn, thin ones last, so that none is hidden. */
function edgeRows(found: Circuit, up: readonly Placed[], down: readonly Placed[], edges: number): object[] {
  const at = (nodes: readonly Placed[], feature: number): Placed => nodes.find((n) => n.feature === feature)!;
  return found.edges
    .filter((e) => e.verified !== 0)
    .slice(0, edges)
    .map((e) => {
      const [from, to] = [at(up, e.source), at(down, e.target)];
      return {
        ...{ x: 0, y: from.y, x2: 1, y2: to.y, source: from.label, target: to.label },
        ...{ verified: e.verified, attribution: e.attribution, size: Math.abs(e.verified) },
        effect: EFFECTS[e.verified > 0 ? 0 : 1],
      };
    });
}

/** The spec; its data is inside. */
export function circuitSpec(
  found: Circuit,
  options: { labels?: readonly string[][]; downstreamLabels?: readonly string[][]; edges?: number } = {},
): object {
  const height = LINE * Math.max(found.upstream.nodes.length, found.downstream.nodes.length, 3);
  const up = placed(found.upstream.nodes, 0, found.upstream.hook, height, options.labels);
  const down = placed(found.downstream.nodes, 1, found.downstream.hook, height, options.downstreamLabels);
  const axis = { axis: null, type: 'quantitative' };
  const x = { field: 'x', ...axis, scale: { domain: [-0.6, 1.6], nice: false, zero: false } };
  const y = { field: 'y', ...axis, scale: { domain: [height, 0], nice: false, zero: false } };
  const text = (nodes: Placed[], align: 'right' | 'left', dx: number) => ({
    data: { values: nodes },
    mark: { type: 'text', align, dx, baseline: 'middle', limit: 220 },
    encoding: { x, y, text: { field: 'label' }, tooltip: NODE_TOOLTIP },
  });
  return {
    width: 'container',
    height,
    autosize: { type: 'fit-x', contains: 'padding' },
    view: { stroke: null },
    layer: [
      {
        data: { values: edgeRows(found, up, down, options.edges ?? 40) },
        mark: { type: 'rule', opacity: 0.6, strokeCap: 'round' },
        encoding: { x, y, ...EDGE_ENCODING },
      },
      {
        data: { values: [...up, ...down] },
        mark: { type: 'point', filled: true, size: 60, opacity: 1 },
        encoding: { x, y, color: { value: 'gray' }, tooltip: NODE_TOOLTIP },
      },
      text(up, 'right', -10),
      text(down, 'left', 10),
    ],
  };
}
