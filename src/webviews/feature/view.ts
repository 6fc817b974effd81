/**
 * The feature page: one feature with all that is known of it, and the way to every other of its SAE. The same code in a
 * panel, in a cell's output and in exported pages.
 */
import { FEATURE_BUNDLE, type FeatureDescriptor } from '../../protocol/feature.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { asPrompt, type PromptMeta } from '../../protocol/prompt.js';
import { BundleReader, noFiles } from '../ui/bundle.js';
import { el, fill, icon } from '../ui/dom.js';
import { openDrawing } from '../ui/drawing.js';
import { EXAMPLE_CSS } from '../ui/examples.js';
import { count } from '../ui/format.js';
import { featureName, HOVER_CARD_CSS } from '../ui/hoverCard.js';
import { linkSource } from '../ui/link.js';
import { messageOf } from '../ui/message.js';
import { button, dropdown, textField } from '../ui/toolkit.js';
import { TryBox } from '../ui/tryBox.js';
import { TRY_CSS } from '../ui/tryStyles.js';
import type { OpenView, ViewHost } from '../ui/view.js';
import { FeatureModel, type FeatureSource, type Known, type Order } from './model.js';
import { body, head, spoken, type Open } from './page.js';
import { FEATURE_CSS } from './styles.js';

const HITS = 30;

class FeaturePage {
  private feature: number;
  private order: Order;
  private shown = 0;
  private readonly me = linkSource();
  private readonly stops: Array<() => void> = [];
  private readonly place = el('span', { class: 'place' });
  private readonly content = el('div', { class: 'content' });
  private readonly hits = el('ul', { class: 'hits', hidden: true });
  private readonly box: TryBox | undefined;
  private boxState: JsonObject | undefined;
  private readonly live = el('div', { class: 'fg-sr', aria: { live: 'polite' } });
  private readonly search = textField({
    label: 'Find a feature by number or word',
    placeholder: 'Number or word',
    onInput: (text) => this.showHits(text),
  });

  constructor(
    private readonly root: HTMLElement,
    private readonly model: FeatureModel,
    private readonly host: ViewHost,
    prompt: PromptMeta | null,
  ) {
    const { feature, order, prompt: kept } = (host.state ?? {}) as Record<string, unknown>;
    this.feature = typeof feature === 'number' && model.has(feature) ? feature : model.meta.feature;
    this.order = model.orders.find(({ id }) => id === order) ?? model.orders[0];
    const { link } = host;
    this.box = prompt ? this.promptBox(prompt, kept) : undefined;
    const box = this.box && el('div', { class: 'box ask' }, this.box.element);
    root.append(el('div', { class: 'sheet' }, this.bar(), box, this.content, this.live));
    if (link)
      this.stops.push(
        link.onSelection(({ source, kind, sets }) => {
          if (source === this.me || kind === 'light') return;
          const picked = sets.find(({ sae }) => sae === model.own.meta.sae.id)?.features[0];
          if (picked === undefined || !model.has(picked)) return;
          this.go(picked, false);
          if (kind === 'open') root.scrollIntoView({ block: 'nearest' });
        }),
      );
    root.addEventListener('keydown', (event) => this.onKey(event));
    // An output stands there unasked: it lights nothing until its reader turns to a feature.
    void this.draw(host.compact !== true);
  }

  private promptBox(prompt: PromptMeta, state: unknown): TryBox {
    const { live, link } = this.host;
    const { sets } = this.model;
    return new TryBox(prompt, {
      ...{ live, link, state },
      label: (sae, f) => {
        const s = sets.findIndex(({ meta }) => meta.sae.id === sae);
        return s >= 0 && f < sets[s].meta.points ? this.model.label(s, f) : undefined;
      },
      onState: (kept) => {
        this.boxState = kept;
        this.save();
      },
    });
  }

