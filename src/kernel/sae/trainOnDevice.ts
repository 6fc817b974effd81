/** Which device the steps of a training run on. */
import { filled } from '../verb/filled.js';
import type { GraphDevice } from '../compute/graphs/host.js';
import { trainingOf } from './architectures/trained.js';
import type { DeviceTraining } from './architectures/trainingOnDevice.js';
import { holdOf } from './frozen.js';
import type { Parameters } from './parameters.js';
import { TrainingStep } from './step.js';
import { DeviceSteps } from './stepOnDevice.js';
import { CpuSteps, type Moments, type Steps } from './steps.js';
import { TRAIN, type ResolvedOptions, type SaeTrainOptions } from './trainOptions.js';

export interface TrainingPlace {
  device: GraphDevice;
  training: DeviceTraining;
}

type Placed = Omit<SaeTrainOptions, 'dSae'>;

/** Where a training runs, given the device in use: there, or on the CPU for the reason that is given. */
export function placeOf(options: Placed, device: GraphDevice | undefined): TrainingPlace | string {
  const { architecture, baseline, around } = filled(TRAIN, options);
  if (!device) return 'the device in use runs no graphs';
  if (around) return 'the loss of a crosscoder counts the norms of each side, and its dedicated features are held at 0';
  if (baseline === 'softFrozenDecoder') return 'its decoder rows are turned back after every step';
  const training = trainingOf(architecture).onDevice(options);
  return typeof training === 'string' ? training : { device, training };
}

/** The steps of a run. @param moments changed in place */
export function stepsOf(
  { common, run, shape }: ResolvedOptions,
  p: Parameters,
  moments: Moments,
  place: TrainingPlace | string,
): Steps {
  const { baseline, applyBDecToInput } = common;
  if (typeof place === 'string') {
    const hold = holdOf(baseline, { ...shape, ...common });
    return new CpuSteps(new TrainingStep(run, common), p, moments, hold);
  }
  const frozen = { frozenDecoder: 'W_dec', frozenEncoder: 'W_encT' } as const;
  return new DeviceSteps(place.device, p, moments, {
    training: place.training,
    applyBDecToInput,
    leave: run.leave,
    frozen: baseline && baseline !== 'softFrozenDecoder' ? frozen[baseline] : undefined,
  });
}
