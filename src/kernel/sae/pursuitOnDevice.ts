/**
 * A block of rows of matching pursuit on a device (pursuitGraph.ts), there and back. Rows end at different steps: when
 * half of those that are pursued have ended, the others go on alone, and on the way back they come together again.
 */
import { one, vector, whole, type Feeds } from '../compute/graphs/feeds.js';
import type { DeviceTensor, GraphDevice, Program } from '../compute/graphs/host.js';
import type { HostTensor } from '../compute/graphs/messages.js';
import { summed, type Pursuit } from './pursuit.js';
import { runNext } from './runNext.js';
import { backProgram, beginProgram, endProgram, goOnProgram, takeProgram, turnProgram, zeroProgram } from './pursuitGraph.js'; // prettier-ignore

export interface PursuedBlock {
  /** Rows of the batch that lie on the device. */
  x: DeviceTensor;
  first: number;
  rows: number;
  /** B */
  batch: number;
  W_dec: DeviceTensor;
  b_dec: Float32Array;
  dIn: number;
  dSae: number;
  /** Of the blocks before; freed by who gave it. */
  toW_dec?: DeviceTensor;
}

/** What comes back to the host of a block, as of any other (blockProgram of stepGraph.ts), and the gradient, which stays. */
export interface PursuedSums {
  host: Record<'fired' | 'toOut' | 'squares', HostTensor>;
  toW_dec: DeviceTensor;
}

/** One step of the rows of a stretch: the feature each took, and with what value, 0 where none. */
interface Step {
  features: Int32Array;
  values: Float32Array;
}

/** Steps of the same rows. */
interface Stretch {
  /** Their places in the stretch before, in the first in the block. */
  places: Int32Array;
  /** What is left of them after the last of the steps. */
  left: DeviceTensor;
  steps: Step[];
}

/** Tensors of a block, of which none is left on the device when it fails. */
class Held {
  readonly #tensors = new Set<DeviceTensor>();
  constructor(private readonly device: GraphDevice) {}

  /** Runs a program whose outputs of these names stay. */
  async run(program: Program, feeds: Feeds, names: readonly string[]) {
    const { host, next } = await runNext(this.device, program, feeds, names);
    for (const tensor of Object.values(next)) this.#tensors.add(tensor);
    return { host, next };
  }

  async upload(data: Float32Array, shape: readonly number[]): Promise<DeviceTensor> {
    const tensor = await this.device.upload(data, shape);
    this.#tensors.add(tensor);
    return tensor;
  }

