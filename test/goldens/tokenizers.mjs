/**
 * Ids of 500 texts by Hugging Face's Rust tokenizers, for test/unit/models-tokenizer/rust.test.ts.
 *
 * npm install --no-save tokenizers@0.23.2
 * node test/goldens/tokenizers.mjs
 *
 * Writes tokenizers.json.br: { library, texts, tokenizers: [{ name, json, ids }] }, ids[i] being those of texts[i].
 */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { TextEncoder } from 'node:util';
import { brotliCompressSync, constants } from 'node:zlib';

const require = createRequire(process.env.TOKENIZERS_FROM ?? import.meta.url);
const { Tokenizer } = require('tokenizers');

// -- Texts ------------------------------------------------------------------------------------------------------------

let state = 12345;
const random = (n) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
};
const pick = (list) => list[random(list.length)];

const phrases = [
  'The quick brown fox jumps over the lazy dog.',
  "It's what we'll do; they've said I'd, you're, don't!",
  'Größe, Straße, Äpfel und Übermut – „so“ sagt man.',
  "L'été à la plage, où naît le cœur d'Œdipe ; déjà vu ?",
  '¿Dónde está el niño? ¡Mañana, señor!',
  'Příliš žluťoučký kůň úpěl ďábelské ódy',
  'Zażółć gęślą jaźń',
  'İstanbul’da ığdır IĞDIR',
  'ΟΔΥΣΣΕΥΣ και ὁ Σωκράτης, ΣΑΣ',
  'Съешь же ещё этих мягких французских булок, да выпей чаю',
  'Չկա մարդ առանց թերության',
  'שלום עולם, מה שלומך? בְּרֵאשִׁית',
  'مرحبا بالعالم، كيف حالك؟ ١٢٣٤',
  'فارسی را پاس بداریم می‌خواهم ۴۵۶',
  'नमस्ते दुनिया, क्षत्रिय ज्ञान १२३',
  'বাংলা ভাষা, কৃষ্ণ ৪৫',
  'தமிழ் மொழி, ஸ்ரீ',
  'తెలుగు భాష',
  'മലയാളം ഭാഷ',
  'ಕನ್ನಡ ಭಾಷೆ',
  'ગુજરાતી ભાષા',
  'ਪੰਜਾਬੀ ਬੋਲੀ',
  'සිංහල භාෂාව',
  'ภาษาไทย เขียนติดกัน ๑๒๓',
  'ພາສາລາວ',
  'မြန်မာဘာသာ',
  'ភាសាខ្មែរ',
  'བོད་སྐད།',
  'ქართული ენა',
  'አማርኛ ቋንቋ፡ ፩፪፫',
  '我爱北京天安门,天安门上太阳升。一二三',
  '繁體中文「測試」,㐀㒲𠀀𪜀',
  'ひらがなとカタカナ、ガギグ ハンカク',
  '한국어 문장 ᄀᆞᆯ 각',
  'Tiếng Việt có dấu: ệ ỗ ữ',
  'ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ',
  'ᐃᓄᒃᑎᑐᑦ',
  'ʻŌlelo Hawaiʻi',
  '𝒜𝓃𝒸𝒾𝑒𝓃𝓉 𝔉𝔯𝔞𝔨𝔱𝔲𝔯 𐍈𐌰𐌹',
  '🙂👩‍👩‍👧‍👦🏳️‍🌈 👍🏽 🇩🇪 ❤️ ☃',
  'x² + y³ = ½·π·10⁻⁵ ≤ ∞; ⅷ ① ㊿ ５６',
  'function f(a, b) { return a[0] + b_1 - 3.14e-10; } // TODO',
  'https://example.org/a?b=c&d=%20#e user@mail.com',
  '$100, €5, £7, 50%, #tag @name ^~`|<>+=_',
  'ﬁ ﬂ Å Å ｆｕｌｌ ｶﾞ ㌔ ™ № … ~ ～',
  'e\u0301 a\u0308\u0323 o\u0302\u0301 n\u0303',
  'tabs\tand\nlines\r\nand  two   three    spaces ',
  '12 345 6789 0',
  'naïve café résumé coöperate',
  'AAA aaa AaAaA ZZZZZ',
];
const added = ['<s>', '</s>', '<unk>', '<|endoftext|>', 'Qqx', '[MASK]', 'ÉÀ', ' two', 'the'];
const spaces = [
  ' ',
  ' ',
  ' ',
  '  ',
  '   ',
  '\t',
  '\n',
  '\r\n',
  '\n\n',
  '\u00a0',
  '\u0085',
  '\ufeff',
  '\u2028',
  '\u3000',
  '\u200b',
  '\u200d',
  '\u1680',
  '\u2009',
];
const marks = [
  '.',
  ',',
  '!',
  '...',
  '—',
  '«',
  '»',
  "'",
  '"',
  '_',
  '-',
  '(',
  ')',
  '।',
  '。',
  '؟',
  '\u0301',
  '▁',
  '▁▁',
  '\u0000',
  '\u0007',
  '\ufffd',
  '0',
  '42',
  '٣',
  'Ⅳ',
];
const words = phrases.flatMap((phrase) => phrase.split(' ')).filter((word) => word !== '');

