// npm run package: builds everything and writes the platform's .vsix into out/.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageVsix } from './vscode.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
execFileSync(process.execPath, ['scripts/build.mjs', 'extension', 'kernel', 'webviews', '--release'], {
  cwd: root,
  stdio: 'inherit',
});
console.log(packageVsix());
