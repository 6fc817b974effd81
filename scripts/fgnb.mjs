// npm run fgnb -- ARGS: the command line from the checkout; builds the kernel first when it is not there.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const cli = path.join(root, 'dist/kernel/cli.cjs');
const run = (args, cwd) => spawnSync(process.execPath, args, { cwd, stdio: 'inherit' }).status ?? 1;
if (!fs.existsSync(cli)) {
  const failed =
    run(['scripts/ensure-dependencies.mjs'], root) || run(['scripts/build.mjs', 'kernel', 'webviews'], root);
  if (failed) process.exit(failed);
}
process.exit(run([cli, ...process.argv.slice(2)], process.env.INIT_CWD ?? process.cwd()));