function mixture() {
  let text = '';
  for (let i = 0, n = 1 + random(7); i < n; i++) {
    const kind = random(12);
    text += kind < 6 ? pick(words) : kind < 8 ? pick(added) : kind < 10 ? pick(marks) : pick([...pick(words)]);
    text += random(4) > 0 ? pick(spaces) : '';
  }
  return random(6) === 0 ? pick(spaces) + text : text;
}

const fixed = [
  '',
  ' ',
  '  ',
  '\n',
  'a',
  'é ñ',
  'a \ufeffb',
  'a\u0085 b',
  '\u0085\u0085x',
  'Qqx Qqxs aQqx Qqx',
  'the cat, the dog',
  ' <s> a </s> ',
  '<s></s><s>',
  'x <|endoftext|>\n y',
  'ΣΑΣ ΣΑΣ',
  'İIıi',
  '[MASK] [MASK].',
  "don't",
  '\u200cQqx\u200d',
  '12Qqx',
  'Qqx_',
  '  lead',
  'trail  ',
  'a▁b ▁c',
  'z'.repeat(120),
  'éàÉÀ éà',
  'e\u0301a\u0300',
];
const texts = [...fixed, ...phrases];
while (texts.length < 500) texts.push(mixture());

// -- Vocabularies -----------------------------------------------------------------------------------------------------

const byteChar = (() => {
  let other = 0;
  return Array.from({ length: 256 }, (_, b) =>
    String.fromCharCode((b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174 ? b : 256 + other++),
  );
})();
const byteLevel = (text) => Array.from(new TextEncoder().encode(text), (b) => byteChar[b]).join('');
const bytes = Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`);
const numbered = (tokens) => Object.fromEntries([...new Set(tokens)].map((token, i) => [token, i]));

/** `count` merges of the most frequent pairs over words. `join` makes a pair's token. */
function learn(listOfSymbols, count, join = (a, b) => a + b) {
  let open = listOfSymbols.map((symbols) => [...symbols]);
  const merges = [];
  for (let m = 0; m < count; m++) {
    const counts = new Map();
    for (const word of open)
      for (let i = 0; i + 1 < word.length; i++) {
        const key = `${word[i]} ${word[i + 1]}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
    const best = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))[0];
    if (!best) break;
    const [a, b] = best[0].split(' ');
    merges.push([a, b]);
    open = open.map((word) => {
      const out = [];
      for (let i = 0; i < word.length; i++)
        if (word[i] === a && word[i + 1] === b) out.push(join(a, word[++i]));
        else out.push(word[i]);
      return out;
    });
  }
  return merges;
}

