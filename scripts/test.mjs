// npm test: installs what is missing, then type-check, lint, format and every test tier; last line `N passed, N failed, N skipped`.
// A tier also fails when tests that test/counts.json records are gone, or when its runner died without a result.
//   node scripts/test.mjs [types|lint|unit|kernel|node24|e2e|vscode]...   only these
//   node scripts/test.mjs --record [tier]...                     write the counts of a green run to test/counts.json: at a release
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { harnessPaths, unsupported } from '../test/harness/install.mjs';
import { countByFile, countsText, readCounts, vanished } from '../test/harness/results.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const results = path.join(root, 'test-results');
const countsFile = path.join(root, 'test/counts.json');
/** Tests that do not depend on the version of Node: they run once, on Node 24, where both kernel tiers run. */
const ONCE = ['examplesAnalysis', 'examplesSynthetic', 'realData', 'realModel', 'conformance', 'faultFiles', 'modelMemory', 'readyTokens', 'slurm', 'docsLines', 'gpuSetup', 'cudaFailures', 'quickstartDevice', 'saeKills', 'saeTogether', 'cudaGraphs', 'device', 'interventions', 'notes', 'convert', 'correlationResume', 'worlds', 'saeResume', 'saeModel', 'presets', 'effects', 'saveFigure', 'session-load']; // prettier-ignore
/** Data that is not in the repository: tests of it are skipped where it is absent. */
const sharedData = fs.existsSync(path.join(root, '../shared/data'));
const asked = process.argv.slice(2).filter((a) => !a.startsWith('-'));
const record = process.argv.includes('--record');
const wanted = (name) => asked.length === 0 || asked.includes(name);
const total = { passed: 0, failed: 0, skipped: 0 };
const counts = readCounts(countsFile);
const failures = [];

const bin = (name) => path.join(root, 'node_modules/.bin', process.platform === 'win32' ? `${name}.cmd` : name);
function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32', ...options });
}
function heading(text) {
  console.log(`\n── ${text} ${'─'.repeat(Math.max(0, 72 - text.length))}`);
}
function add(tier, passed, failed, skipped) {
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
  if (failed > 0) failures.push(`${tier}: ${failed} failed`);
}
/** For the list of failures at the end, where one looks first. */
const firstLine = (message = '') => message.split('\n')[0].slice(0, 300);
/** Checks of a tier, one behind the other; each prints what it said when it has ended. */
async function check(tier, checks) {
  if (!wanted(tier)) return;
  for (const [name, command, args] of checks) {
    const { ok, text } = await captured(command, args);
    heading(name);
    process.stdout.write(text);
    add(name, ok ? 1 : 0, ok ? 0 : 1, 0);
    console.log(`${name}: ${ok ? 'ok' : 'FAILED'}`);
  }
}
function captured(command, args) {
  const child = spawn(command, args, { cwd: root, shell: process.platform === 'win32' });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part) => (text += part));
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ ok: false, text: `${error.message}\n` }));
    child.on('close', (status) => resolve({ ok: status === 0, text }));
  });
}
/**
 * Tests that vanished silently, and tests that stopped running: a skipped one is known, but did not run. Where data is
 * absent more are skipped than where the counts were recorded; each says why, and the sum must be the same.
 */
