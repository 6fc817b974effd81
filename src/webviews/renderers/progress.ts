/** The state of a running call: label, bar, share, detail, elapsed time and an estimate of what is left. */
import type { Progress } from '../../protocol/kernel.js';
import { el } from '../ui/dom.js';
import { count, duration } from '../ui/format.js';

export const PROGRESS_CSS = `
.fg-progress { display: grid; gap: 3px; max-width: 640px; padding: 2px 0; }
.fg-progress .line { display: flex; gap: 12px; align-items: baseline; font-variant-numeric: tabular-nums; }
.fg-progress .label { color: var(--fg-strong); font-weight: 600; }
.fg-progress .share { margin-left: auto; }
.fg-progress .track { height: 4px; border-radius: 2px; background: color-mix(in srgb, var(--fg-muted) 28%, transparent); overflow: hidden; border: 1px solid var(--fg-contrast); }
.fg-progress .filled { height: 100%; background: var(--fg-progress); width: 0; }
.fg-progress.unknown .filled { width: 30%; animation: fg-slide 1.6s ease-in-out infinite alternate; }
.fg-progress .detail { color: var(--fg-muted); font-size: 0.92em; font-variant-numeric: tabular-nums; }
@keyframes fg-slide { from { transform: translateX(0); } to { transform: translateX(233%); } }
@media (prefers-reduced-motion: reduce) { .fg-progress.unknown .filled { animation: none; } }
`;

/** One bar that is updated in place while the call runs. */
export class ProgressBar {
  readonly element: HTMLElement;
  private readonly label = el('span', { class: 'label' });
  private readonly share = el('span', { class: 'share' });
  private readonly filled = el('div', { class: 'filled' });
  private readonly detail = el('div', { class: 'detail' });
  private readonly track = el(
    'div',
    { class: 'track', role: 'progressbar', aria: { valuemin: '0', valuemax: '100' } },
    this.filled,
  );
  private progress: Progress = { label: '', done: 0 };
  private started = performance.now();
  private readonly timer: ReturnType<typeof setInterval>;

  constructor() {
    this.element = el(
      'div',
      { class: 'fg-progress' },
      el('div', { class: 'line' }, this.label, this.share),
      this.track,
      this.detail,
    );
    this.timer = setInterval(() => this.draw(), 1000);
  }

  update(progress: Progress): void {
    // Another call, or the same one again: its clock starts anew.
    if (progress.label !== this.progress.label || progress.done < this.progress.done) this.started = performance.now();
    this.progress = progress;
    this.draw();
  }

  private draw(): void {
    const { label, done, total, unit, detail } = this.progress;
    const known = total !== undefined && total > 0;
    const share = known ? Math.min(1, Math.max(0, done / total)) : 0;
    this.label.textContent = label;
    this.share.textContent = known ? `${Math.floor(share * 100)} %` : '';
    this.element.classList.toggle('unknown', !known);
    this.filled.style.width = known ? `${share * 100}%` : '';
    this.track.setAttribute('aria-label', label);
    if (known) this.track.setAttribute('aria-valuenow', String(Math.floor(share * 100)));
    else this.track.removeAttribute('aria-valuenow');
    const elapsed = performance.now() - this.started;
    const left = known && share > 0.02 && share < 1 && elapsed > 3000 ? (elapsed * (1 - share)) / share : 0;
    const amount =
      known || done > 0 ? `${count(done)}${known ? ` of ${count(total)}` : ''}${unit ? ` ${unit}` : ''}` : '';
    this.detail.textContent = [amount, detail, duration(elapsed), left > 0 ? `about ${duration(left)} left` : '']
      .filter(Boolean)
      .join(' · ');
  }

  dispose(): void {
    clearInterval(this.timer);
  }
}
