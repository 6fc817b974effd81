/**
 * Theme: in VS Code every colour comes from --vscode-* variables; on a stand-alone page the same tokens fall back to
 * the palettes below. Views read tokens (--fg-*) only. The root carries data-theme, set here and nowhere else.
 */
import { parseColor, type Rgb } from './color.js';

export type ThemeKind = 'light' | 'dark' | 'hc' | 'hc-light';

/** token: [VS Code variable, light, dark, high contrast, high contrast light] */
const TOKENS: Record<string, [string | null, string, string, string, string]> = {
  bg: ['editor-background', '#ffffff', '#1f1f1f', '#000000', '#ffffff'],
  surface: ['editorWidget-background', '#f8f8f8', '#252526', '#000000', '#ffffff'],
  text: ['foreground', '#3b3b3b', '#cccccc', '#ffffff', '#292929'],
  strong: ['editor-foreground', '#1f1f1f', '#e6e6e6', '#ffffff', '#000000'],
  muted: ['descriptionForeground', '#616161', '#9d9d9d', '#ffffff', '#292929'],
  border: ['widget-border', '#d8d8d8', '#3c3c3c', '#6fc3df', '#0f4a85'],
  focus: ['focusBorder', '#005fb8', '#0078d4', '#f38518', '#006bbd'],
  link: ['textLink-foreground', '#005fb8', '#4daafc', '#21a6ff', '#0f4a85'],
  'input-bg': ['input-background', '#ffffff', '#313131', '#000000', '#ffffff'],
  'input-text': ['input-foreground', '#3b3b3b', '#cccccc', '#ffffff', '#292929'],
  'input-border': ['input-border', '#cecece', '#3c3c3c', '#6fc3df', '#0f4a85'],
  placeholder: ['input-placeholderForeground', '#767676', '#989898', '#ffffff', '#292929'],
  'menu-bg': ['dropdown-background', '#ffffff', '#313131', '#000000', '#ffffff'],
  'menu-text': ['dropdown-foreground', '#3b3b3b', '#cccccc', '#ffffff', '#292929'],
  'button-bg': ['button-background', '#005fb8', '#0078d4', '#000000', '#0f4a85'],
  'button-text': ['button-foreground', '#ffffff', '#ffffff', '#ffffff', '#ffffff'],
  'button-hover': ['button-hoverBackground', '#0258a8', '#026ec1', '#000000', '#0f4a85'],
  'button2-bg': ['button-secondaryBackground', '#e5e5e5', '#313131', '#000000', '#ffffff'],
  'button2-text': ['button-secondaryForeground', '#3b3b3b', '#cccccc', '#ffffff', '#292929'],
  'button2-hover': ['button-secondaryHoverBackground', '#cccccc', '#3c3c3c', '#000000', '#ffffff'],
  'list-hover': ['list-hoverBackground', '#f0f0f0', '#2a2d2e', '#1f1f1f', '#e8eef5'],
  'list-active': ['list-activeSelectionBackground', '#e4effa', '#04395e', '#000000', '#dbe9f7'],
  'list-active-text': ['list-activeSelectionForeground', '#1f1f1f', '#ffffff', '#ffffff', '#000000'],
  'code-bg': ['textCodeBlock-background', '#f3f3f3', '#2b2b2b', '#000000', '#f2f2f2'],
  error: ['errorForeground', '#c72e0f', '#f88070', '#ff8a80', '#b5200d'],
  added: ['charts-green', '#267f40', '#73c991', '#89d185', '#1b5e2e'],
  removed: ['charts-red', '#b5200d', '#f48771', '#ff8a80', '#b5200d'],
  progress: ['progressBar-background', '#005fb8', '#0078d4', '#6fc3df', '#0f4a85'],
  // The map's own colours: Okabe and Ito's hues, darker on light grounds. Contributed as fgnb.* colours where themed.
  a: ['fgnb-setA', '#0072b2', '#56b4e9', '#6ac5ff', '#00568a'],
  b: ['fgnb-setB', '#00805d', '#35c99b', '#4be3b2', '#005f45'],
  hover: ['fgnb-hover', '#d55e00', '#ff9e3d', '#ffb000', '#b34700'],
  hit: ['fgnb-hit', '#a0337e', '#e58fc0', '#ff9bd6', '#7d1f60'],
  heat: ['fgnb-heat', '#e69f00', '#8a5c00', '#b57b00', '#e69f00'],
};

const KINDS: ThemeKind[] = ['light', 'dark', 'hc', 'hc-light'];

/** The toolkit's design tokens, fed from ours: its own theme listener misses shadow roots and late-loaded scripts. */
const TOOLKIT = `
--background: var(--fg-bg); --foreground: var(--fg-text); --focus-border: var(--fg-focus);
--font-family: var(--fg-font); --type-ramp-base-font-size: var(--fg-size); --corner-radius: 0; --corner-radius-round: 3;
--contrast-active-border: var(--fg-contrast-active); --contrast-border: var(--fg-contrast);
--input-background: var(--fg-input-bg); --input-foreground: var(--fg-input-text);
--input-placeholder-foreground: var(--fg-placeholder); --input-min-width: 60px;
--dropdown-background: var(--fg-menu-bg); --dropdown-foreground: var(--fg-menu-text); --dropdown-border: var(--fg-input-border);
--dropdown-list-max-height: 320px;
--checkbox-background: var(--fg-input-bg); --checkbox-foreground: var(--fg-input-text); --checkbox-border: var(--fg-input-border);
--button-primary-background: var(--fg-button-bg); --button-primary-foreground: var(--fg-button-text);
--button-primary-hover-background: var(--fg-button-hover); --button-secondary-background: var(--fg-button2-bg);
--button-secondary-foreground: var(--fg-button2-text); --button-secondary-hover-background: var(--fg-button2-hover);
--button-border: var(--fg-contrast); --button-icon-hover-background: var(--fg-list-hover);
--list-active-selection-background: var(--fg-list-active); --list-active-selection-foreground: var(--fg-list-active-text);
--list-hover-background: var(--fg-list-hover); --link-foreground: var(--fg-link); --link-active-foreground: var(--fg-link);`;

