/** One output as a page, with the report's program of this extension. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { outputPageHtml, type OutputPage } from '../../protocol/outputPage.js';
import type { ViewServices } from './requests.js';

export async function outputPage(
  output: Omit<OutputPage, 'script' | 'nonce'>,
  { extensionUri }: Pick<ViewServices, 'extensionUri'>,
): Promise<string> {
  const script = await fs.readFile(path.join(extensionUri.fsPath, 'dist', 'webviews', 'report.js'), 'utf8');
  return outputPageHtml({ ...output, script, nonce: randomBytes(18).toString('base64url') });
}
