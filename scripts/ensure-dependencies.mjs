// Installs node_modules when it is not what the lock file says, so that `npm start` and `npm test` need no other step.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const lock = path.join(root, 'package-lock.json');
const stamp = path.join(root, 'node_modules/.package-lock.json');
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Node.js 20.19 or later is needed, this is ${process.version}. Install it and run the command again.`);
  process.exit(1);
}
const packagesOf = (file) => JSON.parse(fs.readFileSync(file, 'utf8')).packages;
/** Whether what is installed is what the lock says: a checkout makes the lock newer without changing it. */
function isInstalled() {
  if (!fs.existsSync(stamp)) return false;
  if (fs.statSync(stamp).mtimeMs >= fs.statSync(lock).mtimeMs) return true;
  const [there, wanted] = [packagesOf(stamp), packagesOf(lock)];
  const isThere = ([where, { version, optional, devOptional }]) =>
    where === '' || (there[where] ? there[where].version === version : optional || devOptional);
  return Object.entries(wanted).every(isThere) && Object.keys(there).every((where) => wanted[where]);
}
if (!isInstalled()) {
  console.log('Installing dependencies (npm ci)…');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const result = spawnSync(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (result.status !== 0) {
    console.error('npm ci failed; see the lines above.');
    process.exit(result.status ?? 1);
  }
}
