/** One view of a report as a page of its own: this page's program and the view's files, around that view alone. */
import { bundleFiles, type BundleManifest, type BundleMeta, type Descriptor } from '../../protocol/bundle.js';
import { outputPageHtml } from '../../protocol/outputPage.js';
import { PROGRAM_ID } from '../../protocol/webview.js';
import { viewMime, type ViewName } from '../../protocol/views.js';
import { TEXTS_FILE } from '../../protocol/packing/pack.js';
import { packedFile } from './pageFiles.js';

export function viewPage(view: ViewName, manifest: BundleManifest, descriptor: Descriptor): string {
  const program = document.getElementById(PROGRAM_ID)?.textContent ?? '';
  if (program === '') throw new Error('this page does not carry its program');
  const { title, sets } = descriptor.meta as BundleMeta;
  const names = [TEXTS_FILE, ...bundleFiles(manifest, sets.length).map(({ name }) => name)];
  const files = names.flatMap((file) => {
    const text = packedFile(descriptor.id, file);
    return text ? [{ bundle: descriptor.id, file, text }] : [];
  });
  const nonce = [...crypto.getRandomValues(new Uint8Array(18))].map((b) => b.toString(16).padStart(2, '0')).join('');
  return outputPageHtml({ title, mime: viewMime(view), descriptor, script: program, files, nonce });
}
