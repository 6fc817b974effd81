/**
 * Seeded stories whose every word has a ground-truth concept: characters with pronouns that agree, months that fit
 * the season, numbers that add up. They train the example models and score interpretation.
 */
import { Random } from '../../compute/random.js';
import { seed } from '../../verb/common.js';
import { whole, type Parsed } from '../../verb/option.js';
import { CONCEPT_OF_SLOT, CONCEPT_OF_WORD, LEXICON, type Slot } from './lexicon.js';
import { PLOTS, SCENES } from './templates.js';

export interface Story {
  text: string;
  /** Triples start, end, concept id (UTF-16 offsets into text), ascending; words without a concept are left out. */
  spans: Int32Array;
}

export const STORIES = {
  stories: whole({ doc: 'Stories generated.', min: 1, default: 1000 }),
  seed: seed('The same seed gives the same stories.'),
};

const conceptOfSlot = (slot: Slot): string => CONCEPT_OF_SLOT[slot] ?? slot;

/** Concept names by id; id 0 is "none". */
export const STORY_CONCEPTS: readonly string[] = [
  'none',
  ...[
    ...new Set([
      ...(Object.keys(LEXICON) as Slot[]).map(conceptOfSlot),
      ...Object.values(CONCEPT_OF_WORD),
      'person',
      'season',
    ]),
  ].sort(),
];
const conceptId = new Map(STORY_CONCEPTS.map((name, id) => [name, id]));

const SEASONS = ['winter', 'spring', 'summer', 'autumn'] as const;
const WEATHER_OF_SEASON = {
  winter: ['snowy', 'frosty', 'icy', 'chilly', 'stormy'],
  spring: ['rainy', 'breezy', 'warm', 'misty', 'sunny'],
  summer: ['sunny', 'humid', 'warm', 'breezy'],
  autumn: ['windy', 'foggy', 'cloudy', 'rainy', 'stormy'],
} as const;
const WEATHER_NOUN_OF_SEASON = {
  winter: ['snow', 'hail', 'frost', 'wind'],
  spring: ['rain', 'breeze', 'rainbow', 'mist'],
  summer: ['sun', 'thunder', 'lightning', 'breeze'],
  autumn: ['wind', 'fog', 'storm', 'rain'],
} as const;

/** A word of the story and its concept. */
interface Word {
  text: string;
  concept: string;
}

const PRONOUNS = {
  woman: { he: 'she', him: 'her', his: 'her' },
  man: { he: 'he', him: 'him', his: 'his' },
} as const;
type Gender = keyof typeof PRONOUNS;

const plural = (word: string): string => {
  if (/(?:s|x|ch|sh)$/.test(word)) return `${word}es`;
  if (/[^aeiou]y$/.test(word)) return `${word.slice(0, -1)}ies`;
  const irregular: Record<string, string> = {
    mouse: 'mice',
    goose: 'geese',
    sheep: 'sheep',
    deer: 'deer',
    fish: 'fish',
    wolf: 'wolves',
    calf: 'calves',
    leaf: 'leaves',
    knife: 'knives',
    shelf: 'shelves',
    scarf: 'scarves',
    tooth: 'teeth',
    foot: 'feet',
    tomato: 'tomatoes',
    potato: 'potatoes',
    butterfly: 'butterflies',
  };
  return irregular[word] ?? `${word}s`;
};

/** The cast and setting of one story; slots are remembered so that later sentences agree with earlier ones. */
class StoryWorld {
  private readonly remembered = new Map<string, Word>();
  private readonly genders: Record<'hero' | 'friend' | 'parent' | 'royal', Gender>;
  private readonly season: (typeof SEASONS)[number];
  private readonly n: number;
  private readonly m: number;

