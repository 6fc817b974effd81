/** fg.synthetic: data with known ground truth. */
import type { Environment } from '../verb/environment.js';
import { worldsApi, type WorldsApi } from './worlds.js';
import { generateStories, STORY_CONCEPTS } from '../synthetic/stories/generate.js';

/** A generated story and what its words are about. */
export interface SyntheticStory {
  text: string;
  /** Words (and punctuation) with a concept, in order; `start` is the UTF-16 offset in `text`. */
  words: Array<{ text: string; concept: string; start: number }>;
}

export interface SyntheticStoriesOptions {
  /** Stories generated, default 1,000. */
  stories?: number;
  /** Default 0; the same seed gives the same stories. */
  seed?: number;
}

/** Synthetic data with known ground truth. */
export interface SyntheticApi extends WorldsApi {
  /**
   * Seeded stories with the ground-truth concept of each word; what the example models were trained on.
   * fg.datasets.stories gives the same texts as a dataset whose tokens carry the concepts.
   */
  stories(options?: SyntheticStoriesOptions): SyntheticStory[];
  /** Names of the concepts by id; 0 is "none". */
  readonly storyConcepts: readonly string[];
}

export function syntheticApi(env: Environment): SyntheticApi {
  return {
    ...worldsApi(env),
    storyConcepts: STORY_CONCEPTS,
    stories: ({ stories = 1000, seed = 0 } = {}) =>
      generateStories({ stories, seed }).map(({ text, spans }) => ({
        text,
        words: Array.from({ length: spans.length / 3 }, (_, i) => {
          const [start, end, concept] = spans.subarray(3 * i, 3 * i + 3);
          return { text: text.slice(start, end), concept: STORY_CONCEPTS[concept], start };
        }),
      })),
  };
}
