/**
 * The one TensorFlow.js of the kernel: every room takes `tf` from here, so that there is one engine and one registry.
 */
import * as tf from '@tensorflow/tfjs';

// Production mode only silences banners ("looks like you are running TensorFlow.js in Node.js"); results are the same.
tf.enableProdMode();

export { tf };

/**
 * The values of the tensor that `make` gives, a copy; all tensors made on the way are disposed. What a tidy returns is
 * searched for tensors, entry by entry: of an array of millions that takes longer than the work itself.
 */
export function valuesOf(make: () => tf.Tensor): Float32Array {
  let values: Float32Array | undefined;
  tf.tidy(() => {
    values = make().dataSync<'float32'>().slice();
  });
  return values!;
}
