import { describe, expect, it } from 'vitest';
import { deathText, explainDeath } from '#extension/kernelClient/death.js';
import { cleanEnv, findNode, isSupportedNode } from '#extension/kernelClient/node.js';
import { reduceKernel, type KernelEvent, type KernelState } from '#extension/kernelClient/state.js';

const walk = (from: KernelState, ...events: KernelEvent[]): KernelState => events.reduce(reduceKernel, from);
const STATES: KernelState[] = [
  'none',
  'starting',
  'idle',
  'busy',
  'interrupting',
  'restarting',
  'dead',
  'detached',
  'lost',
];

describe('the kernel state', () => {
  it('goes from none through starting to idle, busy, interrupting and back', () => {
    expect(walk('none', { type: 'start' }, { type: 'attached', busy: false })).toBe('idle');
    expect(walk('idle', { type: 'reported', state: 'busy' }, { type: 'interrupt' })).toBe('interrupting');
    // The kernel still reports its cell as running until it has stopped.
    expect(walk('interrupting', { type: 'reported', state: 'busy' })).toBe('interrupting');
    expect(walk('interrupting', { type: 'reported', state: 'idle' })).toBe('idle');
  });

  it('restarts from every state', () => {
    for (const state of STATES)
      expect(walk(state, { type: 'restart' }, { type: 'start' }, { type: 'attached', busy: false })).toBe('idle');
  });

  it('does not listen to a process that is being replaced', () => {
    expect(walk('restarting', { type: 'reported', state: 'idle' })).toBe('restarting');
    expect(walk('dead', { type: 'reported', state: 'busy' })).toBe('dead');
  });

  it('interrupting an idle kernel changes nothing', () => {
    expect(walk('idle', { type: 'interrupt' })).toBe('idle');
  });

  it('a broken connection is lost and not taken over, a reattached kernel is what it says it is', () => {
    expect(walk('busy', { type: 'connectionLost' })).toBe('lost');
    expect(walk('lost', { type: 'died' })).toBe('dead');
    expect(walk('lost', { type: 'attached', busy: false })).toBe('idle');
    expect(walk('busy', { type: 'takenOver' })).toBe('detached');
    for (const state of ['dead', 'none', 'restarting'] as const)
      expect(walk(state, { type: 'takenOver' }, { type: 'connectionLost' })).toBe(state);
    expect(walk('detached', { type: 'attached', busy: true })).toBe('busy');
    expect(walk('detached', { type: 'died' })).toBe('dead');
  });
});

describe('why a kernel died', () => {
  it('names memory for SIGKILL, with the figures', () => {
    const report = explainDeath({ signal: 'SIGKILL', logTail: '', rssBytes: 3 * 2 ** 30, systemFreeBytes: 2 ** 29 });
    expect(report.summary).toBe('The kernel died (signal SIGKILL).');
    expect(report.cause).toMatch(/out of memory.*3\.0 GiB, 0\.5 GiB free/);
    expect(report.next).toMatch(/restart the kernel/);
  });

  it.each([
    [
      'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory',
      /heap was full/,
      /heapSizeMb/,
    ],
    ['CUDA_ERROR_OUT_OF_MEMORY: out of memory', /GPU memory/, /smaller batch/],
    [
      'error while loading shared libraries: libcudart.so.11.0: cannot open shared object file',
      /library is missing/,
      /Doctor/,
    ],
    ['Error: ENOSPC: no space left on device', /disk is full/, /artifactFolder/],
  ])('reads the log: %s', (logTail, cause, next) => {
    const report = explainDeath({ signal: 'SIGABRT', logTail });
    expect(report.cause).toMatch(cause);
    expect(report.next).toMatch(next);
  });

  it('says so when nothing is known', () => {
    expect(explainDeath({ logTail: '' }).cause).toMatch(/not known/);
  });

  it('says that it could not start when it never answered', () => {
    expect(explainDeath({ code: 1, logTail: '', whileStarting: true }).summary).toBe(
      'The kernel could not start (exit code 1).',
    );
  });

  it('shows the end of the log and not more than twelve lines of it', () => {
    const logTail = Array.from({ length: 40 }, (_, i) => `log ${i}`).join('\n');
    const text = deathText(explainDeath({ code: 1, logTail }));
    expect(text).toContain('log 39');
    expect(text).not.toContain('log 27\n');
  });
});

describe('finding Node', () => {
  it.each([
    ['v20.19.0', true],
    ['20.18.9', false],
    ['v22.1.0', true],
    ['v18.20.4', false],
    ['nonsense', false],
  ])('%s is supported: %s', (version, supported) => {
    expect(isSupportedNode(version)).toBe(supported);
  });

  it('refuses a setting that does not run, naming the setting', async () => {
    await expect(findNode('/nowhere/node')).rejects.toThrow(/fgnb\.nodePath names \/nowhere\/node/);
  });

  it('takes the setting when it runs', async () => {
    expect(await findNode(process.execPath)).toMatchObject({ path: process.execPath, from: 'setting' });
  });

  it('drops what belongs to the editor from the environment', () => {
    const env = {
      PATH: '/bin',
      VSCODE_PID: '1',
      ELECTRON_RUN_AS_NODE: '1',
      NODE_OPTIONS: '--inspect',
      npm_config_x: 'y',
      HF_HOME: '/hf',
    };
    expect(cleanEnv(env)).toEqual({ PATH: '/bin', HF_HOME: '/hf' });
  });
});
