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
  /** Undefined where the steps are those of the CPU, to its bits, and products alone are made on the device. */
  training?: DeviceTraining;
}

type Placed = Omit<SaeTrainOptions, 'dSae'>;

/** How a training runs on a device; undefined where that in use runs no graphs. */
export function placeOf(options: Placed, device: GraphDevice | undefined): TrainingPlace | undefined {
  if (!device) return undefined;
  const { architecture, around } = filled(TRAIN, options);
  const { onDevice } = trainingOf(architecture);
  if (onDevice === 'products') return { device };
  const training = onDevice(options);
  return { device, training: around ? around.onDevice(training) : training };
}

/** The device as a parameter of a result: what others than the CPU round otherwise is another SAE after some steps. */
export const deviceParameter = (place: TrainingPlace | undefined): { device?: string } =>
  place?.training ? { device: place.device.provider } : {};

/** The steps of a run. @param moments changed in place */
export function stepsOf(
  { common, run, shape }: ResolvedOptions,
  p: Parameters,
  moments: Moments,
  place: TrainingPlace | undefined,
): Steps {
  const { baseline, applyBDecToInput, decoderInitNorm, seed } = common;
  if (!place?.training) {
    const hold = holdOf(baseline, { ...shape, ...common });
    return new CpuSteps(new TrainingStep(run, common, { device: place?.device }), p, moments, hold);
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