const spaced = words.map((word) => ` ${word}`);
const byteMerges = learn([...spaced, ...words].map(byteLevel), 500);
const byteBpe = {
  type: 'BPE',
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: '',
  end_of_word_suffix: '',
  fuse_unk: false,
  vocab: numbered([...byteChar, ...byteMerges.map((pair) => pair.join(''))]),
  merges: byteMerges,
};
const markedWords = words.map((word) => `▁${word}`);
const common = [...new Set([...markedWords.join('')])].filter((_, i) => i % 7 !== 3);
const known = new Set(common);
const llamaMerges = learn(
  markedWords.map((word) => [...word].filter((char) => known.has(char))),
  300,
);
const llamaVocab = numbered(['<unk>', '<s>', '</s>', ...bytes, ...common, ...llamaMerges.map((pair) => pair.join(''))]);
const llamaBpe = {
  ...byteBpe,
  unk_token: '<unk>',
  fuse_unk: true,
  byte_fallback: true,
  vocab: llamaVocab,
  merges: llamaMerges,
};
const plainVocab = numbered(['<unk>', ...common, ...llamaMerges.map((pair) => pair.join(''))]);
const plainBpe = { ...byteBpe, unk_token: '<unk>', fuse_unk: false, vocab: plainVocab, merges: llamaMerges };

const suffixed = words.map((word) => [...word].map((char, i, all) => (i === all.length - 1 ? `${char}</w>` : char)));
const suffixMerges = learn(suffixed, 200);
const suffixBpe = {
  ...byteBpe,
  unk_token: '<unk>',
  end_of_word_suffix: '</w>',
  merges: suffixMerges,
  vocab: numbered(['<unk>', ...suffixed.flat(), ...suffixMerges.map((pair) => pair.join(''))]),
};
const joinPrefixed = (a, b) => a + b.slice(2);
const prefixed = words.map((word) => [...word].map((char, i) => (i > 0 ? `##${char}` : char)));
const prefixMerges = learn(prefixed, 200, joinPrefixed);
const prefixBpe = {
  ...byteBpe,
  unk_token: '<unk>',
  continuing_subword_prefix: '##',
  merges: prefixMerges,
  vocab: numbered(['<unk>', ...prefixed.flat(), ...prefixMerges.map(([a, b]) => joinPrefixed(a, b))]),
};

const pieces = new Map();
for (const word of markedWords) {
  const chars = [...word];
  for (let i = 0; i < chars.length; i++)
    for (let n = 1; n <= 4 && i + n <= chars.length; n++) {
      const piece = chars.slice(i, i + n).join('');
      if (chars.slice(i, i + n).every((char) => known.has(char))) pieces.set(piece, (pieces.get(piece) ?? 0) + 1);
    }
}
const scored = [...pieces]
  .filter(([piece, n]) => n > 1 || [...piece].length === 1)
  .map(([piece, n]) => [piece, Math.log(n / 5000)]);
const unigramPieces = [['<unk>', 0], ['<s>', 0], ['</s>', 0], ...scored];
const unigram = { type: 'Unigram', unk_id: 0, vocab: unigramPieces, byte_fallback: false };
const unigramBytes = {
  ...unigram,
  vocab: [...unigramPieces, ...bytes.map((byte) => [byte, -20])],
  byte_fallback: true,
};
const wordPieceVocab = numbered([
  '[UNK]',
  '[CLS]',
  '[SEP]',
  ...prefixed.flat(),
  ...prefixMerges.map(([a, b]) => joinPrefixed(a, b)),
  ...words.map((word) => word.toLowerCase()),
]);
const wordPiece = {
  type: 'WordPiece',
  unk_token: '[UNK]',
  continuing_subword_prefix: '##',
  max_input_chars_per_word: 100,
  vocab: wordPieceVocab,
};
const wordLevel = {
  type: 'WordLevel',
  unk_token: '[UNK]',
  vocab: numbered(['[UNK]', ...words, ',', '.', 'the', 'cat']),
};
/** Shows each piece as its bytes, a line end behind: nothing of normalizers and pre-tokenizers is hidden. */
const plainBytes = { ...byteBpe, end_of_word_suffix: '\n', byte_fallback: true, vocab: numbered(bytes), merges: [] };

