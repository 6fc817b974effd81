/**
 * One loading of a model, and a pass of 8 tokens, in a process of its own; prints the seconds of both, and the peak of
 * resident memory in bytes before (Node, the modules and the device), after loading and after the pass.
 *
 * model-memory.ts FOLDER f32|bf16
 */
import { initDevice } from '#kernel/compute/device.js';
import { loadModel } from '#kernel/models/load.js';

const [folder, dtype] = process.argv.slice(2);
if (dtype !== 'f32' && dtype !== 'bf16') throw new Error(`dtype is f32 or bf16 but got ${dtype}`);
const peak = (): number => process.resourceUsage().maxRSS * 1024;
await initDevice({ device: 'cpu' });
const before = peak();
const start = performance.now();
const model = await loadModel(folder, { dtype });
const loaded = performance.now();
const afterLoad = peak();
const { logits } = model.forward(new Int32Array(8), 1);
const [first] = await logits!.slice([0, 0, 0], [1, 1, 1]).data();
if (first !== 0) throw new Error(`a model of zeros gives a logit of ${first}`);
const seconds = { load: (loaded - start) / 1000, pass: (performance.now() - loaded) / 1000 };
console.log(JSON.stringify({ before, afterLoad, afterPass: peak(), ...seconds }));