  free(...tensors: DeviceTensor[]): void {
    const own = tensors.filter((tensor) => this.#tensors.delete(tensor));
    this.device.free(...own);
  }

  /** All but this one. */
  end(but?: DeviceTensor): void {
    this.free(...[...this.#tensors].filter((tensor) => tensor !== but));
  }
}

const column = (data: Float32Array): HostTensor => ({ data, shape: [data.length, 1] });
const numbers = (data: Int32Array): HostTensor => ({ data, shape: [data.length] });

/** The sums of a block and the gradient of W_dec with it. */
export async function pursueBlock(
  device: GraphDevice,
  of: PursuedBlock,
  pursuit: Pursuit,
  breakAt?: () => void,
): Promise<PursuedSums> {
  const held = new Held(device);
  try {
    const { stretches, fired, squares } = await pursued(held, of, pursuit, breakAt);
    const { toW_dec, toOut } = await wayBack(held, of, stretches, breakAt);
    held.end(toW_dec);
    return { host: { fired: vector(fired), toOut, squares: vector(squares) }, toW_dec };
  } catch (error) {
    held.end();
    throw error;
  }
}

/** How a row is doing. */
interface Row {
  /** Its place in the block. */
  readonly at: number;
  readonly features: number[];
  readonly values: number[];
  goesOn: boolean;
}

/** The stretches of the pursuit, how often each feature fires, and ‖x̂ − x‖² of each row. */
async function pursued(held: Held, of: PursuedBlock, o: Pursuit, breakAt?: () => void) {
  const { x, first, rows, W_dec, b_dec, dIn, dSae } = of;
  const begun = { x, b_dec: vector(b_dec), from: whole(first), to: whole(first + rows) };
  let { left } = (await held.run(beginProgram, begun, ['left'])).next;
  const all = Array.from({ length: rows }, (_, at): Row => ({ at, features: [], values: [], goesOn: true }));
  const squares = new Float64Array(rows);
  let active = all;
  const stretches: Stretch[] = [{ places: Int32Array.from(all, ({ at }) => at), left, steps: [] }];
  for (let t = 0; t < (o.maxIterations ?? dIn); t++) {
    breakAt?.();
    const stretch = stretches[stretches.length - 1];
    const feeds = { left, W_dec, active: column(Float32Array.from(active, ({ goesOn }) => Number(goesOn))) };
    const { host, next } = await held.run(takeProgram, feeds, ['left']);
    held.free(left);
    stretch.left = left = next.left;
    stretch.steps.push(take(active, host, squares, o));
    const goOn = active.flatMap(({ goesOn }, i) => (goesOn ? [i] : []));
    if (goOn.length === 0) break;
    if (2 * goOn.length > active.length) continue;
    const places = Int32Array.from(goOn);
    ({ left } = (await held.run(goOnProgram, { left, places: numbers(places) }, ['left'])).next);
    active = goOn.map((i) => active[i]);
    stretches.push({ places, left, steps: [] });
  }
  const fired = new Float64Array(dSae);
  for (const { features, values } of all) for (const [f] of summed(features, values)) fired[f]++;
  return { stretches, fired, squares };
}

/** Notes what each row took, and whether it goes on: as pursuit.ts has it. */
function take(active: readonly Row[], host: Record<string, HostTensor>, squares: Float64Array, o: Pursuit): Step {
  const values = host.value.data as Float32Array;
  const features = Int32Array.from(host.at.data as BigInt64Array, Number);
  active.forEach((row, i) => {
    const square = (host.square.data as Float32Array)[i];
    squares[row.at] = square;
    if (!row.goesOn) return;
    const taken = values[i] > 0;
    const again = taken && row.features.includes(features[i]);
    if (taken) {
      row.features.push(features[i]);
      row.values.push(values[i]);
    }
    // What is not finite shows in the loss.
    row.goesOn = taken && Number.isFinite(square) && !(again && o.stopOnDuplicateSupport) && Math.sqrt(square) >= o.residualThreshold; // prettier-ignore
  });
  return { features, values };
}

/** The gradients, back over the steps of all stretches. */
async function wayBack(held: Held, of: PursuedBlock, stretches: readonly Stretch[], breakAt?: () => void) {
  const { W_dec, dSae } = of;
  const all = await held.upload(Float32Array.from({ length: dSae }, (_, f) => f), [1, dSae]); // prettier-ignore
  let toW_dec = of.toW_dec ?? (await held.run(zeroProgram, { W_dec }, ['toW_dec'])).next.toW_dec;
  let after: Record<'e' | 'h', DeviceTensor> | undefined;
  for (let s = stretches.length - 1; s >= 0; s--) {
    const { steps, places } = stretches[s];
    const turned = { left: stretches[s].left, '2/B': one(2 / of.batch) };
    const further: Feeds = after ? { ...after, ...rejoined(stretches[s + 1].places, places.length) } : {};
    const { next } = await held.run(turnProgram(!!after), { ...turned, ...further }, ['e', 'h']);
    if (after) held.free(after.e, after.h);
    const { e } = next;
    let { h } = next;
    let { left } = stretches[s];
    for (const { features, values } of [...steps].reverse()) {
      breakAt?.();
      const taken = { places: numbers(features), which: column(Float32Array.from(features)), value: column(values) };
      const feeds = { ...taken, all, e, h, left, W_dec, toW_dec };
      const before = await held.run(backProgram, feeds, ['toW_dec', 'h', 'left']);
      held.free(h, left, toW_dec);
      ({ toW_dec, h, left } = before.next);
    }
    held.free(left);
    after = { e, h };
  }
  const { host } = await held.run(endProgram, after!, []);
  return { toW_dec, toOut: host.toOut };
}

/** Where the rows of a stretch are found that went on, among those that did. */
function rejoined(places: Int32Array, count: number): Feeds {
  const on = new Float32Array(count);
  const at = new Int32Array(count);
  places.forEach((place, i) => {
    on[place] = 1;
    at[place] = i;
  });
  return { on: column(on), places: numbers(at) };
}