function tokenSheet(): string {
  const named = Object.entries(TOKENS).map(
    ([name, [code]]) => `--fg-${name}: ${code ? `var(--vscode-${code}, var(--fb-${name}))` : `var(--fb-${name})`};`,
  );
  const fallbacks = KINDS.map((kind, i) => {
    const values = Object.entries(TOKENS).map(([name, row]) => `--fb-${name}: ${row[i + 1]};`);
    const high = kind.startsWith('hc');
    return `.fg-root[data-theme="${kind}"] { ${values.join(' ')} color-scheme: ${kind === 'light' || kind === 'hc-light' ? 'light' : 'dark'};
      --fg-contrast: ${high ? 'var(--vscode-contrastBorder, var(--fb-border))' : 'transparent'};
      --fg-contrast-active: ${high ? 'var(--vscode-contrastActiveBorder, var(--fb-focus))' : 'transparent'}; }`;
  });
  return `${fallbacks.join('\n')}
.fg-root { ${named.join(' ')}
  --fg-font: var(--vscode-font-family, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif);
  --fg-mono: var(--vscode-editor-font-family, ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace);
  --fg-size: var(--vscode-font-size, 13px);
  ${TOOLKIT}
  font-family: var(--fg-font); font-size: var(--fg-size); line-height: 1.4; color: var(--fg-text); }
.fg-root, .fg-root *, .fg-root *::before { box-sizing: border-box; }
.fg-root[data-theme^="hc"] { --fg-border: var(--vscode-contrastBorder, var(--fb-border)); }
.fg-root :focus-visible { outline: 1px solid var(--fg-focus); outline-offset: -1px; }
.fg-root input[type=range] { appearance: none; height: 16px; margin: 0; background: transparent; cursor: pointer; }
.fg-root input[type=range]:disabled { opacity: .5; cursor: default; }
.fg-root input[type=range]::-webkit-slider-runnable-track { height: 4px; border-radius: 2px; background: var(--fg-range-track); }
.fg-root input[type=range]::-webkit-slider-thumb { appearance: none; width: 14px; height: 14px; margin-top: -5px; border-radius: 50%;
  border: 1px solid var(--fg-contrast); background: var(--fg-range-thumb); }
.fg-root { --fg-range-track: color-mix(in srgb, var(--fg-text) 25%, transparent); --fg-range-thumb: var(--fg-button-bg); }
.fg-root[data-theme^="hc"] { --fg-range-track: var(--fg-text); --fg-range-thumb: var(--fg-focus); }
.fg-sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
[hidden] { display: none !important; }`;
}

const sheets = new Map<string, CSSStyleSheet>();

/** Adds style sheets to the document or shadow root that holds `root`, each text once. */
export function adoptStyles(root: HTMLElement, ...texts: string[]): void {
  const home = root.getRootNode();
  const scope = home instanceof ShadowRoot ? home : document;
  for (const text of [tokenSheet(), ...texts]) {
    let sheet = sheets.get(text);
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(text);
      sheets.set(text, sheet);
    }
    if (!scope.adoptedStyleSheets.includes(sheet)) scope.adoptedStyleSheets = [...scope.adoptedStyleSheets, sheet];
  }
}

/** VS Code's theme, else the page's choice (html data-theme), else what the system prefers. */
export function themeKind(): ThemeKind {
  const code = document.body.dataset.vscodeThemeKind;
  if (code) {
    if (code === 'vscode-high-contrast') return 'hc';
    if (code === 'vscode-high-contrast-light') return 'hc-light';
    return code === 'vscode-light' ? 'light' : 'dark';
  }
  const chosen = document.documentElement.dataset.theme;
  if (KINDS.includes(chosen as ThemeKind)) return chosen as ThemeKind;
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  if (matchMedia('(prefers-contrast: more)').matches) return dark ? 'hc' : 'hc-light';
  return dark ? 'dark' : 'light';
}

/** Keeps data-theme of `root` right and calls back after each change of colours. Returns the way to stop. */
export function followTheme(root: HTMLElement, changed: () => void): () => void {
  root.classList.add('fg-root');
  const update = () => {
    root.dataset.theme = themeKind();
    changed();
  };
  root.dataset.theme = themeKind();
  const observer = new MutationObserver(update);
  observer.observe(document.body, { attributes: true, attributeFilter: ['class', 'data-vscode-theme-kind'] });
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['style', 'data-theme', 'class'] });
  const queries = ['(prefers-color-scheme: dark)', '(prefers-contrast: more)'].map((q) => matchMedia(q));
  for (const query of queries) query.addEventListener('change', update);
  return () => {
    observer.disconnect();
    for (const query of queries) query.removeEventListener('change', update);
  };
}

/** The value of token `name` under `root`, resolved through every variable. */
export function tokenColor(root: HTMLElement, name: string): Rgb {
  const style = getComputedStyle(root);
  return parseColor(style.getPropertyValue(`--fg-${name}`));
}

export function reducedMotion(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}
