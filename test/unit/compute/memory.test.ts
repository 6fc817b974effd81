import fs from 'node:fs';
import path from 'node:path';
import { formatBytes } from '#protocol/bytes.js';
import { afterEach, describe, expect, it } from 'vitest';
import {
  cgroupMemory,
  freeMemory,
  memoryBudget,
  parseBytes,
  requireMemory,
  setMemoryBudget,
} from '#kernel/compute/memory.js';
import { testFolder } from '#test/kit/folder.js';

afterEach(() => {
  setMemoryBudget(undefined);
  delete process.env.FGNB_MEMORY_BUDGET;
});

function host(files: Record<string, string>): string {
  const root = testFolder('cgroup') + '/';
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(root + name), { recursive: true });
    fs.writeFileSync(root + name, text);
  }
  return root;
}

describe('memory budget', () => {
  it('reads sizes as people write them', () => {
    expect(parseBytes('512m')).toBe(512 * 2 ** 20);
    expect(parseBytes(' 1.5 GiB ')).toBe(1.5 * 2 ** 30);
    expect(parseBytes('4GB')).toBe(2 ** 32);
    expect(parseBytes('1000')).toBe(1000);
    for (const bad of ['', 'lots', '-1g', '3x', 'g']) expect(parseBytes(bad)).toBeUndefined();
    expect(formatBytes(900)).toBe('900 bytes');
    expect(formatBytes(3.25 * 2 ** 30)).toBe('3.3 GB');
  });

  it('is half of what is free, unless set', () => {
    const half = freeMemory() / 2;
    expect(Math.abs(memoryBudget() - half) / half).toBeLessThan(0.5);
    process.env.FGNB_MEMORY_BUDGET = '64m';
    expect(memoryBudget()).toBe(64 * 2 ** 20);
    setMemoryBudget(1000);
    expect(memoryBudget()).toBe(1000);
    setMemoryBudget(undefined);
    process.env.FGNB_MEMORY_BUDGET = 'much';
    expect(() => memoryBudget()).toThrow('such as "4g"');
    expect(() => setMemoryBudget(0)).toThrow('above 0');
  });

  it('refuses with the numbers', () => {
    setMemoryBudget(2 ** 20);
    expect(() => requireMemory('a dense product', 2 ** 21)).toThrow(
      'a dense product needs 2.0 MB but the memory budget is 1.0 MB',
    );
    requireMemory('little', 2 ** 20);
  });

  it('sees the limit of a control group, version 2 and 1', () => {
    const v2 = {
      'proc/self/cgroup': '0::/job\n',
      'sys/fs/cgroup/job/memory.max': '1000\n',
      'sys/fs/cgroup/job/memory.current': '300\n',
    };
    expect(cgroupMemory(host(v2))).toEqual({ limit: 1000, used: 300 });
    const atRoot = {
      'proc/self/cgroup': '0::/\n',
      'sys/fs/cgroup/memory.max': '5000\n',
      'sys/fs/cgroup/memory.current': '1\n',
    };
    expect(cgroupMemory(host(atRoot))).toEqual({ limit: 5000, used: 1 });
    const v1 = {
      'proc/self/cgroup': '4:memory:/x\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '77\n',
      'sys/fs/cgroup/memory/memory.usage_in_bytes': '7\n',
    };
    expect(cgroupMemory(host(v1))).toEqual({ limit: 77, used: 7 });
    expect(
      cgroupMemory(host({ ...v1, 'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n' })),
    ).toBeUndefined();
    expect(cgroupMemory(host({ ...v2, 'sys/fs/cgroup/job/memory.max': 'max\n' }))).toBeUndefined();
    expect(cgroupMemory(host({}))).toBeUndefined();
  });
});
