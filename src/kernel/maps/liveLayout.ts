/** The picture of a UMAP while its points move: one output of the cell, drawn again now and then. */
import { MIME } from '../../protocol/mime.js';
import type { OutputItem } from '../../protocol/notebook.js';
import { AbortError } from '../compute/call.js';
import { textItem } from '../present/items.js';
import { thumbnailWithoutGround, type ThumbnailSet } from '../present/thumbnail.js';
import type { Environment } from '../verb/environment.js';
import type { Watched } from './types.js';

/** Layouts that end before are not shown on their way. */
const FIRST_MS = 1500;
const EVERY_MS = 500;

let pictures = 0;

function picture(layout: ThumbnailSet['layout'], points: number, words: string): OutputItem[] {
  const png = thumbnailWithoutGround({ layout, firings: new Int32Array(points).fill(-1) });
  return [{ mime: MIME.png, base64: png.toString('base64') }, textItem(words)];
}

export class LiveLayout {
  private readonly displayId = `layout ${++pictures}`;
  private shownAt: number;
  private shown = false;
  private last = '';

  /** @param clock milliseconds */
  constructor(
    private readonly env: Environment,
    private readonly clock = () => performance.now(),
  ) {
    this.shownAt = clock() + FIRST_MS - EVERY_MS;
  }

  /** For optimizeLayout: draws the points where they are by now, at most every half second. */
  readonly onMoved: NonNullable<Watched['onMoved']> = (done, total, positions) => {
    const now = this.clock();
    if (done === 0 || now - this.shownAt < EVERY_MS) return;
    this.shownAt = now;
    this.shown = true;
    const [coordinates, axes] = positions();
    const points = coordinates.length / axes;
    this.last = `UMAP of ${points} points, epoch ${done} of ${total}`;
    this.env.context.display(picture({ coordinates, axes }, points, this.last), {
      displayId: this.displayId,
      ifStopped: this.endedEarly('stopped'),
    });
  };

  private endedEarly(how: 'stopped' | 'failed'): OutputItem[] {
    return [textItem(`${this.last}: ${how} there, the picture is not finished`)];
  }

  /** Does the work; where that ends before its time, words below the picture say that it is not finished. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      // Of an interrupted cell the session has said it.
      if (this.shown && !this.env.context.signal().aborted)
        this.env.context.display(this.endedEarly(error instanceof AbortError ? 'stopped' : 'failed'));
      throw error;
    }
  }

  /** Shows the finished picture in the place of the moving one. */
  end(items: OutputItem[]): void {
    if (this.shown) this.display(items);
    else this.env.context.display(items);
  }

  /** Takes the moving picture away: the layout is there, and what shows it takes the place. */
  done(): void {
    if (this.shown) this.display([]);
  }

  private display(items: OutputItem[]): void {
    this.env.context.display(items, { displayId: this.displayId });
  }
}
