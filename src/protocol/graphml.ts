/** GraphML 1.0, undirected: what Gephi, Cytoscape, networkx and igraph read. The kernel and the view of graphs write it. */

/** An attribute of nodes. */
export interface GraphmlAttribute {
  readonly id: string;
  readonly name: string;
  readonly type: 'string' | 'int' | 'double';
}

export interface GraphmlGraph {
  readonly description: string;
  readonly attributes: readonly GraphmlAttribute[];
  /** Values in the order of the attributes; null where a node has none. */
  readonly nodes: ReadonlyArray<{ readonly name: string; readonly values: ReadonlyArray<string | number | null> }>;
  /** [first, second, members shared], nodes by index. */
  readonly edges: Iterable<readonly [number, number, number]>;
}

/** Text of an attribute or element; characters that XML 1.0 cannot hold become U+FFFD. */
export function escapeXml(text: string): string {
  // eslint-disable-next-line no-control-regex
  const legal = text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/gu, '\ufffd');
  return legal.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

const data = (key: string, value: string | number): string => `<data key="${key}">${escapeXml(String(value))}</data>`;

/** The file's text; the members that an edge shares are its attribute "weight". */
export function graphmlText({ description, attributes, nodes, edges }: GraphmlGraph): string {
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">',
    '  <key id="description" for="graph" attr.name="description" attr.type="string"/>',
    ...attributes.map(
      ({ id, name, type }) => `  <key id="${id}" for="node" attr.name="${escapeXml(name)}" attr.type="${type}"/>`,
    ),
    '  <key id="weight" for="edge" attr.name="weight" attr.type="int"/>',
    '  <graph edgedefault="undirected">',
    `    ${data('description', description)}`,
  ];
  for (const { name, values } of nodes) {
    const own = values.map((value, i) => (value === null ? '' : data(attributes[i].id, value)));
    lines.push(`    <node id="${escapeXml(name)}">${own.join('')}</node>`);
  }
  for (const [a, b, shared] of edges)
    lines.push(
      `    <edge source="${escapeXml(nodes[a].name)}" target="${escapeXml(nodes[b].name)}">${data('weight', shared)}</edge>`,
    );
  return [...lines, '  </graph>', '</graphml>', ''].join('\n');
}
