/** The prompt box as a view of its own: an output of a cell, a panel, a part of exported pages. */
import { asPrompt, type PromptDescriptor } from '../../protocol/prompt.js';
import { el, icon } from '../ui/dom.js';
import { openDrawing } from '../ui/drawing.js';
import { EXAMPLE_CSS } from '../ui/examples.js';
import { HOVER_CARD_CSS } from '../ui/hoverCard.js';
import { button } from '../ui/toolkit.js';
import { TryBox } from '../ui/tryBox.js';
import { TRY_CSS } from '../ui/tryStyles.js';
import type { OpenView, ViewHost } from '../ui/view.js';

const PROMPT_CSS = `
.fg-prompt { color: var(--fg-text); background: var(--fg-bg); }
.fg-prompt.full { height: 100%; overflow: auto; }
.fg-prompt .sheet { padding: 10px 16px 16px; max-width: 1500px; margin: 0 auto; }
.fg-prompt.compact .sheet { border: 1px solid var(--fg-border); border-radius: 6px; padding: 8px 12px 12px; }
.fg-prompt header { display: flex; gap: 8px; align-items: center; margin: 0 0 6px; }
.fg-prompt header h3 { flex: 1; margin: 0; font-size: 1em; font-weight: 600; color: var(--fg-strong); overflow-wrap: anywhere; }
`;

function actions(host: ViewHost, descriptor: PromptDescriptor, box: TryBox, state: () => ViewHost['state']) {
  const { openInPanel, savePage } = host;
  const tool = (label: string, name: 'open' | 'save', onClick: () => void) =>
    button({ label, content: icon(name), appearance: 'icon', onClick }).element;
  return [
    // The page carries what was tried by then.
    savePage &&
      tool(
        'Save as a page',
        'save',
        () => void savePage.call(host, { ...descriptor, meta: box.prompt() } as PromptDescriptor),
      ),
    openInPanel && tool('Open in panel', 'open', () => openInPanel.call(host, state() ?? {})),
  ].filter((each) => each !== undefined);
}

export const openPrompt: OpenView<PromptDescriptor> = (root, descriptor, host) => {
  const compact = host.compact === true;
  let state = host.state;
  return openDrawing(root, {
    noun: 'prompt box',
    classes: ['fg-prompt', compact ? 'compact' : 'full'],
    styles: [EXAMPLE_CSS, HOVER_CARD_CSS, TRY_CSS, PROMPT_CSS],
    load: () => {
      const meta = asPrompt(descriptor.meta);
      return meta ? Promise.resolve(meta) : Promise.reject(new Error('its data is damaged: run the cell again'));
    },
    draw: (meta) => {
      const box = new TryBox(meta, {
        live: host.live,
        link: host.link,
        state,
        onState: (kept) => {
          state = kept;
          host.onState?.(kept);
        },
      });
      const tools = actions(host, descriptor, box, () => state);
      root.append(el('div', { class: 'sheet' }, el('header', {}, el('h3', {}, meta.title), ...tools), box.element));
      return { themeChanged: () => undefined, dispose: () => box.dispose() };
    },
  });
};