function guard(tier, now) {
  const gone = record ? [] : vanished(now, counts[tier], sharedData);
  counts[tier] = now;
  if (gone.length === 0) return;
  for (const line of gone) console.log(`${tier}: ${line}`);
  console.log('What was moved or taken out on purpose leaves test/counts.json too: change its line there.');
  add(`${tier} (suite shrank)`, 0, 1, 0);
}
function vitestTier(tier, { project = tier, node, without = [], env = {} } = {}) {
  if (!wanted(tier)) return;
  heading(`${tier} tests`);
  const file = path.join(results, `${tier}.json`);
  fs.rmSync(file, { force: true });
  const excluded = without.flatMap((name) => ['--exclude', `**/${name}.test.ts`]);
  const args = ['run', '--project', project, ...excluded, '--reporter=default', '--reporter=json'];
  args.push(`--outputFile.json=${file}`);
  const options = { env: { ...process.env, ...env } };
  const status = node
    ? run(node, [path.join(root, 'node_modules/vitest/vitest.mjs'), ...args], { ...options, shell: false }).status
    : run(bin('vitest'), args, options).status;
  if (!fs.existsSync(file)) {
    console.log(`${tier}: the runner died without a result (exit ${status})`);
    return add(`${tier} (runner died)`, 0, 1, 0);
  }
  const report = JSON.parse(fs.readFileSync(file, 'utf8'));
  const skipped = report.numPendingTests + (report.numTodoTests ?? 0);
  // A file that fails to load has no tests, yet it failed.
  const broken = report.testResults.filter(
    (f) => f.status === 'failed' && f.assertionResults.every((t) => t.status !== 'failed'),
  ).length;
  const failed = Math.max(report.numFailedTests + broken, status === 0 ? 0 : 1);
  add(tier, report.numPassedTests, failed, skipped);
  for (const test of report.testResults.flatMap((f) => f.assertionResults))
    if (test.status === 'failed') failures.push(`${tier} > ${test.fullName}: ${firstLine(test.failureMessages?.[0])}`);
  const named = report.testResults.map((f) => [path.relative(root, f.name).replaceAll(path.sep, '/'), f]);
  const ran = (test) => test.status === 'passed' || test.status === 'failed';
  guard(tier, countByFile(named.flatMap(([name, f]) => f.assertionResults.map((test) => [name, !ran(test)]))));
}
function vscodeTier() {
  if (!wanted('vscode')) return;
  heading('real VS Code tests');
  const result = run(process.execPath, ['test/harness/run-suite.mjs'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  process.stdout.write(result.stdout ?? '');
  const line = /(\d+) passed, (\d+) failed, (\d+) skipped\s*$/.exec((result.stdout ?? '').trimEnd());
  if (!line) return add('vscode (runner died)', 0, 1, 0);
  const [passed, failed, skipped] = line.slice(1).map(Number);
  add('vscode', passed, Math.max(failed, result.status === 0 ? 0 : 1), skipped);
  // The suite has compared its tests with the record itself.
  if (passed > 0) counts.vscode = JSON.parse(fs.readFileSync(path.join(results, 'vscode.json'), 'utf8'));
}
/** The kernel tier once more, with the Node that the harness runs VS Code with. */
function node24Tier() {
  if (!wanted('node24')) return;
  if (unsupported()) {
    heading('node24 tests');
    console.log(`The kernel on Node 24 is skipped: ${unsupported()}`);
    return add('node24', 0, 0, 1);
  }
  vitestTier('node24', { project: 'kernel', node: harnessPaths().node, env: nodesEnv });
}
/** Debian's chromium, through apt when we may. */
function ensureChromium() {
  if (fs.existsSync('/usr/bin/chromium')) return;
  if (os.platform() === 'linux' && process.getuid?.() === 0) {
    heading("installing Debian's chromium");
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    run('apt-get', ['update', '-qq'], { env });
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'], { env });
  }
  if (!fs.existsSync('/usr/bin/chromium')) {
    console.error(
      'Browser tests need /usr/bin/chromium: install it with "sudo apt-get install chromium" and run npm test again.',
    );
    process.exit(1);
  }
}

/** Debian's Slurm, through apt when we may: tests that need it say why they are skipped without. */
function ensureSlurm() {
  if (fs.existsSync('/usr/sbin/slurmctld') || os.platform() !== 'linux' || process.getuid?.() !== 0) return;
  heading("installing Debian's Slurm");
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  run('apt-get', ['update', '-qq'], { env });
  const packages = ['slurmctld', 'slurmd', 'slurm-client', 'munge'];
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { env });
}

if (run(process.execPath, ['scripts/ensure-dependencies.mjs']).status !== 0) process.exit(1);
fs.mkdirSync(results, { recursive: true });
const onNode24 = wanted('node24') && !unsupported();
const twoNodes = wanted('kernel') && onNode24;
/** Tests that repeat a thing at random moments share the repetitions out. */
const nodesEnv = twoNodes ? { FGNB_TEST_TWO_NODES: '1' } : {};
const needsHarness = wanted('e2e') || wanted('vscode') || onNode24;
if (needsHarness) {
  if (wanted('e2e') || wanted('vscode')) ensureChromium();
  heading('VS Code harness');
  if (run(process.execPath, ['test/harness/install.mjs']).status !== 0) process.exit(1);
}
if (wanted('kernel') || wanted('node24')) ensureSlurm();
heading('build');
if (run(process.execPath, ['scripts/build.mjs']).status !== 0) {
  console.log('\n0 passed, 1 failed, 0 skipped');
  process.exit(1);
}
// Each of these takes one core.
await Promise.all([
  check('types', [['type check', bin('tsc'), ['-b']]]),
  check('lint', [
    ['format', bin('prettier'), ['--check', '.', '--log-level=warn']],
    ['unused code', bin('knip'), ['--no-progress']],
  ]),
]);
// Behind the types: it reads the declarations that they leave.
await check('lint', [['lint', bin('eslint'), ['.', '--max-warnings=0']]]);
vitestTier('unit');
vitestTier('kernel', { without: twoNodes ? ONCE : [], env: nodesEnv });
node24Tier();
vitestTier('e2e');
vscodeTier();
if (record && total.failed === 0) fs.writeFileSync(countsFile, countsText(counts));
heading('result');
for (const failure of failures) console.log(`FAILED ${failure}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);
