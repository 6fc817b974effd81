/** `fgnb gpu setup`: looks at the host, says what it will do, asks, does it, tries the device, and records it. */
import readline from 'node:readline/promises';
import type { SetupPlan } from '../compute/gpuSetup.js';
import { command, print, UsageError, write } from './command.js';

const question = async (text: string): Promise<boolean> => {
  const line = readline.createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await line.question(`${text} [y/N] `)).trim());
  } finally {
    line.close();
  }
};

/** Whether to go on: by --yes, else by the answer of who sits there. Nobody there is no. */
async function consents(yes: boolean | undefined, text: string): Promise<boolean> {
  if (yes) return true;
  if (process.stdin.isTTY) return question(text);
  print('Nothing was done: nobody can be asked here. Add --yes to agree.');
  return false;
}

function printPlan({ device, because, folder, findings, words }: SetupPlan): void {
  print(`Set up ${device}${because ? ` (${because})` : ''}\n`);
  for (const { what, ok, says } of findings) print(`  ${ok ? 'ok' : '✗ '}  ${what.padEnd(9)}${says}`);
  print(`\n  It ${words}`);
  print(`  Folder: ${folder}\n`);
}

async function removeAll(dryRun: boolean | undefined, yes: boolean | undefined): Promise<number> {
  const [{ removable, remove }, { gpuFolder }] = await Promise.all([
    import('../compute/gpuInstall.js'),
    import('../compute/hostGpu.js'),
  ]);
  const files = removable();
  if (files.length === 0) return (print(`Nothing is set up in ${gpuFolder()}.`), 0);
  print(`Removes\n${files.map((file) => `  ${file}`).join('\n')}`);
  if (dryRun) return 0;
  if (!(await consents(yes, 'Remove them?'))) return 1;
  remove(files);
  print('Removed.');
  return 0;
}

export const gpu = command({
  help: `  fgnb gpu setup [--device auto|webgpu|cuda] [--dry-run] [--remove] [--from SOURCE] [--yes]
      Looks at driver, CUDA and cuDNN libraries, Vulkan, C library, disk and network, says what it would install and
      where, asks, installs, tries the device and records the result. --dry-run stops before the question; --remove
      deletes what was installed; --from names the package's folder, its .tgz or a registry's address; --yes agrees.
      Exit code: 0 the device works (or could be set up, with --dry-run), 1 it does not or was declined, 2 wrong usage.`,
  options: {
    device: { type: 'string', default: 'auto' },
    'dry-run': { type: 'boolean' },
    remove: { type: 'boolean' },
    from: { type: 'string' },
    yes: { type: 'boolean' },
  },
  takes: [1, 1, 'what to do: setup'],
  async run({ device, 'dry-run': dryRun, remove, from, yes }, [what]) {
    if (what !== 'setup') throw new UsageError(`fgnb gpu ${what} is not known; there is: fgnb gpu setup`);
    const { planSetup, SETUP_DEVICES } = await import('../compute/gpuSetup.js');
    const asked = SETUP_DEVICES.find((name) => name === device);
    if (!asked) throw new UsageError(`--device is "${device}"; it must be one of ${SETUP_DEVICES.join(', ')}`);
    if (remove) return removeAll(dryRun, yes);
    const plan = await planSetup(asked, from);
    printPlan(plan);
    const lacks = plan.findings.filter(({ ok }) => !ok);
    if (lacks.length > 0) {
      print(
        `${plan.device} cannot be set up yet: see ${lacks.map((l) => l.what).join(', ')} above. Nothing was installed.`,
      );
      return 1;
    }
    if (dryRun) return 0;
    // What installs nothing needs no leave.
    if (plan.packages.length > 0 && !(await consents(yes, 'Install?'))) return 1;
    const { carryOut } = await import('../compute/gpuInstall.js');
    const { works, says } = await carryOut(plan, process.argv[1], (text) => write(text));
    print(works ? `${plan.device} works: ${says}` : `${plan.device} does not work: ${says}`);
    print(
      works ? 'Restart running kernels to use it.' : '`fgnb doctor` says more; `fgnb gpu setup --remove` undoes this.',
    );
    return works ? 0 : 1;
  },
});
