import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { installTrouble, setupRecords } from '#kernel/compute/gpuInstall.js';
import { cudaTrouble, driverTrouble, nvidiaCards, tryLibraries, versionBelow, type HostGpu } from '#kernel/compute/hostGpu.js'; // prettier-ignore
import { testFolder } from '#test/kit/folder.js';
import { library } from '#test/kit/preparedHosts.js';

const folder = testFolder('host-gpu');
const linux = process.platform === 'linux';
if (!linux) console.log('shared libraries are tried on Linux alone');

describe('shared libraries', () => {
  it.skipIf(!linux)('are found, missing or broken, and one that ends the process spoils no other', async () => {
    const [good, dead, last] = ['libgood.so', 'libdead.so', 'liblast.so'].map((name) => path.join(folder, name));
    library(good);
    library(last);
    library(dead, '#include <stdlib.h>\n__attribute__((constructor)) static void start(void) { abort(); }');
    const text = path.join(folder, 'libtext.so');
    fs.writeFileSync(text, 'no library');
    const states = await tryLibraries([good, 'libfgnb-none.so.7', dead, text, last]);
    expect(states.map(({ state }) => state)).toEqual(['found', 'missing', 'broken', 'broken', 'found']);
    expect(states[2].reason).toMatch(/loading it ends the process \(SIGABRT\)/);
    expect(states[3].reason).toMatch(/file too short|invalid ELF header/);
    expect(await tryLibraries([])).toEqual([]);
  });
});

describe('a host with NVIDIA', () => {
  it('compares versions number by number, and passes what it does not know', () => {
    expect(versionBelow('450.80.02', '450.80.2')).toBe(false);
    expect(versionBelow('99.1', '450')).toBe(true);
    expect(versionBelow('450', '450.0.1')).toBe(true);
    expect(driverTrouble('525.60.12', '12')).toContain('525.60.13 or newer');
    expect(driverTrouble('525.60.13', '12')).toBeUndefined();
    expect(driverTrouble('unknown version', '13')).toBeUndefined();
    expect(driverTrouble(undefined, '13')).toBeUndefined();
  });

  it('lists its cards in the order of their addresses', () => {
    for (const [address, text] of [
      ['0000:0b:00.0', 'Model: \t NVIDIA L4\n'],
      ['0000:0a:00.0', 'IRQ: 7\n'],
    ])
      // prettier-ignore
      for (const at of [path.join(folder, 'gpus', address)]) {
        fs.mkdirSync(at, { recursive: true });
        fs.writeFileSync(path.join(at, 'information'), text);
      }
    expect(nvidiaCards(path.join(folder, 'gpus'))).toEqual(['card at 0000:0a:00.0', 'NVIDIA L4']);
    expect(nvidiaCards(path.join(folder, 'none'))).toEqual([]);
  });

  it('says driver first, then libraries', () => {
    const found = (name: string) => ({ name, state: 'found' as const });
    const host: HostGpu = {
      vulkan: { drivers: [] },
      cuda: {
        driver: { name: 'libcuda.so.1', state: 'missing' },
        releases: [{ version: '12', libraries: [found('a')] }],
      },
    };
    expect(cudaTrouble(host, '12')).toContain('no NVIDIA driver is loaded');
    const driven = { ...host, nvidia: { driver: '570.1', cards: [] } };
    expect(cudaTrouble(driven, '12')).toMatch(/^libcuda\.so\.1 is missing: install CUDA 12/);
    expect(cudaTrouble({ ...driven, cuda: { ...host.cuda, driver: found('libcuda.so.1') } }, '12')).toBeUndefined();
  });
});

describe('an installation that failed', () => {
  it.each([
    ['npm error code ENOSPC', 'the disk is full'],
    ['npm ERR! code EACCES', 'cannot be written'],
    ['npm error code ENOTFOUND\nnpm error path /x', 'the network was not reached'],
    ['npm error 404 E404 Not Found', 'does not have the package'],
    ['npm error path /x\nnpm error command failed', 'own install step failed'],
    ['odd', 'npm ended with exit code 1'],
  ])('%s: %s', (words, cause) => expect(installTrouble(words, 'exit code 1')).toContain(cause));

  it('has a record that can be read, or the way out is said', () => {
    expect(setupRecords(folder)).toEqual({});
    fs.writeFileSync(path.join(folder, 'setup.json'), '{');
    expect(() => setupRecords(folder)).toThrow(/setup\.json cannot be read .*--remove/);
  });
});
