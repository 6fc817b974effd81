/** What answers the interventions panel. */
import type { InterventionsMethod, InterventionsMethods } from '../../protocol/interventions.js';
import { fromPlainJson, plainJson } from '../../protocol/objects.js';
import type { LiveKernel } from '../ui/view.js';

export interface InterventionsSource {
  /** @throws Error in words; LIVE_SUPERSEDED and LIVE_GONE are recognised by their texts. */
  call<M extends InterventionsMethod>(
    method: M,
    params: InterventionsMethods[M]['params'],
  ): Promise<InterventionsMethods[M]['value']>;
  /** What the kernel does, for a panel that waits. */
  state(): Promise<'none' | 'starting' | 'idle' | 'busy'>;
}

/** The panel's part of the kernel behind live views. */
export function liveSource(kernel: LiveKernel, view: string): InterventionsSource {
  return {
    call: async <M extends InterventionsMethod>(method: M, params: InterventionsMethods[M]['params']) =>
      fromPlainJson<InterventionsMethods[M]['value']>(await kernel.call({ view, method, params: plainJson(params) })),
    state: () => kernel.state(view),
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
