/** `fgnb inspect` and `fgnb doctor`: descriptions of a file and of this host. */
import { deviceChoice } from '../../protocol/device.js';
import { command, print } from './command.js';

export const inspect = command({
  help: `  fgnb inspect PATH|HUB_ID [--inside PATH] [--dataset] [--revision REVISION] [--json]
      What a file, folder or repository holds, from its headers: family, tensors, types, hook, architecture, memory, what
      is unusual, and the line that loads it. --inside names a file or folder in it; --dataset asks for a dataset of the
      hub. Access tokens come from HF_TOKEN or "hf auth login"; HF_HUB_OFFLINE=1 asks the cache alone.
      Exit code: 0 it loads, 1 it does not load as it stands or is not there, 2 wrong usage.`,
  options: {
    inside: { type: 'string' },
    dataset: { type: 'boolean' },
    revision: { type: 'string' },
    json: { type: 'boolean' },
  },
  takes: [1, 1, 'a path or a hub id'],
  async run({ inside, dataset, revision, json }, [asked]) {
    const [{ inspect: look }, { inspectionText }, { locateIn }] = await Promise.all([
      import('../inspect/inspect.js'),
      import('../inspect/words.js'),
      import('../verb/environment.js'),
    ]);
    try {
      const repoType = dataset ? 'dataset' : 'model';
      const found = await look(locateIn(process.cwd(), asked), asked, { inside, revision, repoType });
      print(json ? JSON.stringify(found) : inspectionText(found));
      return found.loads ? 0 : 1;
    } catch (error) {
      if (json) print(JSON.stringify({ inspection: 1, path: asked, error: (error as Error).message }));
      throw error;
    }
  },
});

export const doctor = command({
  help: `  fgnb doctor [--json] [--device DEVICE]
      What this host has, what is used, and why nothing better is.`,
  options: { json: { type: 'boolean' }, device: { type: 'string', default: 'auto' } },
  takes: [0, 0, ''],
  async run({ json, device }) {
    const { diagnose, formatDoctor } = await import('../compute/doctor.js');
    const report = await diagnose({ device: deviceChoice(device), notebookFolder: process.cwd() });
    print(json ? JSON.stringify(report) : formatDoctor(report).trimEnd());
    return 0;
  },
});
