/**
 * The interventions panel: a prompt coloured by a feature before and after, a slider that runs it again, texts, tables of
 * Δ, pins. The same code in a cell's output, in a panel of its own and, with a snapshot alone, in exported reports.
 */
import type {
  InterventionsCard,
  InterventionsDescriptor,
  InterventionsSnapshot,
} from '../../protocol/interventions.js';
import { LIVE_GONE, LIVE_SUPERSEDED } from '../../protocol/live.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { el, icon } from '../ui/dom.js';
import { EXAMPLE_CSS } from '../ui/examples.js';
import { duration } from '../ui/format.js';
import { linkSource } from '../ui/link.js';
import { messageOf } from '../ui/message.js';
import { download } from '../ui/save.js';
import { adoptStyles, followTheme } from '../ui/theme.js';
import { button } from '../ui/toolkit.js';
import type { OpenView, ViewHost } from '../ui/view.js';
import { arrange } from './columns.js';
import { interventionControls, samplingControls, type Controls } from './controls.js';
import { createFinder, type Finder } from './finder.js';
import { asked, cellCode, exported, keptSnapshot, reduce, renamed, within, type InterventionsAction } from './model.js';
import { drawSecond, drawTables, drawTexts, drawTokens } from './results.js';
import { drawPins } from './pins.js';
import { promptBox } from './promptBox.js';
import { Latest, liveSource, type InterventionsSource } from './source.js';
import { INTERVENTIONS_CSS } from './styles.js';

/** A text is generated this long after the last change: a drag alone runs the prompt. */
const SETTLED_MS = 180;
const TYPED_MS = 300;
/** A call that takes longer is explained. */
const PATIENCE_MS = 500;
/** A panel without its kernel asks again after this long, then after twice that, and so on to the longest. */
const ASK_AGAIN_MS = 1000;
const LONGEST_ASK_MS = 60_000;

class InterventionsPanel {
  private shot: InterventionsSnapshot;
  private disabled: boolean;
  private notice: { text: string; error: boolean } | null = null;
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly stops: Array<() => void> = [];
  private readonly me = linkSource();
  private readonly runner = new Latest(() => this.run());
  private readonly writer = new Latest(() => this.write());
  private outstanding = 0;
  private told = '';
  private disposed = false;
  /** Feature whose card is on its way. */
  private choosing: number | null = null;
  /** What the view shows and what is asked for may differ while the kernel works. */
  private setting: InterventionsSnapshot['setting'];

  private readonly banner = el('div', { class: 'banner', role: 'status', hidden: true });
  private readonly status = el('span', { class: 'status', aria: { live: 'off' } });
  private readonly promptBox = promptBox(() => this.later('prompt', TYPED_MS, () => this.takeDraft()));
  private readonly tokens = el('div', {});
  private readonly second = el('section', { class: 'box', hidden: true, aria: { label: 'Model B' } });
  private readonly texts = el('div', { class: 'texts' });
  private readonly tables = el('section', { class: 'box', aria: { label: 'What moved' } });
  private readonly pinBox = el('section', { class: 'box', aria: { label: 'Pinned interventions' } });
  private readonly controls: Controls = interventionControls((action) => this.act(action));
  private readonly sampling: Controls = samplingControls((action) => this.act(action));
  private readonly finder: Finder;

  constructor(
    private readonly root: HTMLElement,
    private readonly shown: InterventionsDescriptor,
    private readonly source: InterventionsSource | null,
    private readonly host: ViewHost,
  ) {
    this.shot = keptSnapshot(host.state, shown) ?? shown.snapshot;
    this.setting = this.shot.setting;
    this.disabled = source === null;
    if (!source) this.notice = { text: 'The controls answer in VS Code, while the kernel lives.', error: false };
    this.finder = createFinder(shown.meta, {
      search: () => this.later('search', 120, () => this.search()),
      choose: (feature) => void this.choose(feature),
    });
    adoptStyles(root, EXAMPLE_CSS, INTERVENTIONS_CSS);
    this.stops.push(followTheme(root, () => undefined));
    root.classList.add('fg-interventions');
    root.classList.toggle('full', !host.compact);
    root.append(this.layout());
    this.listen();
    this.draw();
  }

