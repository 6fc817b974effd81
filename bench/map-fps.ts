/**
 * Maps in a browser without a graphics card (Chromium, software rendering), as exported pages: time to the first picture,
 * time of a frame while the map is dragged, time from a move of the pointer to the picture of what it is over, and the
 * size of the page. Peers are aims, no program.
 *
 * Options: `--points N` leaves out what has more points in all.
 */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { openChromium, reportScript } from '#test/kit/webviews.js';
import { mapPage, type MapSize } from './runs/mapPages.js';
import type { BenchResult } from './types.js';

interface Case extends MapSize {
  name: string;
  /** Megabytes; absent: no page of this size is asked for. */
  pageAim?: number;
}

const CASES: readonly Case[] = [
  { name: '2 × 16,384', sets: 2, points: 16_384, examples: 9, pageAim: 8 },
  { name: '2 × 100,000', sets: 2, points: 100_000, examples: 9, pageAim: 25 },
  { name: '1,000,000', sets: 1, points: 1_000_000, examples: 0 },
];
const MOVES = 90;
const HOVERS = 40;
/** Milliseconds. */
const AIMS = { load: 2_000, frame: 34, hover: 50 };

interface Times {
  load: number;
  frames: number[];
  hovers: number[];
  renderer: string;
}

const quantile = (values: readonly number[], q: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))];

/** Intervals of frames while the pointer drags the map in a circle. */
async function dragged(page: Page): Promise<number[]> {
  const box = (await page.locator('.layer').first().boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  const frames = page.evaluate(
    (moves) =>
      new Promise<number[]>((done) => {
        const at: number[] = [];
        const layer = document.elementFromPoint(innerWidth / 4, innerHeight / 2) ?? document.body;
        const host = layer.shadowRoot?.querySelector('.layer') ?? layer;
        const rect = host.getBoundingClientRect();
        const [cx, cy] = [rect.left + rect.width / 2, rect.top + rect.height / 2];
        const step = (now: number): void => {
          at.push(now);
          if (at.length > moves) return done(at.slice(1).map((t, i) => t - at[i]));
          const turn = (2 * Math.PI * at.length) / 45;
          const [clientX, clientY] = [cx + 80 * Math.sin(turn), cy + 80 * (1 - Math.cos(turn))];
          host.dispatchEvent(
            new PointerEvent('pointermove', { clientX, clientY, pointerId: 1, bubbles: true, composed: true }),
          );
          requestAnimationFrame(step);
        };
        requestAnimationFrame(step);
      }),
    MOVES,
  );
  const intervals = await frames;
  await page.mouse.up();
  return intervals.slice(10);
}

/** From moves of the pointer to the end of the frame that shows what it is over. */
function hovered(page: Page): Promise<number[]> {
  return page.evaluate(async (moves) => {
    const layer = document.elementFromPoint(innerWidth / 4, innerHeight / 2) ?? document.body;
    const host = layer.shadowRoot?.querySelector('.layer') ?? layer;
    const rect = host.getBoundingClientRect();
    const times: number[] = [];
    for (let m = 0; m < moves; m++) {
      const clientX = rect.left + rect.width * (0.3 + 0.4 * ((m * 0.618) % 1));
      const clientY = rect.top + rect.height * (0.3 + 0.4 * ((m * 0.414) % 1));
      await new Promise((next) => setTimeout(next, 60));
      const started = performance.now();
      host.dispatchEvent(new PointerEvent('pointermove', { clientX, clientY, bubbles: true, composed: true }));
      await new Promise<void>((painted) => requestAnimationFrame(() => setTimeout(painted)));
      times.push(performance.now() - started);
    }
    return times;
  }, HOVERS);
}

async function measure(browser: Browser, file: string): Promise<Times> {
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  page.setDefaultTimeout(180_000);
  // Compilers that keep function names wrap them in a helper that the page does not have.
  await page.addInitScript('globalThis.__name ??= (f) => f');
  try {
    const started = performance.now();
    await page.goto(pathToFileURL(file).href);
    await page.locator('.layer').first().waitFor();
    await page.evaluate(() => new Promise<void>((done) => requestAnimationFrame(() => setTimeout(done))));
    const load = performance.now() - started;
    // Regions, names and contours come after the first picture.
    await page.waitForTimeout(3_000);
    const renderer = (await page.locator('.stage').first().getAttribute('data-renderer')) ?? '';
    return { load, frames: await dragged(page), hovers: await hovered(page), renderer };
  } finally {
    await page.close();
  }
}

function lines({ name, pageAim }: Case, { load, frames, hovers, renderer }: Times, bytes: number): BenchResult[] {
  const line = (what: string, ours: number, aim: number, unit: string, note: string): BenchResult => ({
    ...{ name: what, size: name, ours, peer: aim, unit, speedup: aim / ours, note },
  });
  const spread = (values: readonly number[]): string => `median; 95 % within ${quantile(values, 0.95).toFixed(0)} ms`;
  return [
    line('load', load, AIMS.load, 'ms', `to the first picture, from a file; drawn by ${renderer}`),
    line('frame while panning', quantile(frames, 0.5), AIMS.frame, 'ms', spread(frames)),
    line('hover', quantile(hovers, 0.5), AIMS.hover, 'ms', spread(hovers)),
    ...(pageAim ? [line('page', bytes / 1e6, pageAim, 'MB', 'one HTML file with examples')] : []),
  ];
}

/** `--points N`. @throws Error for anything else */
function most(args: readonly string[]): number {
  if (args.length === 0) return Infinity;
  const points = Number(args[1]);
  if (args[0] !== '--points' || args.length !== 2 || !(points > 0))
    throw new Error(`its options are --points N, but it got ${args.join(' ')}`);
  return points;
}

export async function run(args: readonly string[]): Promise<BenchResult[]> {
  const limit = most(args);
  const script = await reportScript();
  const browser = await openChromium();
  const folder = mkdtempSync(path.join(tmpdir(), 'fgnb-bench-'));
  const results: BenchResult[] = [];
  try {
    for (const each of CASES.filter(({ sets, points }) => sets * points <= limit)) {
      const file = path.join(folder, 'map.html');
      writeFileSync(file, await mapPage(each, script));
      results.push(...lines(each, await measure(browser, file), statSync(file).size));
    }
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
  return results;
}
