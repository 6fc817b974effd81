/** Trainings that are watched, stopped, gone wrong, and begun with an SAE. */
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { crc32c } from '#kernel/io/tfevents.js';
import { CheckpointPace } from '#kernel/sae/checkpoint.js';
import { matrixSource, type ActivationSource } from '#kernel/sae/source.js';
import { exploded } from '#kernel/sae/stopped.js';
import { trainSae, type HistoryRow } from '#kernel/sae/train.js';
import type { Sae } from '#kernel/sae/types.js';
import { freshFg, hook, lmA, texts } from '#test/kit/fg.js';
import { testFolder } from '#test/kit/folder.js';

beforeAll(() => initDevice({ device: 'cpu' }));

const D = 6;
const x = matrix(400, D, new Random(7).normals(new Float32Array(400 * D)));
const source = matrixSource(x, { rowsPerBatch: 100, hookName: 'h', modelName: 'm' });
const options = {
  ...{ dSae: 20, k: 3, steps: 40, trainBatchSizeTokens: 20, bufferTokens: 40, lr: 5e-3 },
  architecture: 'topk',
} as const;

/** The scalars of an event file, and whether each checksum of records is right; written apart from the writer. */
function readEvents(file: string): Array<{ step: number; scalars: Record<string, number> }> {
  const bytes = fs.readFileSync(file);
  const mask = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
  const found: Array<{ step: number; scalars: Record<string, number> }> = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(bytes.readUInt32LE(at + 8)).toBe(mask(crc32c(bytes.subarray(at, at + 8))));
    const event = bytes.subarray(at + 12, at + 12 + length);
    expect(bytes.readUInt32LE(at + 12 + length)).toBe(mask(crc32c(event)));
    at += 16 + length;
    const fields = fieldsOf(event);
    const summary = fields.find(([field]) => field === 5);
    if (!summary) continue;
    const scalars = fieldsOf(summary[1] as Buffer).map(([, value]) => {
      const [[, tag], [, number]] = fieldsOf(value as Buffer);
      return [String(tag), number as number];
    });
    found.push({ step: fields.find(([field]) => field === 2)![1] as number, scalars: Object.fromEntries(scalars) as Record<string, number> }); // prettier-ignore
  }
  return found;
}

/** Fields of a protocol buffer: varints, doubles, floats, and what has a length as bytes. */
function fieldsOf(bytes: Buffer): Array<[field: number, value: number | Buffer]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  const found: Array<[number, number | Buffer]> = [];
  while (at < bytes.length) {
    const key = varint();
    const kind = key & 7;
    if (kind === 0) found.push([key >> 3, varint()]);
    else if (kind === 1) found.push([key >> 3, bytes.readDoubleLE((at += 8) - 8)]);
    else if (kind === 5) found.push([key >> 3, bytes.readFloatLE((at += 4) - 4)]);
    else {
      const length = varint();
      found.push([key >> 3, bytes.subarray(at, (at += length))]);
    }
  }
  return found;
}

/** Options that stop a training after its first step. */
const stoppedBy = (stop: AbortController): { signal: AbortSignal; onProgress: (p: { unit?: string }) => void } => ({
  signal: stop.signal,
  onProgress: ({ unit }) => unit === 'steps' && stop.abort(),
});