  private listen(): void {
    const { link } = this.host;
    if (!link) return;
    this.stops.push(
      link.onSelection(({ source, kind, sets }) => {
        if (source === this.me || kind !== 'pick' || this.disabled) return;
        const feature = sets.find((set) => set.sae === this.shown.meta.sae.id)?.features[0];
        if (feature !== undefined && feature !== this.setting.current.feature) void this.choose(feature);
      }),
    );
  }

  private light(): void {
    const { feature } = this.setting.current;
    this.host.link?.send({
      source: this.me,
      kind: 'light',
      sets: [{ sae: this.shown.meta.sae.id, features: [feature] }],
      label: `interventions: feature ${feature}`,
    });
  }

  private layout(): HTMLElement {
    const { meta } = this.shown;
    const prompt = el(
      'section',
      { class: 'box', aria: { label: 'Prompt' } },
      el('h3', {}, 'Prompt'),
      this.promptBox.element,
      this.tokens,
    );
    const continuations = el(
      'section',
      { class: 'box', aria: { label: 'Continuations' } },
      el('h3', {}, 'Continuations'),
      this.texts,
      el('div', { class: 'line' }, this.sampling.element),
    );
    const { second, tables, finder, controls } = this;
    const columns = el('div', { class: 'columns' });
    const wide = [
      [prompt, finder.element, second],
      [controls.element, continuations, tables],
    ];
    // The slider stays near the tokens that it moves.
    const narrow = [[prompt, controls.element, continuations, tables, second, finder.element]];
    this.stops.push(arrange(this.root, columns, { wide, narrow }));
    return el(
      'div',
      { class: 'body' },
      el(
        'div',
        { class: 'head' },
        el('h2', {}, 'Interventions'),
        el(
          'span',
          { class: 'where' },
          meta.model.name,
          ' · ',
          el('code', {}, meta.sae.hook),
          ` · ${meta.sae.features.toLocaleString('en-US')} features`,
        ),
        this.status,
        el('span', { class: 'actions' }, ...this.toolbar()),
      ),
      this.banner,
      columns,
      el('div', { class: 'below' }, this.pinBox),
    );
  }

  /** Asks whether the kernel still has the panel, and brings it to the kept state. */
  async start(): Promise<void> {
    if (!this.source) return;
    try {
      await this.ask(() => this.source!.call('hello', null));
    } catch (error) {
      return this.failed(error);
    }
    await this.met();
  }

  /** A panel that rests keeps what was typed until it answers again. */
  private takeDraft(): void {
    const prompt = this.disabled ? null : this.promptBox.take();
    if (prompt !== null) this.act({ type: 'prompt', prompt });
  }

  private async met(): Promise<void> {
    this.takeDraft();
    if (this.shot !== this.shown.snapshot) await this.run();
    this.light();
  }

  /** After a reload of the window the kernel may be attached later than the panel is drawn. */
  private askAgain(wait: number): void {
    this.later('again', wait, () => {
      this.source?.call('hello', null).then(
        () => {
          this.disabled = false;
          this.notice = null;
          this.draw();
          void this.met();
        },
        () => this.askAgain(Math.min(2 * wait, LONGEST_ASK_MS)),
      );
    });
  }

  private act(action: InterventionsAction): void {
    if (this.disabled) return;
    const before = this.setting;
    this.setting = reduce(before, action);
    if (this.setting === before) return;
    this.drawControls();
    if (action.type === 'rename') {
      this.shot = { ...this.shot, setting: this.setting };
      this.draw();
      return;
    }
    if (action.type === 'use' && before.current.feature !== this.setting.current.feature) void this.refreshCard();
    if (action.type !== 'sampling') this.runner.trigger();
    if (action.type === 'prompt') {
      this.search();
      // The card says what the feature does on the prompt.
      void this.refreshCard();
    }
    this.later('write', SETTLED_MS, () => this.writer.trigger());
  }

