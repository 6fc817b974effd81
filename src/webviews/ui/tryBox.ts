/**
 * The prompt box: a text, its tokens shaded by a feature, and the features that fire on the chosen token, in every SAE.
 * The same in a view of its own, on maps and on feature pages; without a kernel it shows what was tried.
 */
import { LIVE_GONE, LIVE_SUPERSEDED } from '../../protocol/live.js';
import type { LinkChannel, LinkedSelection } from '../../protocol/link.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { fromPlainJson, isRecord, plainJson } from '../../protocol/objects.js';
import { isTry, MAX_TRIES, type PromptMeta, type PromptMethods, type Try } from '../../protocol/prompt.js';
import type { PointLabel } from '../../protocol/tokens.js';
import { el, fill } from './dom.js';
import { heat } from './examples.js';
import { aligned, count, number, plural, visibleToken } from './format.js';
import { featureName } from './hoverCard.js';
import { linkSource } from './link.js';
import { messageOf } from './message.js';
import { button } from './toolkit.js';
import { along, firingOn, firstToken, labelIn, merged, together, type TokenAt } from './tries.js';
import type { LiveKernel } from './view.js';

export interface TryHost {
  live: LiveKernel | null;
  link?: LinkChannel;
  /** What a feature is called where the view knows it; default what the try says. */
  label?(sae: string, feature: number): PointLabel | undefined;
  state?: unknown;
  onState?(state: JsonObject): void;
}

/** Features of a token that are listed. */
const LISTED = 12;
/** A text that is typed is looked at this long after the last key. */
const TYPING_MS = 150;
/** Tries that a saved state carries. */
const SAVED = 12;

export class TryBox {
  readonly element: HTMLElement;
  private tries: Try[];
  private shown: Try | null = null;
  private token: TokenAt = { side: 0, token: 0 };
  /** By side, the feature that was chosen; null: the strongest on the chosen token. */
  private readonly chosen: Array<number | null>;
  private readonly me = linkSource();
  private readonly stop: () => void;
  private readonly text = el('textarea', { aria: { label: 'Text to try' } });
  private readonly status = el('p', { class: 'status', role: 'status' });
  private readonly list = el('ol', { class: 'tries', aria: { label: 'Texts that were tried' } });
  private readonly sides = el('div', { class: 'sides' });
  private typing: ReturnType<typeof setTimeout> | undefined;
  private lit = false;

  constructor(
    private readonly meta: PromptMeta,
    private readonly host: TryHost,
  ) {
    const state = isRecord(host.state) ? host.state : {};
    const saved = Array.isArray(state.tries) ? state.tries : [];
    this.tries = merged(
      meta.tries,
      saved.filter((each) => isTry(each, meta.sides.length)),
    ).slice(-MAX_TRIES);
    this.chosen = meta.sides.map(() => null);
    const { live, link } = host;
    const ask = live ? this.ask() : el('p', { class: 'status' }, 'Without its kernel the box shows what was tried.');
    const label = `Prompt box: ${meta.title}`;
    this.element = el('section', { class: 'fg-try', aria: { label } }, ask, this.status, this.list, this.sides);
    this.stop = link?.onSelection((selection) => this.heard(selection)) ?? (() => undefined);
    const first = this.tries.find(({ text }) => text === state.shown) ?? this.tries.at(-1);
    if (first) this.show(first, false);
    this.status.hidden = !live;
    if (live) void this.fetch(live);
  }

  private ask(): HTMLElement {
    Object.assign(this.text, { rows: 2, placeholder: 'Type a text', spellcheck: false });
    this.text.addEventListener('input', () => {
      clearTimeout(this.typing);
      if (this.text.value.trim() !== '') this.typing = setTimeout(() => void this.run('see'), TYPING_MS);
    });
    this.text.addEventListener('keydown', (event) => {
      // A new line is Shift+Enter, as in other boxes that answer.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      void this.run('try');
    });
    const keep = button({ label: 'Keep this text (Enter)', content: 'Keep', onClick: () => void this.run('try') });
    return el('div', { class: 'ask' }, this.text, keep.element);
  }

  /** What the session has tried since the output was made. */
  private async fetch(live: LiveKernel): Promise<void> {
    try {
      if ((await live.state(this.meta.live)) === 'none') return;
      const found = await live.call({ view: this.meta.live, method: 'tries', params: null });
      const tries = Array.isArray(found) ? found.filter((each) => isTry(each, this.meta.sides.length)) : [];
      this.tries = merged(this.tries, tries).slice(-MAX_TRIES);
      if (this.shown) this.drawList();
      else if (this.tries.length > 0) this.show(this.tries.at(-1)!, false);
    } catch (error) {
      // A session that ended is said when somebody types.
      const message = messageOf(error);
      if (!message.startsWith(LIVE_GONE) && message !== LIVE_SUPERSEDED) this.say(message, true);
    }
  }

