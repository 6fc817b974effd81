/** Changes to a model's activations that print what they do and take part in artifact identity. */
import { filled } from '../verb/filled.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { capturedWidth } from '../models/capture.js';
import { requireSame } from '../artifacts/store.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { tf } from '../compute/tf.js';
import type { Intervention } from '../models/edits.js';
import type { EditContext, EditedText, HookEdit, LanguageModel } from '../models/types.js';
import { reconstruct } from '../sae/sae.js';
import type { Sae } from '../sae/types.js';
import { PLACE, type PlaceOptions } from './options.js';
import { rowsOf, selectorOf, type Selector } from './positions.js';

export {
  describeAll,
  editsOf,
  identityOf,
  INTERVENTIONS_VERSION,
  requireRunnable,
  type Intervention,
} from '../models/edits.js';

/** The rows of an activation that an intervention acts on, before and after. */
export interface RowChange {
  /** [n, d]: the activation, or its reconstruction where the error term is dropped. Read only. */
  x: Matrix;
  /** The activation itself, [n, d]. Read only. */
  original: Matrix;
  /** Rows b·T + t of the pass. */
  rows: Int32Array;
  context: EditContext;
  /** The whole activation of the pass, [B·T, d]. Read only. */
  all: Matrix;
  /** The new rows, [n, d]; begins as a copy of `x`. Rows that are not written keep their bits. */
  out: Matrix;
}

export interface RowEdit {
  hook: string;
  /** "clamp feature 3 of … to 2"; positions and error term are added. */
  what: string;
  parameters: JsonObject;
  place: PlaceOptions;
  /** Needed when the error term is dropped. */
  sae?: Sae;
  change(rows: RowChange): void;
  /** The directions that these rows are moved along, among others of their kind. */
  peers?: Intervention['peers'];
  /** What is added does not depend on the activation: its gradient is that of the activation itself. */
  addsConstant?: boolean;
  /** More to refuse of a text, before anything runs. */
  check?(text: EditedText, selector: Selector): void;
}

/**
 * Refuses hooks that are unknown or hold one value per pair of tokens; gives the width of a row, all heads together.
 */
export function requireDirectionHook(model: LanguageModel, hook: string): number {
  const width = capturedWidth(model, hook);
  if (/hook_(attn_scores|pattern)$/.test(hook))
    throw new RangeError(`${hook} holds one value per pair of tokens: it has no direction to steer; take another hook`);
  return width;
}

/**
 * The intervention that changes rows of the activation at a hook. Rows that come out as they went in keep their bits,
 * and where no row changes the edit returns the very tensor it was given.
 * @throws RangeError for hooks without a row per token, widths that do not fit and bad positions.
 */
export function rowIntervention(model: LanguageModel, edit: RowEdit): Intervention {
  const { hook, place, sae, what } = edit;
  const { errorTerm } = filled(PLACE, place);
  const width = requireDirectionHook(model, hook);
  if (errorTerm === 'drop' && !sae)
    throw new TypeError("errorTerm 'drop' drops the error term of an SAE; give { sae }");
  if (sae) requireWidth(model, sae, hook, width);
  const selector = selectorOf(model, place.positions);
  const drop = errorTerm === 'drop' ? sae : undefined;
  const constant = edit.addsConstant && !drop;
  const run: HookEdit = (activation, _hook, context) => {
    const made = (x: tf.Tensor): tf.Tensor => editRows(x, width, rowsOf(selector, context), context, drop, edit.change);
    // Rows are computed outside the tensor language: a gradient would silently leave this path out.
    if (tf.engine().state.gradientDepth === 0) return made(activation);
    if (!constant) throw new Error(`cannot ${what} while gradients are taken: it has none here; steering has`);
    const passed = tf.customGrad((x) => {
      const value = made(x as tf.Tensor);
      return { value: value === x ? tf.reshape(value, value.shape) : value, gradFunc: (dy: tf.Tensor) => dy };
    });
    return passed(activation);
  };
  const intervention: Intervention = {
    hook,
    ...(edit.peers ? { peers: edit.peers } : {}),
    description: `${what} ${selector.where}${drop ? ', error term dropped' : ''}`,
    parameters: {
      ...edit.parameters,
      hook,
      positions: selector.parameters,
      ...(drop ? { errorTerm: 'drop', errorOf: drop.id } : {}),
    },
    edit: Object.assign(run, {
      check(text: EditedText): void {
        requireSameModel(model, text.model, what);
        try {
          selector.check(text);
          edit.check?.(text, selector);
        } catch (error) {
          throw named(error, `cannot ${what}`);
        }
      },
    }),
  };
  // A decoder row may be added at any hook; the SAE still reads its own.
  if (sae && !sae.config.transcoder)
    saes.set(intervention, { model, sae, hook: constant ? sae.config.hookName : hook });
  return intervention;
}

const saes = new WeakMap<Intervention, { model: LanguageModel; sae: Sae; hook: string }>();

/** The SAE whose features an intervention changes, and the hook that this SAE reads; undefined where there is none. */
export const saeOf = (intervention: Intervention): { model: LanguageModel; sae: Sae; hook: string } | undefined =>
  saes.get(intervention);

/** An error of the same kind that says what could not be done. */
function named(error: unknown, what: string): Error {
  if (!(error instanceof Error)) return new Error(`${what}: ${String(error)}`);
  return Object.assign(error, { message: `${what}: ${error.message}` });
}

function requireSameModel(made: LanguageModel, runs: EditedText['model'], what: string): void {
  if (made === runs) return;
  requireSame(
    `"${what}" was made for another model; make it with the model that runs`,
    { name: `model ${made.name}`, id: made.id },
    { name: `model ${runs.name}`, id: runs.id },
  );
}

/** @throws RangeError when rows of an SAE are not as wide as those at the hook. */
function requireWidth(model: LanguageModel, sae: Sae, hook: string, width: number): void {
  if (sae.config.dIn === width) return;
  throw new RangeError(
    `${sae.name} takes rows of width ${sae.config.dIn} but ${hook} of ${model.name} has width ${width}; take the SAE of this hook or change { hook }`,
  );
}

function editRows(
  activation: tf.Tensor,
  width: number,
  rows: Int32Array,
  context: EditContext,
  drop: Sae | undefined,
  change: RowEdit['change'],
): tf.Tensor {
  if (rows.length === 0) return activation;
  const data = activation.dataSync<'float32'>();
  const all = matrix(data.length / width, width, data);
  const original = matrix(rows.length, width);
  rows.forEach((r, i) => original.data.set(data.subarray(r * width, (r + 1) * width), i * width));
  const x = drop ? reconstruct(drop, original).reconstruction : original;
  const out = matrix(rows.length, width, x.data.slice());
  change({ x, original, rows, context, all, out });
  if (sameBits(out.data, original.data)) return activation;
  const result = data.slice();
  rows.forEach((r, i) => result.set(out.data.subarray(i * width, (i + 1) * width), r * width));
  return tf.tensor(result, activation.shape);
}

function sameBits(a: Float32Array, b: Float32Array): boolean {
  const [p, q] = [a, b].map((x) => new Int32Array(x.buffer, x.byteOffset, x.length));
  for (let i = 0; i < p.length; i++) if (p[i] !== q[i]) return false;
  return true;
}
