/** Names of exported files, and the page's own download, where no host asks where to. */
import { bytesOfBase64 } from './rpc.js';
import type { SavedFile } from './view.js';

const TYPES: Record<string, string> = {
  png: 'image/png',
  json: 'application/json',
  graphml: 'application/xml',
  html: 'text/html',
  svg: 'image/svg+xml',
  csv: 'text/csv',
  tsv: 'text/tab-separated-values',
};

export function fileName(title: string, extension: string): string {
  // eslint-disable-next-line no-control-regex
  return `${title.replace(/[\u0000-\u001f<>:"/\\|?*]+/g, '-').slice(0, 120)}.${extension}`;
}

export function download(file: SavedFile): Promise<string | null> {
  const parts = [file.base64 === undefined ? (file.text ?? '') : bytesOfBase64(file.base64)];
  const type = TYPES[file.name.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
  const link = document.createElement('a');
  const url = URL.createObjectURL(new Blob(parts, { type }));
  link.href = url;
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  return Promise.resolve(file.name);
}
