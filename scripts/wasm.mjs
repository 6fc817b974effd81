// Assembles every kernels.wat under src/kernel/compute/ into kernels.ts beside it: node scripts/wasm.mjs
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import wabt from 'wabt';

/** The bytes of a module in WebAssembly's text. */
export async function assemble(text) {
  const module = (await wabt()).parseWat('kernels.wat', text, { simd: true, threads: true });
  try {
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}

for (const room of ['shared', 'entries', 'passes']) {
  const folder = new URL(`../src/kernel/compute/${room}/`, import.meta.url);
  const text = fs.readFileSync(new URL('kernels.wat', folder), 'utf8');
  const sha256 = createHash('sha256').update(text).digest('hex');
  const wasm = Buffer.from(await assemble(text)).toString('base64');
  fs.writeFileSync(
    new URL('kernels.ts', folder),
    `/** kernels.wat as scripts/wasm.mjs assembles it, and the hash of the text it was made of. */
// prettier-ignore
export const KERNELS = {
  sha256: '${sha256}',
  wasm: '${wasm}',
};
`,
  );
}
