/**
 * The one TensorFlow.js of the kernel: every room takes `tf` from here, so that there is one engine and one registry.
 */
import * as tf from '@tensorflow/tfjs';

// Production mode only silences banners ("looks like you are running TensorFlow.js in Node.js"); results are the same.
tf.enableProdMode();

export { tf };
