// Makes the pictures of README.md again, by the browser tests that make them, and puts them into docs/images:
//   node scripts/readme-pictures.mjs [splitting] [feature-page] [workbench-map]   default: all
// Needs a build, Debian's chromium and, for the map in VS Code, the harness of npm test (several minutes: it runs the
// quickstart). Seeds stand in the tests and in the example, so that the same code makes the same pictures.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** The test file of each picture, its screenshot, and how much of it is shown, from the top. */
const PICTURES = {
  splitting: { test: 'jointMap', shot: 'joint-real-light-1400', height: 900 },
  'feature-page': { test: 'featurePage', shot: 'feature-page-light', height: 1000 },
  'workbench-map': { test: 'quickstart', shot: 'workbench-map-light', height: 900 },
};

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !Object.hasOwn(PICTURES, name));
if (unknown !== undefined) {
  console.error(`there is no picture "${unknown}"; there are: ${Object.keys(PICTURES).join(', ')}`);
  process.exit(2);
}

/** The upper part of a screenshot, as a PNG. */
async function upperPart(browser, png, height) {
  const page = await browser.newPage({ viewport: { width: 1400, height } });
  await page.setContent(`<body style="margin: 0"><img style="display: block" src="data:image/png;base64,${png.toString('base64')}">`); // prettier-ignore
  await page.locator('img').evaluate((image) => image.decode());
  const part = await page.screenshot();
  await page.close();
  return part;
}

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  for (const name of asked.length > 0 ? asked : Object.keys(PICTURES)) {
    const { test, shot, height } = PICTURES[name];
    const from = path.join(root, 'test-results/screenshots', `${shot}.png`);
    // A picture of an earlier run must not pass for one of this.
    fs.rmSync(from, { force: true });
    const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
    const args = [vitest, 'run', '--project', 'e2e', `test/e2e/${test}.test.ts`];
    const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
    if (status !== 0 || !fs.existsSync(from))
      throw new Error(`test/e2e/${test}.test.ts made no ${shot}.png: see above what failed or was skipped`);
    fs.writeFileSync(
      path.join(root, 'docs/images', `${name}.png`),
      await upperPart(browser, fs.readFileSync(from), height),
    );
    console.log(`docs/images/${name}.png`);
  }
} finally {
  await browser.close();
}
