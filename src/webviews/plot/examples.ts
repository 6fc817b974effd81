/** Dataset examples of the points of a drawing: asked for when somebody looks. */
import type { FeatureExample } from '../../protocol/bundle.js';
import { el, fill } from '../ui/dom.js';
import { messageOf } from '../ui/message.js';

/** Examples, asked for once per point and kept for the last `limit` points. */
export class ExampleCache {
  private readonly kept = new Map<string, Promise<FeatureExample[]>>();

  constructor(
    private readonly source: { examples(set: number, point: number): Promise<FeatureExample[]> },
    private readonly limit = 500,
  ) {}

  get(set: number, point: number): Promise<FeatureExample[]> {
    const key = `${set}:${point}`;
    const known = this.kept.get(key);
    if (known) {
      this.kept.delete(key);
      this.kept.set(key, known);
      return known;
    }
    const asked = this.source.examples(set, point);
    this.kept.set(key, asked);
    // A failure is not kept: the next look asks again.
    asked.catch(() => this.kept.delete(key));
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= this.limit) break;
      this.kept.delete(oldest);
    }
    return asked;
  }
}

/** A box that shows the examples once they are there, or why they are not. */
export function exampleBox(
  asked: Promise<FeatureExample[]>,
  draw: (list: FeatureExample[]) => HTMLElement,
): HTMLElement {
  const box = el('div', { class: 'examples', aria: { busy: 'true' } }, el('p', { class: 'fg-none' }, 'Examples…'));
  const show = (content: HTMLElement): void => {
    fill(box, content);
    box.removeAttribute('aria-busy');
  };
  asked.then(
    (list) => show(draw(list)),
    (error: unknown) => show(el('p', { class: 'fg-none' }, `Examples could not be read: ${messageOf(error)}`)),
  );
  return box;
}
