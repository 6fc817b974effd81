/** Sections in one or two columns, by the width: the order of the elements is the one that is seen and tabbed through. */
import { el } from '../ui/dom.js';

/** In less width there is one column. */
const NARROW_PX = 820;

export type Columns = readonly (readonly HTMLElement[])[];

/** Fills `box` now and whenever the width of `root` crosses the limit; returns what ends it. */
export function arrange(root: HTMLElement, box: HTMLElement, orders: { wide: Columns; narrow: Columns }): () => void {
  let shown: 'wide' | 'narrow' | undefined;
  const place = (): void => {
    const width = root.clientWidth;
    const order = width > NARROW_PX ? 'wide' : 'narrow';
    // Without a width it is not shown.
    if (order === shown || (width === 0 && shown)) return;
    shown = order;
    const focused = (root.getRootNode() as Document | ShadowRoot).activeElement;
    const back = focused instanceof HTMLElement && box.contains(focused) ? focused : undefined;
    box.dataset.order = order;
    box.replaceChildren(...orders[order].map((column) => el('div', { class: 'column' }, ...column)));
    back?.focus();
  };
  place();
  const observer = new ResizeObserver(place);
  observer.observe(root);
  return () => observer.disconnect();
}
