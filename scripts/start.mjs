// npm start: installs what is missing, builds, and runs the quickstart headless; prints the key figures and the paths of its results.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const step = (args) => {
  const result = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (result.status !== 0) process.exit(result.status ?? 1);
};
step(['scripts/ensure-dependencies.mjs']);
step(['scripts/build.mjs', 'kernel', 'webviews']);
step([
  'dist/kernel/cli.cjs',
  'run',
  'examples/quickstart.fgnb',
  '--out',
  'out/quickstart.fgnb',
  '--html',
  'out/quickstart.html',
  ...process.argv.slice(2),
]);