  private async choose(feature: number): Promise<void> {
    if (!this.source) return;
    this.choosing = feature;
    try {
      const card = await this.source.call('card', { feature, prompt: this.setting.prompt });
      if (this.choosing !== feature) return;
      this.choosing = null;
      this.shot = { ...this.shot, card };
      this.act({ type: 'feature', feature, max: card.max });
      this.drawFinder();
      this.light();
    } catch (error) {
      if (this.choosing === feature) this.choosing = null;
      this.failed(error);
    }
  }

  private async refreshCard(): Promise<void> {
    // The kernel answers the newest call for a card alone: a choice that is under way is asked for again, not lost.
    if (this.choosing !== null) return this.choose(this.choosing);
    const { feature } = this.setting.current;
    try {
      const card: InterventionsCard = await this.source!.call('card', { feature, prompt: this.setting.prompt });
      if (this.setting.current.feature !== feature) return;
      this.shot = { ...this.shot, card };
      this.drawFinder();
      this.drawControls();
      this.light();
    } catch (error) {
      this.failed(error);
    }
  }

  private search(): void {
    if (!this.source || this.disabled) return;
    this.source
      .call('search', { text: this.finder.query(), prompt: this.setting.prompt })
      .then((hits) => {
        this.shot = { ...this.shot, hits };
        this.drawFinder();
      })
      .catch((error: unknown) => this.failed(error));
  }

  private async run(): Promise<void> {
    if (!this.source || this.disposed) return;
    const setting = this.setting;
    const { prompt } = setting;
    try {
      const result = await this.ask(() => this.source!.call('run', { prompt, interventions: asked(setting) }));
      const current = { ...setting.current, positions: within(setting.current.positions, result.tokens.length) };
      const pins = renamed(setting.pins, this.setting.pins);
      this.shot = { ...this.shot, setting: { ...setting, current, pins }, result };
      this.tell(`run in ${duration(result.ms)}`);
      this.notice = null;
      this.draw();
    } catch (error) {
      this.failed(error);
    }
  }

  private async write(): Promise<void> {
    if (!this.source || this.disposed) return;
    const { setting } = this;
    const { prompt, sampling } = setting;
    try {
      const generation = await this.ask(() =>
        this.source!.call('generate', { prompt, interventions: asked(setting), sampling }),
      );
      this.shot = { ...this.shot, generation, setting: { ...this.shot.setting, sampling } };
      this.draw();
    } catch (error) {
      this.failed(error);
    }
  }

  /** Says what the kernel does when an answer takes long. */
  private async ask<T>(call: () => Promise<T>): Promise<T> {
    this.outstanding++;
    this.later('patience', PATIENCE_MS, () => void this.explain());
    try {
      return await call();
    } finally {
      if (--this.outstanding === 0) {
        clearTimeout(this.timers.get('patience'));
        this.status.classList.remove('waiting');
        this.status.textContent = this.told;
      }
    }
  }

  /** What the status says when nothing is waited for. */
  private tell(text: string): void {
    this.told = text;
    if (!this.status.classList.contains('waiting')) this.status.textContent = text;
  }

  private async explain(): Promise<void> {
    if (!this.source || this.outstanding === 0 || this.disposed) return;
    const state = await this.source.state().catch(() => 'none' as const);
    if (this.outstanding === 0) return;
    const words = {
      busy: 'A cell runs: the panel answers when it is done.',
      starting: 'The kernel starts…',
      idle: 'Working…',
      none: 'The kernel is not there.',
    };
    this.status.textContent = words[state];
    this.status.classList.add('waiting');
    this.later('patience', 2 * PATIENCE_MS, () => void this.explain());
  }

  private failed(error: unknown): void {
    const text = messageOf(error);
    if (text === LIVE_SUPERSEDED || this.disposed) return;
    if (text.startsWith(LIVE_GONE)) {
      // What is shown must be what was computed.
      this.disabled = true;
      this.setting = this.shot.setting;
      this.askAgain(ASK_AGAIN_MS);
    }
    this.notice = { text, error: !this.disabled };
    this.tell('');
    this.draw();
  }

