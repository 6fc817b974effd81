/** The same suite under @vscode/test-electron, where a desktop VS Code can be downloaded: npm run test:desktop. */
import { mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runTests } from '@vscode/test-electron';
import { judge, readCounts, report } from './results.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const dir = mkdtempSync(path.join(tmpdir(), 'fgnb-desktop-'));
const workspace = path.join(dir, 'workspace');
mkdirSync(workspace);
const results = path.join(dir, 'results.jsonl');
let exitCode = 0;
try {
  await runTests({
    version: process.env.FGNB_VSCODE_VERSION || 'stable',
    extensionDevelopmentPath: root,
    extensionTestsPath: path.join(root, 'dist/test/vscode/index.cjs'),
    launchArgs: [
      workspace,
      '--disable-extensions',
      '--disable-workspace-trust',
      '--user-data-dir',
      path.join(dir, 'user'),
    ],
    extensionTestsEnv: { FGNB_RESULTS: results, FGNB_RUN_ROOT: path.join(dir, 'run') },
  });
} catch (error) {
  console.error(error);
  exitCode = 1;
}
const result = judge(results, { recorded: readCounts(path.join(root, 'test/counts.json')).vscode, exitCode });
rmSync(dir, { recursive: true, force: true });
report(result);
process.exit(result.ok ? 0 : 1);
