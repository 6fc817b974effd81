/**
 * Runs the mocha suite (dist/test/vscode) inside real VS Code:  node test/harness/run-suite.mjs [--grep TEXT] [--keep]
 * The last line is `N passed, N failed, N skipped`; the exit code is 0 only when every check of results.mjs holds.
 */
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { format } from 'node:util';
import { startBrowser } from './browser.mjs';
import { installHarness, unsupported } from './install.mjs';
import { judge, readCounts, report } from './results.mjs';
import { startServer } from './server.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const LIMIT_MS = Number(process.env.FGNB_SUITE_LIMIT_MS || 300_000);
const argument = (name) => {
  const at = process.argv.indexOf(name);
  return at > 0 ? process.argv[at + 1] : undefined;
};

/** Lines that say nothing about our extension. */
const NOISE =
  /^(\S* )?(Resolv|Creating a socket|\[Service Worker|Updating additional|\[AgentHost|\[AccountPolicy|\[reconnection|Error: Could not locate the bindings|Cannot find module|getaddrinfo)/;

async function runInWorkbench(dir, workspace, server) {
  const context = await startBrowser(dir);
  try {
    const page = context.pages()[0] ?? (await context.newPage());
    const lines = [];
    const exit = new Promise((resolve) => {
      void page.exposeFunction('codeAutomationLog', (_type, args) => {
        const line = format(...args);
        if (!NOISE.test(line)) lines.push(line);
        if (process.env.FGNB_VERBOSE && !NOISE.test(line)) console.log(line);
      });
      void page.exposeFunction('codeAutomationExit', (code) => resolve(code));
      page.on('crash', () => resolve('page crash'));
      setTimeout(() => resolve('timeout'), LIMIT_MS).unref();
    });
    const remote = (file) => `vscode-remote://127.0.0.1:${server.port}${file}`;
    const payload = [
      ['extensionDevelopmentPath', remote(root)],
      ['extensionTestsPath', remote(path.join(root, 'dist/test/vscode/index.cjs'))],
    ];
    const query = `?folder=${encodeURIComponent(workspace)}&payload=${encodeURIComponent(JSON.stringify(payload))}`;
    await page.goto(server.url + query);
    const code = await exit;
    if (code !== 0) await page.screenshot({ path: path.join(root, 'test-results/vscode-suite.png') }).catch(() => {});
    return { code, lines };
  } finally {
    await context.close().catch(() => {});
  }
}

async function main() {
  if (unsupported()) {
    console.log(`The VS Code suite is skipped: ${unsupported()}`);
    console.log('0 passed, 0 failed, 1 skipped');
    return 0;
  }
  installHarness();
  const dir = mkdtempSync(path.join(tmpdir(), 'fgnb-vscode-'));
  const workspace = path.join(dir, 'workspace');
  mkdirSync(workspace);
  mkdirSync(path.join(root, 'test-results'), { recursive: true });
  const results = path.join(dir, 'results.jsonl');
  const grep = argument('--grep') ?? '';
  const env = { FGNB_RESULTS: results, FGNB_RUN_ROOT: path.join(dir, 'run'), FGNB_GREP: grep };
  let outcome = { code: 'the harness failed', lines: [] };
  let server;
  try {
    server = await startServer(dir, { smokeTest: true, env });
    outcome = await runInWorkbench(dir, workspace, server);
  } catch (error) {
    console.error(error);
  } finally {
    await server?.stop();
  }
  const recorded = grep ? undefined : readCounts(path.join(root, 'test/counts.json')).vscode;
  const result = judge(results, { recorded, exitCode: outcome.code });
  writeFileSync(path.join(root, 'test-results/vscode.json'), JSON.stringify(result.files));
  if (!result.ok) {
    for (const line of outcome.lines.slice(-40)) console.log(line);
    if (server) console.log(readFileSync(server.logFile, 'utf8').split('\n').slice(-15).join('\n'));
  }
  if (process.argv.includes('--keep')) console.log(`kept ${dir}`);
  else rmSync(dir, { recursive: true, force: true });
  report(result);
  return result.ok ? 0 : 1;
}

process.exit(await main());