  constructor(private readonly random: Random) {
    const gender = (): Gender => (random.next() < 0.5 ? 'woman' : 'man');
    this.genders = { hero: gender(), friend: gender(), parent: gender(), royal: gender() };
    this.season = this.pick(SEASONS);
    this.n = 2 + random.int(8);
    this.m = 2 + random.int(4);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.random.int(list.length)];
  }

  /** The words that a slot such as "animal", "animal*" or "his2" stands for. */
  words(name: string): Word[] {
    const pronoun = /^(he|him|his|He|Him|His)([2PR]?)$/.exec(name);
    if (pronoun) return [this.pronoun(pronoun[1], pronoun[2])];
    if (name === 'countN') return this.counting();
    if (name.endsWith('*')) return [this.fresh(name.slice(0, -1))];
    let word = this.remembered.get(name);
    if (!word) this.remembered.set(name, (word = this.fresh(name)));
    return [word];
  }

  private pronoun(form: string, of: string): Word {
    const who = of === '2' ? 'friend' : of === 'P' ? 'parent' : of === 'R' ? 'royal' : 'hero';
    const gender = this.genders[who];
    const text = PRONOUNS[gender][form.toLowerCase() as 'he' | 'him' | 'his'];
    const capital = form[0] === 'H' ? text[0].toUpperCase() + text.slice(1) : text;
    return { text: capital, concept: gender === 'woman' ? 'female pronoun' : 'male pronoun' };
  }

  private counting(): Word[] {
    return LEXICON.number
      .slice(0, this.n)
      .map((text, i) => ({ text: i + 1 < this.n ? `${text},` : text, concept: 'number' }));
  }

  private numberWord(value: number): Word {
    return { text: LEXICON.number[value - 1], concept: 'number' };
  }

  private fresh(name: string): Word {
    const special = this.special(name);
    if (special) return special;
    if (!(name in LEXICON)) throw new Error(`story template names an unknown slot {${name}}`);
    const slot = name as Slot;
    return { text: this.pick<string>(LEXICON[slot]), concept: conceptOfSlot(slot) };
  }

  private special(name: string): Word | undefined {
    const woman = (who: keyof typeof this.genders): boolean => this.genders[who] === 'woman';
    switch (name) {
      case 'hero':
      case 'friend': {
        const list = woman(name) ? LEXICON.girl : LEXICON.boy;
        let text = this.pick<string>(list);
        while (name === 'friend' && text === this.remembered.get('hero')?.text) text = this.pick<string>(list);
        return { text, concept: woman(name) ? 'girl name' : 'boy name' };
      }
      case 'child':
        return { text: woman('hero') ? 'girl' : 'boy', concept: 'person' };
      case 'parent':
        return this.fresh(woman('parent') ? 'parentWoman' : 'parentMan');
      case 'sibling':
        return this.pick([
          { text: 'sister', concept: 'family' },
          { text: 'brother', concept: 'family' },
        ]);
      case 'royal':
        return this.fresh(woman('royal') ? 'royalWoman' : 'royalMan');
      case 'roleP':
        return this.fresh(woman('parent') ? 'roleWoman' : 'roleMan');
      case 'trait2':
        return this.fresh('trait');
      case 'objects':
      case 'foods':
      case 'animals': {
        const [one] = this.words(name.slice(0, -1));
        return { text: plural(one.text), concept: one.concept };
      }
      default:
        return this.calendar(name) ?? this.arithmetic(name);
    }
  }

  private calendar(name: string): Word | undefined {
    if (name === 'season') return { text: this.season, concept: 'season' };
    if (name === 'month') return this.fresh(`${this.season}Month`);
    if (name === 'weather') return { text: this.pick<string>(WEATHER_OF_SEASON[this.season]), concept: 'weather' };
    if (name === 'weatherNoun')
      return { text: this.pick<string>(WEATHER_NOUN_OF_SEASON[this.season]), concept: 'weather' };
    if (name === 'weekdayNext') {
      const [today] = this.words('weekday');
      const days: readonly string[] = LEXICON.weekday;
      return { text: days[(days.indexOf(today.text) + 1) % 7], concept: 'weekday' };
    }
    return undefined;
  }

  private arithmetic(name: string): Word | undefined {
    const values: Record<string, number> = {
      n: this.n,
      m: this.m,
      'n-1': this.n - 1,
      'n+1': this.n + 1,
      'n+m': this.n + this.m,
    };
    return name in values ? this.numberWord(values[name]) : undefined;
  }
}

/** Fixed template text as words and the separators between them; slot words keep their slot's concept. */
function renderSentence(template: string, world: StoryWorld): Word[] {
  const out: Word[] = [];
  for (const part of template.split(/(\{[^}]+\})/)) {
    if (part.startsWith('{')) {
      world.words(part.slice(1, -1)).forEach((word, i) => {
        if (i > 0) out.push({ text: ' ', concept: 'none' });
        out.push(word);
      });
    } else if (part) {
      for (const text of part.match(/[A-Za-z']+|[^A-Za-z']+/g) ?? [])
        out.push({ text, concept: CONCEPT_OF_WORD[text.toLowerCase()] ?? 'none' });
    }
  }
  capitaliseFirst(out);
  fixArticles(out);
  return out;
}

function capitaliseFirst(sentence: Word[]): void {
  const first = sentence.find((word) => /[A-Za-z]/.test(word.text));
  if (first) first.text = first.text.replace(/[A-Za-z]/, (c) => c.toUpperCase());
}

function fixArticles(sentence: Word[]): void {
  for (let i = 0; i + 2 < sentence.length; i++) {
    if (/^a$/i.test(sentence[i].text) && sentence[i + 1].text === ' ' && /^[aeio]/i.test(sentence[i + 2].text))
      sentence[i] = { text: `${sentence[i].text}n`, concept: 'none' };
  }
}

/** Punctuation inside a separator such as `," ` gets its own span. */
function pushSpans(spans: number[], word: Word, at: number): void {
  if (word.concept !== 'none') {
    const trailing = /,$/.test(word.text) && word.concept === 'number' ? 1 : 0;
    spans.push(at, at + word.text.length - trailing, conceptId.get(word.concept)!);
    if (trailing) spans.push(at + word.text.length - 1, at + word.text.length, conceptId.get('punctuation')!);
    return;
  }
  for (const match of word.text.matchAll(/[.,!?":;]+/g))
    spans.push(at + match.index, at + match.index + match[0].length, conceptId.get('punctuation')!);
}

function generateStory(random: Random): Story {
  const world = new StoryWorld(random);
  const used = new Set<string>();
  const spans: number[] = [];
  let text = '';
  for (const scene of world.pick(PLOTS)) {
    const choices = SCENES[scene].filter((template) => !used.has(template));
    const template = world.pick(choices.length > 0 ? choices : SCENES[scene]);
    used.add(template);
    // Words are copied so that capitalising a sentence never changes a remembered word.
    if (text) text += ' ';
    for (const word of renderSentence(template, world).map((w) => ({ ...w }))) {
      pushSpans(spans, word, text.length);
      text += word.text;
    }
  }
  return { text, spans: Int32Array.from(spans) };
}

/** Generates stories; story i depends on seed and i alone, so more stories extend fewer. */
export function generateStories({ stories, seed }: Parsed<typeof STORIES>): Story[] {
  const root = new Random(seed);
  return Array.from({ length: stories }, (_, i) => generateStory(root.fork(`story ${i}`)));
}
