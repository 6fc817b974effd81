/**
 * Gradients that TensorFlow.js lacks or has wrong. They are made of tensor operations, so they hold on every device.
 * All of them are checked against finite differences in the tests.
 */
import type { GradConfig, NamedAttrMap, Tensor } from '@tensorflow/tfjs-core';
import { parseEinsum } from './einsum.js';
import { tf } from './tf.js';

function replaceGradient(config: GradConfig): void {
  if (tf.getGradient(config.kernelName)) tf.unregisterGradient(config.kernelName);
  tf.registerGradient(config);
}

/**
 * tfjs records these operations when their operand has a gradient, as in where(x > 0, x, 0), and then fails because
 * they have none.
 */
function registerStepFunctions(): void {
  const binary = [
    'Greater',
    'GreaterEqual',
    'Less',
    'LessEqual',
    'Equal',
    'NotEqual',
    'LogicalAnd',
    'LogicalOr',
    'LogicalXor',
  ];
  for (const kernelName of binary) {
    if (tf.getGradient(kernelName)) continue;
    tf.registerGradient({
      kernelName,
      inputsToSave: ['a', 'b'],
      // As floats, whatever the operand is: engine.gradients refuses a bool.
      gradFunc: (_dy, [a, b]) => ({ a: () => tf.zeros(a.shape), b: () => tf.zeros(b.shape) }),
    });
  }
  for (const kernelName of ['LogicalNot', 'IsNan', 'IsInf', 'IsFinite']) {
    if (tf.getGradient(kernelName)) continue;
    tf.registerGradient({ kernelName, inputsToSave: ['x'], gradFunc: (_dy, [x]) => ({ x: () => tf.zeros(x.shape) }) });
  }
}

function registerCumsum(): void {
  replaceGradient({
    kernelName: 'Cumsum',
    gradFunc: (dy, _saved, attrs) => {
      const { axis, exclusive, reverse } = attrs as NamedAttrMap & {
        axis: number;
        exclusive: boolean;
        reverse: boolean;
      };
      // tfjs 4.22 transposes this once more where the axis is not the last: wrong, and silent on square tensors.
      return { x: () => tf.cumsum(dy as Tensor, axis, exclusive, !reverse) };
    },
  });
}

/**
 * For a single output tfjs passes the gradient as a tensor, not as a list, which its own gradients of these operations
 * do not expect.
 */
function registerSplits(): void {
  const list = (dy: Tensor | Tensor[]): Tensor[] => (Array.isArray(dy) ? dy : [dy]);
  replaceGradient({
    kernelName: 'Unpack',
    gradFunc: (dy, _saved, attrs) => ({
      value: () => tf.stack(list(dy), (attrs as NamedAttrMap & { axis: number }).axis),
    }),
  });
  replaceGradient({
    kernelName: 'SplitV',
    gradFunc: (dy, _saved, attrs) => ({
      x: () => tf.concat(list(dy), (attrs as NamedAttrMap & { axis: number }).axis),
    }),
  });
}

/**
 * Rows of dy go back to the rows they were taken from. Written for any axis and number of batch dimensions: tfjs 4.22
 * gives wrong numbers where batchDims is above 0.
 */
function registerGather(): void {
  replaceGradient({
    kernelName: 'GatherV2',
    inputsToSave: ['x', 'indices'],
    gradFunc: (dy, [x, indices], attrs) => {
      const { axis, batchDims = 0 } = attrs as NamedAttrMap & { axis: number; batchDims?: number };
      const product = (shape: number[]): number => shape.reduce((p, q) => p * q, 1);
      const at = axis < 0 ? axis + x.rank : axis;
      const batch = product(x.shape.slice(0, batchDims));
      const outer = product(x.shape.slice(batchDims, at));
      const inner = product(x.shape.slice(at + 1));
      const size = x.shape[at];
      const taken = indices.size / batch;
      return {
        x: () => {
          const rows = (dy as Tensor).reshape([batch, outer, taken, inner]).transpose([0, 2, 1, 3]);
          const offsets = tf.range(0, batch, 1, 'int32').mul(tf.scalar(size, 'int32')).reshape([batch, 1]);
          const ids = indices
            .toInt()
            .reshape([batch, taken])
            .add(offsets)
            .reshape([batch * taken]) as tf.Tensor1D;
          const sums = tf.unsortedSegmentSum(rows.reshape([batch * taken, outer, inner]), ids, batch * size);
          return sums.reshape([batch, size, outer, inner]).transpose([0, 2, 1, 3]).reshape(x.shape);
        },
        indices: () => tf.zeros(indices.shape),
      };
    },
  });
}

function registerSelections(): void {
  replaceGradient({
    kernelName: 'TopK',
    inputsToSave: ['x'],
    outputsToSave: [false, true],
    gradFunc: (dys, [x, indices]) => {
      const dy = (dys as Tensor[])[0];
      const cols = x.shape[x.rank - 1];
      const rows = x.size / cols;
      return {
        x: () => {
          const k = indices.size / rows;
          const offsets = tf.range(0, rows, 1, 'int32').mul(tf.scalar(cols, 'int32')).reshape([rows, 1]);
          const places = indices
            .toInt()
            .reshape([rows, k])
            .add(offsets)
            .reshape([rows * k]) as tf.Tensor1D;
          return tf.unsortedSegmentSum(dy.reshape([rows * k]), places, rows * cols).reshape(x.shape);
        },
      };
    },
  });
  replaceGradient({
    kernelName: 'GatherNd',
    inputsToSave: ['params', 'indices'],
    gradFunc: (dy, [params, indices]) => ({
      params: () => tf.scatterND(indices.toInt(), dy as Tensor, params.shape),
      indices: () => tf.zeros(indices.shape),
    }),
  });
  replaceGradient({
    kernelName: 'ScatterNd',
    inputsToSave: ['indices'],
    gradFunc: (dy, [indices]) => ({
      updates: () => tf.gatherND(dy as Tensor, indices.toInt()),
      indices: () => tf.zeros(indices.shape),
    }),
  });
}

/** The gradient of one operand is the einsum of the result's gradient with the other operands. */
function registerEinsum(): void {
  replaceGradient({
    kernelName: 'Einsum',
    saveAllInputs: true,
    gradFunc: (dy, operands, attrs) => {
      const { equation } = attrs as NamedAttrMap & { equation: string };
      const { inputs, output } = parseEinsum(equation, operands.length);
      return Object.fromEntries(
        operands.map((operand, i) => [
          String(i),
          () => {
            const others = operands.filter((_, j) => j !== i);
            const terms = [output, ...inputs.filter((_, j) => j !== i)];
            // An index that only this operand has was summed away: its gradient is the same along that axis.
            const reached = [...inputs[i]].filter((letter) => terms.some((term) => term.includes(letter))).join('');
            const part = tf.einsum(`${terms.join(',')}->${reached}`, dy as Tensor, ...others);
            const shape = [...inputs[i]].map((letter, axis) => (reached.includes(letter) ? operand.shape[axis] : 1));
            return tf.broadcastTo(part.reshape(shape), operand.shape);
          },
        ]),
      );
    },
  });
}

/** Registers these gradients in place of tfjs' own. */
export function installGradients(): void {
  registerStepFunctions();
  registerCumsum();
  registerSplits();
  registerGather();
  registerSelections();
  registerEinsum();
}
