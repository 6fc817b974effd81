// npm run fgnb -- ARGS: the command line from the checkout; builds the kernel first when it is not there. It runs in this
// process: a signal that ends a batch job must reach it.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const cli = path.join(root, 'dist/kernel/cli.cjs');
const build = (...args) => spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status ?? 1;
if (!fs.existsSync(cli)) {
  const failed = build('scripts/ensure-dependencies.mjs') || build('scripts/build.mjs', 'kernel', 'webviews');
  if (failed) process.exit(failed);
}
process.chdir(process.env.INIT_CWD ?? process.cwd());
process.argv[1] = cli;
createRequire(import.meta.url)(cli);