// -- Tokenizers -------------------------------------------------------------------------------------------------------

const ofBytes = (options = {}) => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: true,
  ...options,
});
const metaspace = (options = {}) => ({
  type: 'Metaspace',
  replacement: '▁',
  prepend_scheme: 'always',
  split: true,
  ...options,
});
const sequence = (...pretokenizers) => ({ type: 'Sequence', pretokenizers });
const normalizers = (...list) => ({ type: 'Sequence', normalizers: list });
const split = (pattern, behavior, invert = false) => ({ type: 'Split', pattern, behavior, invert });
const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false };
let tokenizers = [];
const add = (name, model, rest = {}) =>
  tokenizers.push({
    name,
    json: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
      decoder: null,
      ...rest,
      model,
    },
  });
/** Added tokens behind the vocabulary. */
const tokens = (model, ...list) => {
  const size = Array.isArray(model.vocab) ? model.vocab.length : Object.keys(model.vocab).length;
  return list.map(([content, options], i) => ({ id: size + i, content, ...flags, ...options }));
};

const gpt4 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
add('byte-level BPE', byteBpe, {
  pre_tokenizer: ofBytes(),
  added_tokens: tokens(byteBpe, ['<|endoftext|>', { special: true, normalized: true }]),
});
add('byte-level BPE, prefix space', byteBpe, {
  pre_tokenizer: ofBytes({ add_prefix_space: true }),
  added_tokens: tokens(byteBpe, ['<s>', { special: true }]),
});
add(
  'byte-level BPE, ignore_merges, GPT-4 pattern',
  { ...byteBpe, ignore_merges: true },
  { pre_tokenizer: sequence(split({ Regex: gpt4 }, 'Isolated'), ofBytes({ use_regex: false })) },
);
add('byte-level BPE, NFC', byteBpe, { normalizer: { type: 'NFC' }, pre_tokenizer: ofBytes() });
add('BPE, byte fallback, Llama 2', llamaBpe, {
  normalizer: normalizers(
    { type: 'Prepend', prepend: '▁' },
    { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
  ),
  added_tokens: [
    ['<unk>', 0],
    ['<s>', 1],
    ['</s>', 2],
  ].map(([content, id]) => ({ id, content, ...flags, special: true })),
});
add('BPE, byte fallback, Gemma', llamaBpe, {
  normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
  pre_tokenizer: split({ String: ' ' }, 'MergedWithPrevious'),
});
add('BPE, unknown fused', { ...plainBpe, fuse_unk: true }, { pre_tokenizer: metaspace() });
add('BPE, unknown not fused', plainBpe, { pre_tokenizer: metaspace({ split: false }) });
add('BPE, no unknown', { ...plainBpe, unk_token: null }, { pre_tokenizer: metaspace() });
add('BPE, end_of_word_suffix', suffixBpe, { pre_tokenizer: { type: 'Whitespace' } });
add('BPE, continuing_subword_prefix', prefixBpe, { pre_tokenizer: { type: 'BertPreTokenizer' } });
add('Unigram', unigram, {
  pre_tokenizer: metaspace(),
  added_tokens: [{ id: 0, content: '<unk>', ...flags, special: true }],
});
add('Unigram, byte_fallback', unigramBytes, {
  pre_tokenizer: metaspace({ prepend_scheme: 'first' }),
  normalizer: { type: 'NFKC' },
});
add('Unigram, byte_fallback, unsplit', unigramBytes, {
  pre_tokenizer: metaspace({ split: false }),
  added_tokens: tokens(unigramBytes, ['Qqx', { rstrip: true }]),
});
add('WordPiece', wordPiece, {
  normalizer: {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  added_tokens: tokens(wordPiece, ['[MASK]', { lstrip: true, special: true }]),
});
add(
  'WordPiece, short words',
  { ...wordPiece, max_input_chars_per_word: 6 },
  { pre_tokenizer: { type: 'WhitespaceSplit' } },
);
add('WordLevel', wordLevel, { pre_tokenizer: { type: 'Whitespace' } });
add('WordLevel, whitespace split', wordLevel, { pre_tokenizer: { type: 'WhitespaceSplit' } });

const behaviors = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'];
for (const behavior of behaviors) {
  add(`Punctuation ${behavior}`, plainBytes, { pre_tokenizer: { type: 'Punctuation', behavior } });
  add(`Split ${behavior}`, plainBytes, { pre_tokenizer: split({ Regex: '\\s+|[a-e]' }, behavior) });
  add(`Split ${behavior} inverted`, plainBytes, { pre_tokenizer: split({ Regex: '\\w+' }, behavior, true) });
}
add('Digits', plainBytes, { pre_tokenizer: { type: 'Digits', individual_digits: false } });
add('Digits, individual', plainBytes, { pre_tokenizer: { type: 'Digits', individual_digits: true } });
add('Whitespace', plainBytes, { pre_tokenizer: { type: 'Whitespace' } });
add('WhitespaceSplit', plainBytes, { pre_tokenizer: { type: 'WhitespaceSplit' } });
add('BertPreTokenizer', plainBytes, { pre_tokenizer: { type: 'BertPreTokenizer' } });
add('CharDelimiterSplit', plainBytes, { pre_tokenizer: { type: 'CharDelimiterSplit', delimiter: 'a' } });
add('FixedLength', plainBytes, { pre_tokenizer: { type: 'FixedLength', length: 3 } });
add('ByteLevel', plainBytes, { pre_tokenizer: ofBytes() });
add('ByteLevel after Digits', plainBytes, {
  pre_tokenizer: sequence({ type: 'Digits', individual_digits: true }, ofBytes({ add_prefix_space: true })),
});
for (const prepend_scheme of ['always', 'first', 'never'])
  add(`Metaspace ${prepend_scheme}`, plainBytes, {
    pre_tokenizer: metaspace({ prepend_scheme }),
    added_tokens: tokens(plainBytes, ['Qqx', {}], ['the', { normalized: true }]),
  });
add('Metaspace after WhitespaceSplit', plainBytes, {
  pre_tokenizer: sequence({ type: 'WhitespaceSplit' }, metaspace({ prepend_scheme: 'first' })),
});
add('Metaspace of before', plainBytes, {
  pre_tokenizer: {
    type: 'Metaspace',
    replacement: '_',
    str_rep: '_',
    add_prefix_space: false,
    prepend_scheme: 'never',
  },
});

for (const type of ['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'Nmt', 'ByteLevel'])
  add(`normalizer ${type}`, plainBytes, { normalizer: { type } });
add('normalizer Strip', plainBytes, { normalizer: { type: 'Strip', strip_left: true, strip_right: true } });
add('normalizer Strip left', plainBytes, { normalizer: { type: 'Strip', strip_left: true, strip_right: false } });
add('normalizer Prepend', plainBytes, {
  normalizer: { type: 'Prepend', prepend: '$&' },
  added_tokens: tokens(plainBytes, ['</s>', {}]),
});
add('normalizer Replace', plainBytes, {
  normalizer: { type: 'Replace', pattern: { Regex: '\\s{2,}|[.,]' }, content: '$1 ' },
});
for (const [lowercase, strip_accents] of [
  [true, null],
  [false, null],
  [true, false],
  [false, true],
])
  add(`normalizer Bert, lowercase ${lowercase}, accents ${strip_accents}`, plainBytes, {
    normalizer: { type: 'BertNormalizer', clean_text: lowercase, handle_chinese_chars: true, strip_accents, lowercase },
  });
const all = ['<s>', 'Qqx', '[MASK]', 'ÉÀ', ' two', 'the', '<|endoftext|>', 'é'];
for (const flag of ['single_word', 'lstrip', 'rstrip', 'normalized', 'special'])
  add(`added tokens, ${flag}`, plainBytes, {
    normalizer: { type: 'Lowercase' },
    pre_tokenizer: { type: 'WhitespaceSplit' },
    added_tokens: tokens(plainBytes, ...all.map((content) => [content, { [flag]: true }])),
  });
add('added tokens, all flags', plainBytes, {
  added_tokens: tokens(
    plainBytes,
    ...all.map((content, i) => [
      content,
      { single_word: i % 2 === 0, lstrip: i % 3 === 0, rstrip: i % 3 === 1, normalized: i % 4 < 2 },
    ]),
  ),
});
add('added tokens that hold each other', plainBytes, {
  added_tokens: tokens(
    plainBytes,
    ['<s', {}],
    ['<s>', {}],
    ['s></', {}],
    ['</s>', { normalized: true }],
    ['>', { normalized: true }],
  ),
});

/** A Darts double array of SentencePiece's kind, with its replacements: base64, as precompiled_charsmap has it. */
function charsmap(rules) {
  const units = [];
  let pool = Buffer.alloc(0);
  const trie = new Map();
  for (const [from, to] of rules) {
    let node = trie;
    for (const byte of new TextEncoder().encode(from)) {
      if (!node.has(byte)) node.set(byte, new Map());
      node = node.get(byte);
    }
    node.value = pool.length;
    pool = Buffer.concat([pool, Buffer.from(`${to}\0`)]);
  }
  const used = new Set([0]);
  const place = (node, at) => {
    const labels = [...(node.value === undefined ? [] : [0]), ...node.keys()];
    let base = 1;
    while (labels.some((label) => used.has(base ^ label))) base++;
    for (const label of labels) used.add(base ^ label);
    units[at] = ((units[at] ?? 0) | ((base ^ at) << 10) | (node.value === undefined ? 0 : 0x100)) >>> 0;
    if (node.value !== undefined) units[base] = (0x80000000 | node.value) >>> 0;
    for (const [byte, child] of node) {
      units[base ^ byte] = byte;
      place(child, base ^ byte);
    }
  };
  place(trie, 0);
  const size = Math.ceil((Math.max(...used) + 256) / 256) * 256;
  const out = Buffer.alloc(4 + 4 * size);
  out.writeUInt32LE(4 * size, 0);
  for (let i = 0; i < size; i++) out.writeUInt32LE(units[i] ?? 0, 4 + 4 * i);
  return Buffer.concat([out, pool]).toString('base64');
}
const rules = [
  ['ﬁ', 'fi'],
  ['e\u0301', 'é'],
  ['é', 'E'],
  ['™', 'TM'],
  ['\u00a0', ' '],
  ['\u3000', ' '],
  ['\u200b', ''],
  ['ab', 'X'],
  ['a', 'A'],
  ['한', 'han'],
  ['\r\n', ' '],
  ['🙂', ':)'],
  ['👩', 'W'],
  ['…', '...'],
];
add('normalizer Precompiled', plainBytes, {
  normalizer: { type: 'Precompiled', precompiled_charsmap: charsmap(rules) },
});

// -- Ids --------------------------------------------------------------------------------------------------------------

for (const entry of tokenizers) {
  const tokenizer = Tokenizer.fromString(JSON.stringify(entry.json));
  entry.ids = [];
  for (const text of texts) {
    const encoding = await tokenizer.encode(text, null, { addSpecialTokens: false });
    entry.ids.push(encoding.getIds());
  }
}
const out = new URL('tokenizers.json.br', import.meta.url);
const zipped = brotliCompressSync(JSON.stringify({ library: 'tokenizers 0.23.2', texts, tokenizers }), {
  params: { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_QUALITY]: 11 },
});
writeFileSync(out, zipped);
console.log(`${texts.length} texts × ${tokenizers.length} tokenizers, ${zipped.length} bytes`);
