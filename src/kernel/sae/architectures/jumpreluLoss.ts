/** What training of JumpReLU is on every device: its options, θ, and the sparsity. */
import { choice, real, whole, type Given } from '../../verb/option.js';
import { PRE_ACT_OPTIONS } from '../preActLoss.js';

/** Options of JumpReLU transcoders too. */
export const JUMPRELU_OPTIONS = {
  l0Coefficient: real({ doc: 'λ of the sparsity.', min: 0, usual: 1 }),
  l0WarmUpSteps: whole({ doc: 'Steps over which λ grows linearly from 0.', min: 0, usual: 0 }),
  jumpreluSparsityLossMode: choice(['step', 'tanh', 'quadratic'], {
    doc: "The sparsity: 'step' is L0, 'tanh' is Σ tanh(c · f · ‖W_dec row‖), 'quadratic' is (L0 / l0Target − 1)².",
    usual: 'step',
  }),
  l0Target: real({ doc: "L0 that 'quadratic' aims at.", above: 0 }),
  jumpreluTanhScale: real({ doc: "c of 'tanh'.", above: 0, usual: 4 }),
  jumpreluInitThreshold: real({ doc: 'θ at the start.', above: 0, usual: 0.01 }),
  jumpreluBandwidth: real({ doc: 'ε, the width about θ in which θ gets gradients.', above: 0, usual: 0.05 }),
  jumpreluThreshold: choice(['log', 'direct'], {
    doc: "What is trained: 'log' is log θ, as in the paper and SAELens 6.18; 'direct' is θ itself, kept from falling below 0, which moves farther in few steps.",
    usual: 'log',
  }),
  ...PRE_ACT_OPTIONS,
} as const;

/** The options, with every default filled in. */
export type Settings = Required<Omit<Given<typeof JUMPRELU_OPTIONS>, 'l0Target'>> & {
  readonly l0Target: number | null;
};

/** θ of what is trained. */
export const thresholds = (trained: Float32Array, { jumpreluThreshold }: Settings): Float64Array =>
  Float64Array.from(trained, (value) => (jumpreluThreshold === 'log' ? Math.exp(value) : Math.max(value, 0)));

/** The sparsity before λ, and its derivative by one [z > θ]. */
export function sparsityOf(
  firing: number,
  tanhs: number,
  rows: number,
  { jumpreluSparsityLossMode: mode, l0Target }: Settings,
): { value: number; slope: number } {
  const l0 = firing / rows;
  if (mode === 'tanh') return { value: tanhs / rows, slope: 0 };
  if (mode === 'step') return { value: l0, slope: 1 / rows };
  const off = l0 / l0Target! - 1;
  return { value: off * off, slope: (2 * off) / (l0Target! * rows) };
}
