/**
 * File operations of a terminated cell go on: Node runs the callback chains of its own functions (deleting a folder)
 * and the code behind an awaited file call to their next step, since only what was queued at the termination is
 * dropped. The next cell waits until they are done, or it would share files with them.
 */
import { setImmediate, setTimeout } from 'node:timers';
import { nativeCall } from '../compute/nativeCall.js';

/** The longest wait in milliseconds: a user's own loop over files may never end. */
const LONGEST_MS = 5000;
const LOOK_AGAIN_MS = 2;
const FILE_REQUESTS = new Set(['FSReqCallback', 'FSReqPromise', 'FileHandleCloseReq', 'CloseReq']);

const filesBusy = (): boolean => process.getActiveResourcesInfo().some((kind) => FILE_REQUESTS.has(kind));

/** At most one wait at a time: a later one replaces an earlier one, whose timer may have been terminated. */
export class FileDrain {
  private current: object | undefined;

  get waiting(): boolean {
    return this.current !== undefined;
  }

  /** Calls `then` when two checks in a row find no file request of this process, or after LONGEST_MS. */
  begin(then: () => void, busy: () => boolean = filesBusy): void {
    const wait = (this.current = {});
    const until = Date.now() + LONGEST_MS;
    let quiet = 0;
    const look = (): void =>
      nativeCall(() => {
        if (wait !== this.current) return;
        quiet = busy() ? 0 : quiet + 1;
        if (quiet < 2 && Date.now() < until) return void setTimeout(look, LOOK_AGAIN_MS);
        this.current = undefined;
        then();
      });
    setImmediate(look);
  }
}
