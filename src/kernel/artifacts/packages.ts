/** Versions that go into each artifact's record. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const NAME = 'feature-geometry-notebooks';
/** Packages that compute numbers; the other dependencies cannot change a result. */
const NUMERIC = ['@huggingface/tokenizers', '@tensorflow/tfjs', 'onnxruntime-node', 'umap-js'];

let versions: Record<string, string> | undefined;

/** Versions of Node, of this package and of the packages that compute, from the manifest above the running program. */
export function packageVersions(): Record<string, string> {
  versions ??= { node: process.versions.node, ...manifestVersions(process.argv[1] ?? process.cwd()) };
  return { ...versions };
}

function manifestVersions(from: string): Record<string, string> {
  for (let folder = dirname(from); ; folder = dirname(folder)) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
        name?: string;
        version?: string;
        dependencies?: Record<string, string>;
      };
      if (manifest.name === NAME) {
        const found = NUMERIC.flatMap((name) => {
          const version = manifest.dependencies?.[name];
          return version ? [[name, version] as const] : [];
        });
        return { [NAME]: manifest.version ?? 'unknown', ...Object.fromEntries(found) };
      }
    } catch {
      // No manifest here, or not ours: try the folder above.
    }
    if (dirname(folder) === folder) return {};
  }
}
