/** The interventions panel's present state as one page: what it shows, its controls at rest. */
import type { LabDescriptor } from '../../protocol/lab.js';
import { MIME } from '../../protocol/mime.js';
import { outputPage } from './outputPage.js';
import type { ViewServices } from './requests.js';
import { saveAs } from './saveFile.js';

/** `lab` carries the snapshot to show. Asks where to, then makes and writes the page; its path, or null when cancelled. */
export function writeLabPage(
  lab: LabDescriptor,
  folder: string,
  services: Pick<ViewServices, 'extensionUri'>,
): Promise<string | null> {
  const { title } = lab.meta;
  return saveAs(`${title}.html`, folder, async () =>
    Buffer.from(await outputPage({ title, mime: MIME.lab, descriptor: lab }, services), 'utf8'),
  );
}