  private async run(method: 'see' | 'try'): Promise<void> {
    clearTimeout(this.typing);
    const { live } = this.host;
    const text = this.text.value;
    if (!live || text.trim() === '') return;
    const from = performance.now();
    try {
      const params = plainJson({ text });
      const answer = fromPlainJson<Partial<PromptMethods['try']['value']> | null>(
        await live.call({ view: this.meta.live, method, params }),
      );
      const tried = answer?.tried;
      if (!isTry(tried, this.meta.sides.length))
        throw new Error('The kernel gave an answer that this box does not know: update the extension.');
      if (method === 'try') this.tries = merged(this.tries, [tried]).slice(-MAX_TRIES);
      this.show(tried, true);
      const ms = Math.round(performance.now() - from);
      this.say(
        `${plural(tried.sides[0].tokens.length, 'token')} · ${count(ms)} ms (${count(answer?.ms ?? 0)} in the kernel)`,
      );
    } catch (error) {
      const message = messageOf(error);
      if (message !== LIVE_SUPERSEDED) this.say(message, true);
    }
  }

  private say(text: string, error = false): void {
    this.status.classList.toggle('error', error);
    this.status.textContent = text;
  }

  /** What another view picks is what the tokens are shaded by. */
  private heard({ source, kind, sets }: LinkedSelection): void {
    if (source === this.me || kind === 'light') return;
    for (const { sae, features } of sets) if (features.length > 0) this.shade(sae, features[0]);
  }

  /** Shades the tokens of the SAE's sides by a feature; null: by the strongest on the chosen token. */
  shade(sae: string, feature: number | null): void {
    let known = false;
    this.meta.sides.forEach((side, s) => {
      if (side.sae.id !== sae) return;
      this.chosen[s] = feature;
      known = true;
    });
    if (known) this.drawSides();
  }

  private show(tried: Try, light: boolean): void {
    const before = this.shown;
    this.shown = tried;
    // While one types on, the token that was looked at stays.
    const stays = before !== null && this.token.token < tried.sides[this.token.side].tokens.length;
    const kept = stays && before.sides[0].tokens[this.token.token] === tried.sides[0].tokens[this.token.token];
    if (!kept) this.token = firstToken(tried);
    this.drawList();
    this.drawSides();
    if (light) this.light();
    this.save();
  }

  private choose(token: TokenAt): void {
    this.token = token;
    this.drawSides();
    this.light();
    // Drawn anew, the token has the focus that it had.
    this.sides.querySelector<HTMLElement>(`[data-token="${token.side}.${token.token}"]`)?.focus();
  }

  private pick(s: number, feature: number): void {
    const { sae } = this.meta.sides[s];
    this.shade(sae.id, this.chosen[s] === feature ? null : feature);
    this.host.link?.send({
      ...{ source: this.me, kind: 'pick' },
      ...{ sets: [{ sae: sae.id, features: [feature] }], label: `${sae.name} #${feature}` },
    });
  }

  /** Lights what fires on the chosen token in the other views. */
  private light(): void {
    const { shown, token, meta } = this;
    if (!shown) return;
    const sets = meta.sides.map(({ sae }, s) => ({
      sae: sae.id,
      features: firingOn(shown.sides[s], together(shown, token, s)).map(({ feature }) => feature),
    }));
    const word = shown.sides[token.side].tokens[token.token] ?? '';
    this.lit = true;
    this.host.link?.send({ source: this.me, kind: 'light', sets, label: `token ${JSON.stringify(word)}` });
  }

  private drawList(): void {
    const items = [...this.tries].reverse().map((tried) => {
      const choose = el('button', { title: tried.text }, tried.text.replace(/\s+/g, ' ').trim());
      choose.type = 'button';
      choose.setAttribute('aria-current', String(tried.text === this.shown?.text));
      choose.addEventListener('click', () => {
        this.text.value = tried.text;
        this.show(tried, true);
      });
      return el('li', {}, choose);
    });
    fill(this.list, ...items);
    this.list.hidden = items.length === 0;
  }

  private drawSides(): void {
    const { shown } = this;
    if (shown) fill(this.sides, ...this.meta.sides.map((_, s) => this.side(shown, s)));
  }