describe('figures as files', () => {
  const world = freshFg();
  const data = () => world.fg.datasets.fromTexts(texts, { context: 10 });
  const call = { hook, features: 32, architecture: 'topk', k: 4, steps: 30, trainBatchSizeTokens: 40, lr: 1e-2 } as const; // prettier-ignore
  const only = (folder: string): string => path.join(folder, fs.readdirSync(folder)[0]);

  it('metrics.jsonl and TensorBoard events hold every logged step once, stopped in between or loaded', async () => {
    // The check value of CRC-32C: the records below are read with the same function.
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    const { fg, context } = world;
    const logs = path.join(context.notebookFolder, 'runs');
    const stop = new AbortController();
    const stopping = stoppedBy(stop);
    await expect(fg.sae.train(lmA, data(), { ...call, logs: 'runs', ...stopping })).rejects.toThrow(/cancelled/);
    const [sae] = await fg.sae.train(lmA, data(), [{ ...call, logs: 'runs' }]);
    const check = (): void => {
      expect(fs.readdirSync(logs)).toEqual([expect.stringMatching(/^topk-k-4-32-features-30-steps-[0-9a-f]{8}$/)]);
      const lines = fs
        .readFileSync(path.join(only(logs), 'metrics.jsonl'), 'utf8')
        .trim()
        .split('\n');
      expect(lines.map((line) => JSON.parse(line) as HistoryRow)).toEqual(sae.history);
      const events = readEvents(path.join(only(logs), 'events.out.tfevents.0.fgnb'));
      expect(events.map(({ step }) => step)).toEqual(sae.history.map(({ step }) => step));
      events.forEach(({ scalars }, i) => {
        expect(Object.keys(scalars)).toContain('train/explainedVariance');
        expect(scalars['train/loss']).toBe(Math.fround(sae.history[i].loss));
      });
    };
    check();
    fs.rmSync(logs, { recursive: true });
    // Loaded from the cache: the folder is written all the same. Where figures go changes no result.
    expect((await fg.sae.train(lmA, data(), { ...call, logs: 'runs' })).id).toBe(sae.id);
    check();
    expect((await fg.sae.train(lmA, data(), call)).id).toBe(sae.id);
  });

  it('a folder that cannot be written is said once, and the training goes on', async () => {
    const { fg, context } = world;
    fs.writeFileSync(path.join(context.notebookFolder, 'runs'), 'a file');
    await fg.sae.train(lmA, data(), { ...call, logs: 'runs' });
    expect(context.printed.filter((line) => line.includes('no longer written'))).toHaveLength(1);
  });

  it('stopped, the SAE so far is kept and loads; the same call goes on', async () => {
    const { fg, context } = world;
    const stop = new AbortController();
    const stopping = stoppedBy(stop);
    await expect(fg.sae.train(lmA, data(), { ...call, ...stopping })).rejects.toThrow(/cancelled/);
    const said = context.printed.find((line) => line.includes('is kept: fg.sae.load('))!;
    const kept = await fg.sae.load(JSON.parse(/load\((".*")\)/.exec(said)![1]) as string);
    expect(kept.config).toMatchObject({ architecture: 'topk', dSae: 32, hookName: hook });
    const sae = await fg.sae.train(lmA, data(), call);
    expect(sae.history).toHaveLength(30);
    expect(sae.id).not.toBe(kept.id);
  });

  it('curves of several calls come in one chart', async () => {
    const { fg, context } = world;
    const saes = [await fg.sae.train(lmA, data(), call), await fg.sae.train(lmA, data(), { ...call, k: 2 })];
    const shown = fg.sae.curves(saes);
    expect(shown.map(({ history }) => history.length)).toEqual([30, 30]);
    await fg.show(shown);
    const text = JSON.stringify(context.shown.slice(-3));
    for (const name of ['1 · k 4', '2 · k 2', 'dead features', 'explained variance']) expect(text).toContain(name);
    expect(() => fg.sae.curves([])).toThrow(/expected an array of what fg.sae.train returned/);
  });
});

describe('a training that goes wrong', () => {
  /** NaN from the third epoch on. */
  const spoiled = (): ActivationSource => {
    let epochs = 0;
    return {
      ...source,
      async *batches(first, call) {
        epochs++;
        for await (const piece of source.batches(first, call))
          yield epochs < 3 ? piece : { ...piece, data: piece.data.map(() => NaN) };
      },
    };
  };

  it('NaN stops it at its step, and the SAE of the last checkpoint is kept', async () => {
    const folder = testFolder('nan');
    let kept: { sae: Sae; step: number } | undefined;
    const run = trainSae(spoiled(), {
      ...options,
      bDecInitMethod: 'zeros',
      checkpoint: { folder, every: 5 },
      onStopped: async (sae, step) => void (kept = { sae, step }),
    });
    await expect(run).rejects.toThrow(/stopped: .* at step \d+; the activations hold NaN/);
    expect(kept!.step).toBeGreaterThan(0);
    expect(kept!.step % 5).toBe(0);
    expect(kept!.sae.encode(x).rows).toBe(400);
  });

  it('a loss that stays a thousand times above its least is stopped, a spike is not', () => {
    const rows = (losses: number[]): HistoryRow[] => losses.map((loss, step) => ({ step, loss }) as HistoryRow);
    expect(exploded(rows([5, 1, 2000, 3000, 1500]))).toBe(true);
    expect(exploded(rows([5, 1, 2000, 3000, 900]))).toBe(false);
    expect(exploded(rows([5, 1, 2000]))).toBe(false);
    expect(exploded([])).toBe(false);
  });

  it('a state that cannot be written stops it, and says what is kept', async () => {
    const folder = path.join(testFolder('full'), 'state');
    const blocked = trainSae(source, {
      ...options,
      checkpoint: { folder, every: 10 },
      onLog(history) {
        if (history.length !== 15) return;
        fs.rmSync(folder, { recursive: true });
        fs.writeFileSync(folder, '');
      },
    });
    await expect(blocked).rejects.toThrow(
      /stopped at step 20: .*; its state of step 10 is kept, and the same call goes on/,
    );
  });

  it('a text that is read hundreds of times, and an end below the mean, are said', async () => {
    const said: string[] = [];
    const report = (message: string): void => void said.push(message);
    const few = matrixSource(matrix(16, D, x.data.subarray(0, 16 * D)));
    await trainSae(few, { ...options, trainBatchSizeTokens: 128, bufferTokens: 256, report });
    expect(said).toEqual([expect.stringMatching(/40 steps of 128 tokens read this text of 16 tokens 320 times/)]);
    said.length = 0;
    const penalty = { architecture: 'standard', k: undefined, l1Coefficient: 0, bDecInitMethod: 'zeros' } as const;
    await trainSae(source, { ...options, ...penalty, steps: 2, decoderInitNorm: 3, report });
    expect(said).toEqual([expect.stringMatching(/explained variance ends at -\d/)]);
  });
});

