/**
 * Short texts of our own, parted by blank lines: what the samples in this folder are trained on and read.
 *
 * npx tsx test/goldens/stories.mjs -> test/goldens/stories.txt
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateStories } from '#kernel/synthetic/stories/generate.js';

const texts = generateStories({ stories: 200, seed: 7 }).map(({ text }) => text);
writeFileSync(join(import.meta.dirname, 'stories.txt'), `${texts.join('\n\n')}\n`);
