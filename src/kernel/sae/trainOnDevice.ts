/** Which device the steps of a training run on. */
import { filled } from '../verb/filled.js';
import type { GraphDevice } from '../compute/graphs/host.js';
import { trainingOf } from './architectures/trained.js';
import type { DeviceTraining } from './architectures/trainingOnDevice.js';
import { holdOf } from './frozen.js';
import { initialParameters, type Parameters } from './parameters.js';
import { TrainingStep } from './step.js';
import { DeviceSteps } from './stepOnDevice.js';
import { CpuSteps, type Moments, type Steps } from './steps.js';
import { TRAIN, type ResolvedOptions, type SaeTrainOptions } from './trainOptions.js';

export interface TrainingPlace {
  device: GraphDevice;
  training: DeviceTraining;
}

type Placed = Omit<SaeTrainOptions, 'dSae'>;

/** How a training runs on a device; undefined where that in use runs no graphs. */
export function placeOf(options: Placed, device: GraphDevice | undefined): TrainingPlace | undefined {
  if (!device) return undefined;
  const { architecture, around } = filled(TRAIN, options);
  const training = trainingOf(architecture).onDevice(options);
  return { device, training: around ? around.onDevice(training) : training };
}

/** The steps of a run. @param moments changed in place */
export function stepsOf(
  { common, run, shape }: ResolvedOptions,
  p: Parameters,
  moments: Moments,
  place: TrainingPlace | undefined,
): Steps {
  const { baseline, applyBDecToInput, decoderInitNorm, seed } = common;
  if (!place) {
    const hold = holdOf(baseline, { ...shape, ...common });
    return new CpuSteps(new TrainingStep(run, common), p, moments, hold);
  }
  const frozen = { frozenDecoder: 'W_dec', frozenEncoder: 'W_encT' } as const;
  return new DeviceSteps(place.device, p, moments, {
    training: place.training,
    applyBDecToInput,
    leave: run.leave,
    frozen: baseline && baseline !== 'softFrozenDecoder' ? frozen[baseline] : undefined,
    near: baseline === 'softFrozenDecoder' ? initialParameters(shape, decoderInitNorm, seed).W_dec : undefined,
  });
}
