/** SAEs of two widths whose splitting is planted: every feature of the small one has its children around it in the large one. */
import { matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import type { Sae } from '#kernel/sae/types.js';
import { saeOf } from './sae.js';

const D = 32;

/** `parents` features, and `children` of each: feature c of the large SAE is a child of c % parents. */
export function splitSaes(parents: number, children: number): [small: Sae, large: Sae] {
  const random = new Random(17);
  const rows = (n: number): Float32Array => random.normals(new Float32Array(n * D));
  const small = rows(parents);
  const large = rows(parents * children).map((v, e) => small[(Math.floor(e / D) % parents) * D + (e % D)] + 0.25 * v);
  const sae = (W_dec: Float32Array, n: number): Sae =>
    saeOf(
      {
        W_enc: matrix(D, n, rows(n)),
        b_enc: new Float32Array(n),
        W_dec: matrix(n, D, W_dec),
        b_dec: new Float32Array(D),
      },
      { hookName: 'blocks.0.hook_mlp_out', metadata: {} },
    );
  return [sae(small, parents), sae(large, parents * children)];
}
