/** Where the files of a bundle beside a notebook lie; nothing outside of the notebook's folder is read. */
import fs from 'node:fs';
import path from 'node:path';
import {
  MAX_META_BYTES,
  parseMeta,
  type BundleManifest,
  type BundleMeta,
  type BundleRef,
} from '../../protocol/bundle.js';
import { safeJoin } from './files.js';

/** Path of a file in a bundle's folder. @throws Error where a link leads out of the notebook's folder */
export function insideBundle(notebookFolder: string, folder: string, file: string): string {
  const real = fs.realpathSync(path.join(safeJoin(notebookFolder, folder), file));
  safeJoin(fs.realpathSync(notebookFolder), path.relative(fs.realpathSync(notebookFolder), real));
  return real;
}

/** The real path of a file of a bundle. @throws Error when it is outside the notebook's folder or no regular file */
export function bundlePlace(notebookFolder: string, folder: string, file: string): string {
  const real = insideBundle(notebookFolder, folder, file);
  // Reading a pipe would wait for ever for a writer.
  if (!fs.statSync(real).isFile()) throw new Error(`${file} is no regular file; it is not put into the page`);
  return real;
}

/** The meta of a bundle, read after its size was checked. */
export function bundleMeta(bundle: BundleRef, manifest: BundleManifest, notebookFolder: string): BundleMeta {
  const place = bundlePlace(notebookFolder, bundle.path, manifest.meta);
  const { size } = fs.statSync(place);
  if (size > MAX_META_BYTES) throw new Error(`${manifest.meta} has ${size} bytes, over the limit of ${MAX_META_BYTES}`);
  return parseMeta(fs.readFileSync(place, 'utf8'), manifest, `${bundle.path}/${manifest.meta}`);
}