  private bar(): HTMLElement {
    const step = (label: string, by: number, glyph: string) =>
      button({ label, content: glyph, appearance: 'icon', onClick: () => this.step(by) }).element;
    const order = dropdown({
      label: 'Order of previous and next',
      choices: this.model.orders.map(({ id, label }) => ({ value: id, label: `by ${label}` })),
      value: this.order.id,
      onChange: (id) => {
        this.order = this.model.orders.find((each) => each.id === id) ?? this.order;
        this.placed();
        this.save();
      },
    }).element;
    this.search.element.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') this.take(this.search.value);
      else if (event.key === 'Escape') this.showHits('');
    });
    const { openInPanel } = this.host;
    const panel =
      openInPanel &&
      button({
        label: 'Open in panel',
        content: icon('open'),
        appearance: 'icon',
        onClick: () => openInPanel.call(this.host, this.saved()),
      }).element;
    return el(
      'div',
      { class: 'bar', role: 'toolbar', aria: { label: 'Features' } },
      el('span', { class: 'part' }, step('Previous feature', -1, '◀'), this.place, step('Next feature', 1, '▶')),
      order,
      el('span', { class: 'finder' }, this.search.element, this.hits),
      el('span', { class: 'part actions' }, this.linkButton(), panel ?? null),
    );
  }

  /** Copies the link that reopens this feature; null where there is none. */
  private linkButton(): HTMLElement | null {
    const { featureLink, copyText = (text: string) => navigator.clipboard.writeText(text) } = this.host;
    if (!featureLink) return null;
    const copy = async (): Promise<string> => {
      await copyText.call(this.host, await featureLink.call(this.host, this.model.own.meta.sae.id, this.feature));
      return `The link to feature ${this.feature} is copied`;
    };
    const told = el('span', { class: 'told', role: 'status' });
    const onClick = (): void => {
      void copy()
        .catch((error: unknown) => `The link could not be copied: ${messageOf(error)}`)
        .then((text) => (told.textContent = text));
    };
    return el('span', { class: 'link' }, told, button({ label: 'Copy link', content: icon('link'), appearance: 'icon', onClick }).element); // prettier-ignore
  }

  private onKey(event: KeyboardEvent): void {
    if (!event.altKey || (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight')) return;
    event.preventDefault();
    this.step(event.key === 'ArrowLeft' ? -1 : 1);
  }

  private at(): number {
    return this.order.features.indexOf(this.feature);
  }

  private step(by: number): void {
    const next = this.order.features[this.at() + by];
    if (next !== undefined) this.go(next);
  }

  private placed(): void {
    this.place.textContent = `${count(this.at() + 1)} of ${count(this.order.features.length)}`;
  }

  /** The first hit of what was typed. */
  private take(query: string): void {
    const [first] = this.model.find(query, 1);
    if (first === undefined) return this.showHits(query);
    this.go(first);
  }

  private showHits(query: string): void {
    const found = query.trim() === '' ? [] : this.model.find(query, HITS);
    const { meta, columns } = this.model.own;
    const row = (f: number): HTMLElement =>
      el(
        'li',
        {},
        featureName({
          feature: f,
          of: meta.title,
          label: this.model.label(0, f),
          stats: `${count(columns.firings[f])} firings`,
          open: () => this.go(f),
        }),
      );
    const nothing = el('li', { class: 'fg-none' }, 'No feature has this number or word.');
    fill(this.hits, ...(found.length > 0 ? found.map(row) : [nothing]));
    this.hits.hidden = query.trim() === '';
  }

  /** Shows a feature; `tell`: the other views light it. */
  private go(feature: number, tell = true): void {
    this.hits.hidden = true;
    if (feature === this.feature) return;
    this.feature = feature;
    this.save();
    void this.draw(tell);
  }

  private saved(): JsonObject {
    const { boxState } = this;
    return { feature: this.feature, order: this.order.id, ...(boxState && { prompt: boxState }) };
  }

  private save(): void {
    this.host.onState?.(this.saved());
  }

  private light(): void {
    const { sae } = this.model.own.meta;
    const label = `feature page: #${this.feature}`;
    this.host.link?.send({
      source: this.me,
      kind: 'light',
      sets: [{ sae: sae.id, features: [this.feature] }],
      label,
    });
  }

  /** A feature of this SAE is shown here; of another, its own page shows it. */
  private open(set: number, feature: number): void {
    if (set === 0) return this.go(feature);
    const { sae, title } = this.model.sets[set].meta;
    this.host.link?.send({
      ...{ source: this.me, kind: 'open' },
      ...{ sets: [{ sae: sae.id, features: [feature] }], label: `${title} #${feature}` },
    });
  }

  private opener(): Open {
    const open = (set: number, feature: number): void => this.open(set, feature);
    return Object.assign(open, { light: (feature: number) => this.lightOnMaps(feature) });
  }

  /** Maps show where it lies, and ring it. */
  private lightOnMaps(feature: number): void {
    const { sae, title } = this.model.own.meta;
    this.light();
    this.host.link?.send({
      ...{ source: this.me, kind: 'pick' },
      ...{ sets: [{ sae: sae.id, features: [feature] }], label: `${title} #${feature}` },
    });
  }

  async draw(tell = true): Promise<void> {
    const { feature, model } = this;
    const turn = ++this.shown;
    this.placed();
    const top = head(model, feature);
    const waits = el('p', { class: 'notice', role: 'status' }, 'Contexts…');
    fill(this.content, top, waits);
    if (tell) this.light();
    this.box?.shade(model.own.meta.sae.id, feature);
    let known: Known | null;
    try {
      known = await model.known(feature);
    } catch (error) {
      if (turn !== this.shown) return;
      waits.classList.add('error');
      fill(waits, messageOf(error));
      return;
    }
    if (turn !== this.shown) return;
    if (known) waits.replaceWith(body(this.root, model, feature, known, this.opener()));
    else fill(waits, this.missing());
    this.live.textContent = spoken(model, feature);
  }

  private missing(): string {
    const { carried } = this.model.own.meta;
    return `This page carries the contexts of ${count(carried)} features, and not of this one: run fg.show.feature(activations, ${this.feature}) to see it.`;
  }

  dispose(): void {
    for (const stop of this.stops) stop();
    this.box?.dispose();
    this.host.link?.send({ source: this.me, kind: 'light', sets: [], label: '' });
  }
}

export const openFeature: OpenView<FeatureDescriptor> = (root, { path, prompt }, host) => {
  const source: FeatureSource = new BundleReader(FEATURE_BUNDLE, host.files ?? noFiles, path);
  const compact = host.compact === true;
  // Between the cells of a notebook a long page scrolls in itself.
  const bounded = host.covered === true ? ['bounded'] : [];
  return openDrawing(root, {
    noun: 'feature page',
    classes: ['fg-feature', compact ? 'compact' : 'full', ...bounded],
    styles: [EXAMPLE_CSS, HOVER_CARD_CSS, TRY_CSS, FEATURE_CSS],
    load: () => FeatureModel.load(source, host.live),
    draw: (model) => {
      const page = new FeaturePage(root, model, host, asPrompt(prompt));
      return { themeChanged: () => void page.draw(false), dispose: () => page.dispose() };
    },
  });
};
