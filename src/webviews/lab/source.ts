/** Whom the interventions panel asks. */
import type { LabMethod, LabMethods } from '../../protocol/lab.js';
import type { Json } from '../../protocol/notebook.js';
import type { RpcClient } from '../ui/rpc.js';

export interface LabSource {
  /** @throws Error in words; LIVE_SUPERSEDED and LIVE_GONE are told by their texts. */
  call<M extends LabMethod>(method: M, params: LabMethods[M]['params']): Promise<LabMethods[M]['value']>;
  /** What the kernel does, for a panel that waits. */
  state(): Promise<'none' | 'starting' | 'idle' | 'busy'>;
}

/** The panel's kernel, by way of the extension host. */
export function rpcLabSource(rpc: RpcClient, view: string): LabSource {
  return {
    call: async <M extends LabMethod>(method: M, params: LabMethods[M]['params']) =>
      (await rpc.request(
        'live.call',
        { view, method, params: params as unknown as Json },
        Infinity,
      )) as unknown as LabMethods[M]['value'],
    state: () => rpc.request('live.state', { view }),
  };
}

/**
 * Runs `ask` once at a time: what is asked while it runs is asked again when it is done, the newest alone. A slider that
 * is dragged so follows as fast as the kernel answers.
 */
export class Latest {
  private running = false;
  private again = false;

  constructor(private readonly ask: () => Promise<void>) {}

  trigger(): void {
    this.again = true;
    if (!this.running) void this.work();
  }

  private async work(): Promise<void> {
    this.running = true;
    while (this.again) {
      this.again = false;
      await this.ask();
    }
    this.running = false;
  }
}