  private later(name: string, ms: number, work: () => void): void {
    clearTimeout(this.timers.get(name));
    this.timers.set(
      name,
      setTimeout(() => !this.disposed && work(), ms),
    );
  }

  private draw(): void {
    this.banner.hidden = this.notice === null;
    this.banner.textContent = this.notice?.text ?? '';
    this.banner.classList.toggle('error', this.notice?.error ?? false);
    this.drawControls();
    this.drawFinder();
    const run = this.shot.result.runs.at(-1);
    if (run) {
      const { meta } = this.shown;
      drawTokens(this.tokens, run, this.shot, this.setting.current.positions, {
        toggle: (index) => this.act({ type: 'token', index }),
        disabled: this.disabled,
      });
      drawTexts(this.texts, this.shot);
      drawTables(this.tables, run, meta, this.disabled ? undefined : (feature) => void this.choose(feature));
      drawSecond(this.second, run, meta);
    }
    drawPins(this.pinBox, this.shown.meta, this.shot, this.disabled, (action) => this.act(action));
    this.later('keep', 400, () => this.host.onState?.(this.state()));
  }

  private drawControls(): void {
    const { setting } = this;
    this.promptBox.update(setting.prompt, this.disabled);
    this.controls.update(setting, this.shot.card.max, this.disabled);
    this.sampling.update(setting, null, this.disabled);
  }

  private drawFinder(): void {
    this.finder.update(this.shot.hits, this.shot.card, this.disabled);
  }

  private state(): JsonObject {
    return JSON.parse(JSON.stringify({ lab: this.shown.id, snapshot: this.shot })) as JsonObject;
  }

  private async copy(): Promise<void> {
    const text = cellCode(this.shown.meta, this.shot.setting);
    await (this.host.copyText?.(text) ?? navigator.clipboard.writeText(text));
    this.tell('copied: paste it into a cell');
  }

  private async saved(writing: Promise<string | null>): Promise<void> {
    const path = await writing;
    if (!path) return;
    this.tell(`saved ${path.split(/[\\/]/).at(-1)}`);
    this.status.title = path;
  }

  private async saveJson(): Promise<void> {
    const file = { name: 'interventions.json', text: exported(this.shown.meta, this.shot) };
    if (this.host.saveFile) await this.saved(this.host.saveFile(file));
    else await download(file);
  }

  private asShown(): InterventionsDescriptor {
    return { ...this.shown, snapshot: this.shot };
  }

  private toolbar(): HTMLElement[] {
    const { openInPanel, savePage } = this.host;
    const act = (label: string, work: () => Promise<void>): HTMLElement =>
      button({ label, onClick: () => void work().catch((error: unknown) => this.failed(error)) }).element;
    const actions = [act('Copy as Cell', () => this.copy()), act('Save JSON', () => this.saveJson())];
    if (savePage) actions.push(act('Save HTML', () => this.saved(savePage.call(this.host, this.asShown()))));
    if (openInPanel) {
      const onClick = (): void => openInPanel(this.state());
      const open = button({ label: 'Open in Panel', content: icon('open'), appearance: 'icon', onClick });
      actions.push(open.element);
    }
    return actions;
  }

  dispose(): void {
    this.disposed = true;
    for (const timer of this.timers.values()) clearTimeout(timer);
    for (const stop of this.stops.splice(0)) stop();
    this.host.link?.send({ source: this.me, kind: 'light', sets: [], label: '' });
  }
}

/** Draws the panel into `root`; without a kernel it shows its snapshot and says why the controls rest. */
export const openInterventions: OpenView<InterventionsDescriptor> = (root, descriptor, host) => {
  const source = host.live && liveSource(host.live, descriptor.view);
  const panel = new InterventionsPanel(root, descriptor, source, host);
  return { ready: panel.start(), dispose: () => panel.dispose() };
};
