/**
 * Links that reopen the page of a feature: behind the `#` of an exported page, and behind the `?` of the editor's own link
 * (`vscode://<extension>/feature?…`), which names the notebook too.
 */
export interface FeatureLink {
  feature: number;
  /** Identity of the SAE; absent: the one whose page there is. */
  sae?: string;
  /** Path of the notebook that has the page. */
  notebook?: string;
}

/** The path of the editor's link. */
export const FEATURE_LINK_PATH = '/feature';

const MAX_LINK = 4000;

/** "feature=12&sae=…&notebook=…". */
export const featureQuery = ({ feature, sae, notebook }: FeatureLink): string =>
  [
    `feature=${feature}`,
    ...(sae === undefined ? [] : [`sae=${encodeURIComponent(sae)}`]),
    ...(notebook === undefined ? [] : [`notebook=${encodeURIComponent(notebook)}`]),
  ].join('&');

/** The link that such a text says; null where it says none. */
export function readFeatureQuery(text: string): FeatureLink | null {
  if (text.length > MAX_LINK) return null;
  const said = new Map<string, string>();
  for (const part of text.replace(/^[#?]/, '').split('&')) {
    const at = part.indexOf('=');
    try {
      if (at > 0) said.set(part.slice(0, at), decodeURIComponent(part.slice(at + 1)));
    } catch {
      // Not written by featureQuery.
      return null;
    }
  }
  const feature = said.get('feature') ?? '';
  if (!/^\d{1,9}$/.test(feature)) return null;
  const [sae, notebook] = [said.get('sae'), said.get('notebook')];
  return { feature: Number(feature), ...(sae && { sae }), ...(notebook && { notebook }) };
}
