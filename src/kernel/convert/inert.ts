/**
 * Which outputs of foreign notebooks may be shown as they are. VS Code runs the scripts of HTML and SVG outputs in a trusted
 * workspace. Nothing is cleaned here: markup is accepted when every tag of it stands on a short list, written plainly, and is
 * set aside whole otherwise.
 */

const HTML_TAGS =
  'a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr tt u ul var';
const SVG_TAGS =
  'svg g path rect circle ellipse line polyline polygon text tspan defs clipPath linearGradient radialGradient stop title desc';
const TAGS = new Set(`${HTML_TAGS} ${SVG_TAGS}`.split(' ').map((tag) => tag.toLowerCase()));
/** Attributes of HTML that do no more than arrange; of SVG, all those that say how something is drawn. */
const ATTRIBUTES = new Set(
  (
    'align alt border cellpadding cellspacing class colspan dir height lang rowspan scope span start title type valign width open ' +
    'clip-path clip-rule clippathunits cx cy d direction dominant-baseline dx dy fill fill-opacity fill-rule font-family font-size ' +
    'font-style font-weight fx fy gradienttransform gradientunits letter-spacing marker-end offset opacity points ' +
    'preserveaspectratio r role rotate rx ry shape-rendering spreadmethod stop-color stop-opacity stroke stroke-dasharray ' +
    'stroke-dashoffset stroke-linecap stroke-linejoin stroke-miterlimit stroke-opacity stroke-width text-anchor text-decoration ' +
    'textlength transform version viewbox visibility x x1 x2 y y1 y2 pointer-events'
  ).split(' '),
);

/** A closing tag, or an opening one whose attributes have values in double quotes. Sticky; no part can match twice. */
const TAG = /<(?:\/([a-zA-Z][a-zA-Z0-9]*)\s*|([a-zA-Z][a-zA-Z0-9]*)((?:\s+[a-zA-Z:-]+(?:="[^"<>]*")?)*)\s*\/?)>/y;
const ATTRIBUTE = /([a-zA-Z:-]+)(?:="([^"]*)")?/g;

/** Declarations of a style attribute that arrange and colour, and load nothing. */
const STYLE =
  /^\s*(?:(?:text-align|vertical-align|white-space|font(?:-(?:weight|size|style|family|variant-numeric))?|color|background(?:-color)?|(?:min-|max-)?(?:width|height)|padding(?:-\w+)?|border(?:-\w+)*|text-decoration|fill|stroke)\s*:\s*[\w\s.,#%'()-]*(?:;|$)\s*)*$/;

const IMAGE = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*$/;

function isPlainAttribute(tag: string, name: string, value: string): boolean {
  if (/[\\]|url\s*\((?!#)|&#|&colon|&lpar/i.test(value)) return false;
  if (name === 'style') return !/\(/.test(value.replace(/(?:rgba?|hsla?)\(/g, '')) && STYLE.test(value);
  if (name === 'href') return tag === 'a' && /^(?:https?:\/\/|#)/i.test(value);
  if (name === 'src') return tag === 'img' && IMAGE.test(value);
  if (name === 'xmlns' || name === 'xmlns:xlink')
    return /^http:\/\/www\.w3\.org\/(?:2000\/svg|1999\/xlink)$/.test(value);
  if (name === 'id') return /^[\w-]*$/.test(value);
  return name.startsWith('aria-') || ATTRIBUTES.has(name);
}

function isPlainMarkup(text: string): boolean {
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', at + 1)) {
    // Of a "<" that begins no tag, browsers make text.
    if (!/[a-zA-Z/!?]/.test(text.charAt(at + 1))) continue;
    TAG.lastIndex = at;
    const match = TAG.exec(text);
    const tag = (match?.[1] ?? match?.[2] ?? '').toLowerCase();
    if (!match || !TAGS.has(tag)) return false;
    for (const [, name, value] of (match[3] ?? '').matchAll(ATTRIBUTE))
      if (!isPlainAttribute(tag, name.toLowerCase(), value ?? '')) return false;
  }
  return true;
}

const MARKUP = ['text/html', 'image/svg+xml', 'text/markdown', 'application/xhtml+xml'];

/** Whether an item of this mime can do nothing but be looked at. `text`: undefined where it is not text. */
export function isInert(mime: string, text: string | undefined): boolean {
  const kind = mime.toLowerCase().split(';')[0].trim();
  if (/(?:java|ecma|live|j)script/.test(kind)) return false;
  return !MARKUP.includes(kind) || (text !== undefined && isPlainMarkup(text));
}
