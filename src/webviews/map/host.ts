/** Where a map is shown. */
import type { PromptMeta } from '../../protocol/prompt.js';
import type { ViewHost } from '../ui/view.js';

/** What the host does, for this map. */
export interface MapHost extends Omit<ViewHost, 'savePage'> {
  savePage?(): Promise<string | null>;
  /** Its prompt box; null: it has none. */
  prompt: PromptMeta | null;
}