  private side(shown: Try, s: number): HTMLElement {
    const { model, sae } = this.meta.sides[s];
    const side = shown.sides[s];
    const here = together(shown, this.token, s);
    const fired = firingOn(side, here);
    const by = this.chosen[s] ?? fired[0]?.feature ?? null;
    const values = by === null ? side.tokens.map(() => 0) : along(side, by);
    const largest = values.reduce((m, v) => Math.max(m, v), 0);
    const label = (f: number): PointLabel => this.host.label?.(sae.id, f) ?? labelIn(side, f);
    const words = here.map((t) => JSON.stringify(side.tokens[t])).join(' ');
    const left = side.left > 0 ? ` · ${plural(side.left, 'small firing')} left out` : '';
    const heading = el('h4', {}, model.name, el('span', { class: 'note' }, ` · ${sae.name} · ${sae.hook}${left}`));
    const shade =
      by === null
        ? 'no feature fires on this token'
        : `shaded by #${by}${largest > 0 ? ` up to ${number(largest, 3)}` : ', which does not fire here'}`;
    const most = fired[0]?.value ?? 1;
    const rows = fired
      .slice(0, LISTED)
      .map(({ feature, value }) =>
        this.row(s, feature, value / most, aligned(value, 3), label(feature), feature === by),
      );
    const more = fired.length > LISTED ? `, ${LISTED} strongest of ${count(fired.length)}` : '';
    return el(
      'section',
      { class: 'side', aria: { label: `${model.name}, ${sae.name}` } },
      heading,
      this.tokens(side.tokens, s, values, largest, new Set(here)),
      el(
        'p',
        { class: 'shade' },
        here.length === 0 ? 'no token here for the chosen text' : `on ${words}${more}: ${shade}`,
      ),
      el('ul', { class: 'fired', aria: { label: `Features on ${words}` } }, ...rows),
    );
  }

  private tokens(
    tokens: readonly string[],
    s: number,
    values: readonly number[],
    most: number,
    here: ReadonlySet<number>,
  ) {
    const nodes = tokens.map((token, t) => {
      const title = `${JSON.stringify(token)} at ${t}: ${number(values[t], 3)}`;
      const node = el(
        'button',
        {
          class: `${values[t] > 0 ? 'on' : ''}${here.has(t) ? ' chosen' : ''}`,
          title,
          data: { token: `${s}.${t}` },
          style: { 'background-color': heat(values[t], most) },
          aria: { label: title, pressed: String(here.has(t)) },
          on: { click: () => this.choose({ side: s, token: t }) },
        },
        visibleToken(token),
      );
      node.type = 'button';
      const current = this.token.side === s ? this.token.token : ([...here][0] ?? 0);
      node.tabIndex = t === current ? 0 : -1;
      return node;
    });
    const group = el(
      'div',
      { class: 'tokens', role: 'group', aria: { label: 'Tokens: arrow keys go along the text' } },
      ...nodes,
    );
    group.addEventListener('keydown', (event) => {
      const at = nodes.indexOf(event.target as HTMLButtonElement);
      const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: nodes.length - 1 }[event.key];
      if (at < 0 || next === undefined || !nodes[next]) return;
      event.preventDefault();
      this.choose({ side: s, token: next });
    });
    return group;
  }

  private row(
    s: number,
    feature: number,
    share: number,
    value: string,
    label: PointLabel,
    shaded: boolean,
  ): HTMLElement {
    const { sae } = this.meta.sides[s];
    const name = featureName({
      feature,
      of: sae.name,
      label,
      stats: `${value} here`,
      open: () => this.pick(s, feature),
    });
    name.setAttribute(
      'aria-label',
      `Shade by ${name.getAttribute('aria-label')!.replace(/^Open /, '')}, ${value} here`,
    );
    name.setAttribute('aria-pressed', String(shaded));
    return el(
      'li',
      { class: shaded ? 'shaded' : '' },
      el('span', { class: 'name' }, name),
      el(
        'span',
        { class: 'track', aria: { hidden: 'true' } },
        el('span', { class: 'share', style: { width: `${100 * Math.max(0, share)}%` } }),
      ),
      el('span', { class: 'figures' }, value),
    );
  }

  /** What it shows now, for a page of its own. */
  prompt(): PromptMeta {
    return { ...this.meta, tries: this.tries };
  }

  private save(): void {
    const texts = new Set(this.meta.tries.map(({ text }) => text));
    const tries = this.tries.filter(({ text }) => !texts.has(text)).slice(-SAVED);
    this.host.onState?.(JSON.parse(JSON.stringify({ tries, shown: this.shown?.text ?? null })) as JsonObject);
  }

  dispose(): void {
    clearTimeout(this.typing);
    this.stop();
    if (this.lit) this.host.link?.send({ source: this.me, kind: 'light', sets: [], label: '' });
  }
}