describe('what trainings of a list say', () => {
  const world = freshFg();

  it('names the SAE that it is about', async () => {
    const { fg, context } = world;
    const data = fg.datasets.fromTexts(texts, { context: 10 });
    const common = { hook, features: 32, steps: 2, trainBatchSizeTokens: 40, bDecInitMethod: 'zeros' } as const;
    await fg.sae.train(lmA, data, fg.sae.grid({ ...common, architecture: 'topk', k: [4, 32] }));
    const warned = context.printed.filter((line) => line.includes('explained variance ends at -'));
    expect(warned.sort()).toEqual([
      expect.stringMatching(/^SAE 1 · k 4: Warning: the explained variance ends at -/),
      expect.stringMatching(/^SAE 2 · k 32: Warning: the explained variance ends at -/),
    ]);
  });
});

describe('the pace of checkpoints', () => {
  it('gives large states, and those of many trainings, about a tenth of the time', () => {
    let now = 0;
    const of = (bytes: number): CheckpointPace => new CheckpointPace(bytes, () => now);
    const large = of(1e8);
    const small = of(1e3);
    // 100 MB at 50 MB a second, twice since two trainings write.
    now = 3999;
    expect([large.due(), small.due()]).toEqual([false, true]);
    now = 4000;
    expect(large.due()).toBe(true);
    large.wrote();
    small.close();
    now = 5999;
    expect(large.due()).toBe(false);
    now = 6000;
    expect(large.due()).toBe(true);
    large.close();
  });
});

describe('training that begins with an SAE', () => {
  it.each(['none', 'expected_average_only_in'] as const)('has its weights at step 0 (scaling %s)', async (scaling) => {
    const { sae } = await trainSae(source, { ...options, normalizeActivations: scaling });
    const again = await trainSae(source, { ...options, normalizeActivations: scaling, from: sae, steps: 1, lr: 0 });
    again.sae.W_dec.data.forEach((w, i) => expect(w).toBeCloseTo(sae.W_dec.data[i], 5));
    again.sae.W_enc.data.forEach((w, i) => expect(w).toBeCloseTo(sae.W_enc.data[i], 5));
    again.sae.b_dec.forEach((b, i) => expect(b).toBeCloseTo(sae.b_dec[i], 5));
    expect(again.sae.config.metadata.training).toMatchObject({ startedFrom: sae.id });
    const more = await trainSae(source, { ...options, normalizeActivations: scaling, from: sae, steps: 20 });
    const fresh = await trainSae(source, { ...options, normalizeActivations: scaling, steps: 20 });
    expect(more.history[0].loss).toBeLessThan(fresh.history[0].loss);
  });

  it('refuses one of another form', async () => {
    const { sae } = await trainSae(source, { ...options, steps: 2 });
    await expect(trainSae(source, { ...options, dSae: 21, from: sae })).rejects.toThrow(
      /its dSae is 20, and that of .* 21/,
    );
    const other = { ...options, architecture: 'standard', k: undefined } as const;
    await expect(trainSae(source, { ...other, from: sae })).rejects.toThrow(/its architecture is topk/);
  });
});

it('CRC-32C of the standard vector', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
});
