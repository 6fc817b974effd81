/** A kernel session in the process of the test, without sockets and device. */
import { Console } from 'node:console';
import path from 'node:path';
import type { CellEvent } from '#protocol/kernel.js';
import { Session, type CellResult, type SessionOptions } from '#kernel/session/session.js';
import { testFolder } from './folder.js';

export interface Ran extends CellResult {
  events: CellEvent[];
  /** Text of the value shown last. */
  shown: string | undefined;
  stdout: string;
}

export interface TestSession {
  session: Session;
  folder: string;
  events: Array<{ execution: string; event: CellEvent; buffers: Uint8Array[] }>;
  logged: string[];
  run(source: string, cellId?: string): Promise<Ran>;
  close(): void;
}

/** A session in this process, with its notebook in a temporary folder. */
export function openSession(options: Partial<SessionOptions> = {}): TestSession {
  // The test runner puts a console of its own in place of Node's.
  const runnerConsole = globalThis.console;
  globalThis.console = new Console(process.stdout, process.stderr);
  const folder = testFolder('session');
  const events: TestSession['events'] = [];
  const logged: string[] = [];
  const session = new Session({
    notebookFolder: folder,
    artifactFolder: path.join(folder, '.fgnb'),
    sink: {
      cell: (execution, _cellId, event, buffers) => events.push({ execution, event, buffers }),
      state: () => undefined,
      log: (text) => logged.push(text),
    },
    ...options,
  });
  let count = 0;
  return {
    session,
    folder,
    events,
    logged,
    async run(source, cellId = `c${count + 1}`) {
      const execution = `e${++count}`;
      const result = await session.execute({ execution, cellId, source });
      const own = events.filter((each) => each.execution === execution).map((each) => each.event);
      const displays = own.flatMap((event) => (event.kind === 'display' ? [event.items[0].text ?? ''] : []));
      const stdout = own
        .map((event) => (event.kind === 'stream' && event.name === 'stdout' ? event.text : ''))
        .join('');
      return { ...result, events: own, shown: displays.at(-1), stdout };
    },
    close() {
      session.close();
      globalThis.console = runnerConsole;
    },
  };
}
