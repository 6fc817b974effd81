/** Installs what a plan says into the GPU folder of this host, tries the device in a process of its own, and records it. */
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { npmCommand, type SetupDevice, type SetupPlan } from './gpuSetup.js';
import { gpuFolder } from './hostGpu.js';

const RECORD = 'setup.json';
const DESCRIPTION = 'GPU packages of Feature Geometry Notebooks';
/** What setting up writes into its folder; nothing else there is ever removed. */
const OWN = ['node_modules', 'package.json', 'package-lock.json', RECORD];
const VERIFY_MS = 180_000;
const LAST = 4000;

/** What came of setting up a device. */
export interface SetupRecord {
  /** ISO 8601. */
  at: string;
  packages: Record<string, string>;
  /** The device as it describes itself, where it passed its check; else why it did not. */
  works: boolean;
  says: string;
}
export type SetupRecords = Partial<Record<SetupDevice, SetupRecord>>;

/** What was set up on this host. @throws Error when the record cannot be read */
export function setupRecords(folder = gpuFolder()): SetupRecords {
  const file = path.join(folder, RECORD);
  if (!fs.existsSync(file)) return {};
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')) as SetupRecords;
  } catch (error) {
    throw new Error(`${file} cannot be read (${(error as Error).message}): run \`fgnb gpu setup --remove\``, {
      cause: error,
    });
  }
}

function record(folder: string, device: SetupDevice, entry: SetupRecord): void {
  fs.mkdirSync(folder, { recursive: true });
  const file = path.join(folder, RECORD);
  fs.writeFileSync(`${file}.new`, `${JSON.stringify({ ...setupRecords(folder), [device]: entry }, null, 2)}\n`);
  fs.renameSync(`${file}.new`, file);
}

/** What the words of npm mean, and what to do. */
const CAUSES: ReadonlyArray<readonly [RegExp, string, string]> = [
  [/ENOSPC|no space left/i, 'the disk is full', 'free some space, or choose another folder by FGNB_GPU_FOLDER'],
  [/EACCES|EPERM|EROFS/, 'the folder cannot be written', 'choose another one by FGNB_GPU_FOLDER'],
  [/E404|ETARGET|notarget/, 'the source does not have the package', 'name another registry or a folder by --from'],
  [
    /ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH|fetch failed/i,
    'the network was not reached',
    'check the connection and `npm config get https-proxy`, or carry the package along and name it by --from',
  ],
  [
    /npm (?:error|ERR!) (?:command|path)/,
    "the package's own install step failed",
    'its words stand above; what it downloads must be reachable',
  ],
];

/** The cause of a failed installation and the next step. */
export function installTrouble(words: string, ended: string): string {
  const found = CAUSES.find(([pattern]) => pattern.test(words));
  return found ? `${found[1]} (npm: ${ended}): ${found[2]}` : `npm ended with ${ended}; its words stand above`;
}

/** Runs npm in the folder; its words go to `say`. @throws Error with cause and next step */
async function install({ folder, packages, source }: SetupPlan, say: (text: string) => void): Promise<void> {
  const npm = npmCommand();
  if (!npm) throw new Error('npm was not found: install npm, which comes with Node');
  fs.mkdirSync(folder, { recursive: true });
  const manifest = path.join(folder, 'package.json');
  if (!fs.existsSync(manifest))
    fs.writeFileSync(manifest, `${JSON.stringify({ private: true, description: DESCRIPTION }, null, 2)}\n`);
  const [program, ...before] = npm;
  // The package's own step fetches its libraries, whatever the user's settings say of scripts in general.
  const options = ['--ignore-scripts=false', '--foreground-scripts', '--install-links', '--save-exact', '--no-audit', '--no-fund', ...source]; // prettier-ignore
  const child = spawn(program, [...before, 'install', ...options, ...packages.map(({ spec }) => spec)], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let words = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-LAST);
      say(text);
    });
  const ended = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  if (ended !== 'exit code 0') throw new Error(installTrouble(words, ended));
}

/** Version of an installed package. @throws Error when another one than was asked for came */
function installedVersion(folder: string, name: string, wanted: string): string {
  const file = path.join(folder, 'node_modules', name, 'package.json');
  const found = fs.existsSync(file) && (JSON.parse(fs.readFileSync(file, 'utf8')) as { version?: string }).version;
  if (found !== wanted)
    throw new Error(
      found
        ? `${name} ${found} was installed, and ${wanted} is needed: name a source of that version by --from`
        : `npm ended well and ${name} is not in ${folder}: --from names something else`,
    );
  return found;
}

/** Starts the device in a process of its own, as the kernel would. */
function verify(cli: string, { device, folder }: SetupPlan): Promise<Pick<SetupRecord, 'works' | 'says'>> {
  const env = { ...process.env, FGNB_GPU_FOLDER: folder };
  const args = [cli, 'doctor', '--device', device, '--json'];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      args,
      { cwd: folder, env, timeout: VERIFY_MS, maxBuffer: 2 ** 24 },
      (error, stdout, stderr) => {
        // prettier-ignore
        if (error) {
        const reason = /^fgnb: (.*)$/m.exec(stderr)?.[1];
        const died = `the process that tried it ended (${error.signal ?? error.code}): ${stderr.trim().split('\n').at(-1)}`;
        return resolve({ works: false, says: reason ?? died });
      }
        const { device } = JSON.parse(stdout) as { device: { description: string; graphs?: { error: number } } };
        const agrees = device.graphs ? `; agrees with float64 to ${device.graphs.error.toExponential(1)}` : '';
        resolve({ works: true, says: device.description + agrees });
      },
    );
  });
}

/**
 * Carries a plan out: installs, tries the device, records what came of it.
 * @param cli the bundle of the command line, whose Doctor tries the device
 * @throws Error with cause and next step when the installation fails; npm has then taken back what it began
 */
export async function carryOut(plan: SetupPlan, cli: string, say: (text: string) => void): Promise<SetupRecord> {
  const { device, folder, packages } = plan;
  if (packages.length > 0) await install(plan, say);
  const versions = packages.map(({ name, version }) => [name, installedVersion(folder, name, version)]);
  fs.mkdirSync(folder, { recursive: true });
  say(`trying ${device} in a process of its own …\n`);
  const found = await verify(cli, plan);
  const entry = {
    at: new Date().toISOString(),
    packages: Object.fromEntries(versions) as Record<string, string>,
    ...found,
  };
  record(folder, device, entry);
  return entry;
}

/** What removing would delete: paths in the GPU folder. @throws Error when the folder is not ours */
export function removable(folder = gpuFolder()): string[] {
  const there = OWN.map((name) => path.join(folder, name)).filter((file) => fs.existsSync(file));
  const manifest = path.join(folder, 'package.json');
  if (!fs.existsSync(manifest)) return there.filter((file) => path.basename(file) === RECORD);
  if (!fs.readFileSync(manifest, 'utf8').includes(DESCRIPTION))
    throw new Error(`${manifest} was not written by this program: remove what is in that folder by hand`);
  return there;
}

export function remove(files: readonly string[]): void {
  for (const file of files) fs.rmSync(file, { recursive: true, force: true });
}
