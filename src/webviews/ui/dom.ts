/** Builds DOM nodes. Data only ever becomes text nodes, attributes that cannot run, or CSSOM properties. */

export type Child = Node | string | null | undefined | false;

export interface Attributes {
  class?: string;
  id?: string;
  title?: string;
  role?: string;
  tabIndex?: number;
  hidden?: boolean;
  /** Set through CSSOM, which a strict style-src allows. */
  style?: Record<string, string>;
  data?: Record<string, string>;
  aria?: Record<string, string | undefined>;
  on?: Record<string, (event: never) => void>;
}

function apply(node: HTMLElement | SVGElement, a: Attributes): void {
  if (a.class) node.setAttribute('class', a.class);
  if (a.id) node.id = a.id;
  if (a.title) node.setAttribute('title', a.title);
  if (a.role) node.setAttribute('role', a.role);
  if (a.tabIndex !== undefined) node.tabIndex = a.tabIndex;
  if (a.hidden) node.setAttribute('hidden', '');
  for (const [key, value] of Object.entries(a.style ?? {})) node.style.setProperty(key, value);
  for (const [key, value] of Object.entries(a.data ?? {})) node.dataset[key] = value;
  for (const [key, value] of Object.entries(a.aria ?? {}))
    if (value !== undefined) node.setAttribute(`aria-${key}`, value);
  for (const [type, listener] of Object.entries(a.on ?? {})) node.addEventListener(type, listener as EventListener);
}

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  apply(node, attributes);
  append(node, children);
  return node;
}

export function append(parent: Node, children: Child[]): void {
  for (const child of children)
    if (child || child === '') parent.appendChild(typeof child === 'string' ? document.createTextNode(child) : child);
}

/** Replaces everything inside `parent`. */
export function fill(parent: Element, ...children: Child[]): void {
  parent.textContent = '';
  append(parent, children);
}

const SVG = 'http://www.w3.org/2000/svg';

const ICONS = {
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  reset: 'M3 3h4M3 3v4M13 3H9M13 3v4M3 13h4M3 13V9M13 13H9M13 13V9',
  move: 'M8 2v12M2 8h12M8 2 6.5 3.5M8 2l1.5 1.5M8 14l-1.5-1.5M8 14l1.5-1.5M2 8l1.5-1.5M2 8l1.5 1.5M14 8l-1.5-1.5M14 8l-1.5 1.5',
  turn: 'M13 8a5 5 0 1 1-1.800-3.800M13.500 1.500v3.500H10',
  box: 'M3 3h2M7 3h2M11 3h2v2M13 7v2M13 11v2h-2M9 13H7M5 13H3v-2M3 9V7M3 5V3',
  lasso: 'M8 3c3.3 0 6 1.6 6 3.7S11.300 10.400 8 10.400 2 8.800 2 6.700 4.700 3 8 3ZM5 10c-1.200 1 .8 2 0 4',
  more: 'M2 4h7M12 4h2M10.5 2.500v3M2 8h2M7 8h7M5.500 6.500v3M2 12h7M12 12h2M10.500 10.500v3',
  close: 'm4 4 8 8M12 4l-8 8',
  target: 'M8 1v4M8 11v4M1 8h4M11 8h4M8 5.500a2.500 2.500 0 1 1 0 5 2.500 2.500 0 0 1 0-5Z',
  open: 'M6 3H3v10h10v-3M9 3h4v4M13 3 7 9',
  table: 'M2 3h12v10H2zM2 6.500h12M2 10h12M6.500 3v10',
  copy: 'M5 5h8v8H5zM3 11V3h8',
  link: 'M7 9a2.500 2.500 0 0 0 3.600 0l2.400-2.400A2.500 2.500 0 0 0 9.400 3L8.500 3.900M9 7a2.500 2.500 0 0 0-3.600 0L3 9.400A2.500 2.500 0 0 0 6.600 13l.9-.9',
  save: 'M8 2v8M4.500 6.500 8 10l3.500-3.500M3 13h10',
  light: 'M8 2a4 4 0 0 0-2.200 7.300V11h4.400V9.300A4 4 0 0 0 8 2ZM6.200 13.500h3.600',
  warning: 'M8 2 14.500 13.500h-13zM8 6.500v3M8 11.500v.2',
  theme: 'M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12',
} as const;

/** A 16 px line icon in the current colour; decoration only, so hidden from assistive technology. */
export function icon(name: keyof typeof ICONS): SVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  for (const [key, value] of Object.entries({
    viewBox: '0 0 16 16',
    width: '16',
    height: '16',
    fill: 'none',
    stroke: 'currentColor',
    'stroke-width': '1.3',
    'stroke-linecap': 'round',
    'stroke-linejoin': 'round',
    'aria-hidden': 'true',
  }))
    svg.setAttribute(key, value);
  svg.appendChild(path);
  return svg;
}
