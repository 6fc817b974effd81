/**
 * The words of the story world, by slot. A slot name is also the name of the ground-truth concept of its words,
 * unless CONCEPT_OF_SLOT says otherwise.
 */
const words = (text: string): readonly string[] => text.trim().split(/\s+/);

export const LEXICON = {
  girl: words(`Lily Mia Anna Emma Sara Ella Lucy Nora Zoe Ruby Alice Clara Daisy Hazel Ivy Jane Kate Leah Maya Nina Olive Penny
    Rosa Sofia Tara Uma Vera Wendy Amy Bella Cora Dora Eva Fiona Grace Hanna Iris Julia Kira Lola Molly Nelly Opal Poppy Rita
    Stella Tilda Violet Willa Yara`),
  boy: words(`Tom Ben Max Sam Tim Jack Leo Finn Noah Oscar Adam Bob Carl Dan Ed Fred Gus Hugo Ian Jake Kai Liam Mark Ned Otto Paul
    Quinn Rob Sid Theo Ugo Vic Will Zack Alex Bruno Cody Dean Eric Felix Glen Harry Ivan Joel Kurt Lars Milo Nick Owen Pete`),
  petName:
    words(`Spot Fluffy Whiskers Patch Rex Biscuit Pepper Shadow Ginger Buddy Pip Socks Pickles Bubbles Peanut Snowy
    Muffin Tiger Cookie Dusty`),
  royalWoman: words('queen princess'),
  royalMan: words('king prince knight duke'),
  creature: words(
    'dragon giant troll witch wizard fairy monster ghost unicorn mermaid goblin elf phoenix griffin ogre',
  ),
  parentWoman: words('mother mom grandmother grandma aunt'),
  parentMan: words('father dad grandfather grandpa uncle'),
  childWoman: words('daughter sister niece'),
  childMan: words('son brother nephew'),
  roleWoman: words('teacher nurse baker doctor singer painter'),
  roleMan: words('farmer sailor fisherman soldier carpenter gardener'),
  animal:
    words(`dog cat rabbit fox bear wolf mouse frog duck goose hen cow pig sheep goat horse pony deer owl robin sparrow crow
    turtle snail squirrel hedgehog badger mole bat otter beaver lion tiger elephant monkey zebra giraffe camel kangaroo koala
    panda penguin seal whale dolphin shark crab fish butterfly bee ant spider beetle ladybug dragonfly worm snake lizard parrot
    peacock swan donkey kitten puppy chick lamb calf raccoon`),
  place:
    words(`forest garden park river lake beach mountain hill valley field meadow farm barn village town city market shop
    school library museum zoo castle palace tower cave island harbor bridge street square church kitchen bedroom attic cellar
    yard porch playground pond stream desert jungle swamp orchard vineyard mill bakery station airport hospital theater circus
    ship boat cottage cabin hut tent well road path gate fountain stable lighthouse`),
  object:
    words(`ball doll kite book box key map lamp candle basket bucket shovel hammer rope ladder mirror clock watch ring
    necklace crown sword shield bow arrow cape hat coat scarf glove boot shoe sock dress shirt button needle thread blanket pillow
    bed chair table desk drawer shelf door window cup plate bowl spoon fork knife pot pan kettle bottle jar bag purse coin letter
    card pencil pen crayon brush paint paper puzzle game toy train truck car bike wagon sled boat drum flute guitar piano violin
    trumpet bell whistle camera telescope lantern torch umbrella balloon ribbon feather shell stone rock stick leaf seed flower
    rose tulip daisy statue treasure chest jewel pearl diamond robot rocket puppet marble scooter swing slide tractor wheel`),
  food: words(`apple pear plum peach cherry grape lemon orange banana melon strawberry blueberry raspberry carrot potato tomato
    onion pepper cabbage pumpkin corn bean pea bread cake pie cookie muffin pancake waffle sandwich soup stew salad pizza pasta
    rice cheese butter egg honey jam jelly sugar candy chocolate nut popcorn pretzel pudding yogurt cereal biscuit sausage`),
  drink: words('water milk juice tea cocoa lemonade cider'),
  color:
    words(`red blue green yellow orange purple pink brown black white gray silver golden turquoise violet crimson scarlet
    teal beige indigo`),
  size: words('big small tiny huge little large giant long short tall wide narrow thick thin enormous'),
  quality:
    words(`shiny old new soft hard warm cold clean dirty pretty beautiful ugly strange funny magic secret broken heavy light
    bright dark round square smooth rough sharp sweet sour fresh wet dry loud quiet fast slow strong weak rare special simple
    fancy plain wooden wild gentle fuzzy sticky dusty rusty noisy empty full perfect lovely precious`),
  trait:
    words(`kind brave clever curious gentle honest shy funny smart polite patient careful cheerful generous friendly helpful
    loyal silly lazy stubborn selfish greedy careless rude bossy wise quiet playful fearless humble`),
  joy: words(
    'happy glad excited proud joyful cheerful delighted thankful grateful pleased calm hopeful thrilled relieved',
  ),
  sorrow: words(
    'sad angry scared afraid lonely worried upset jealous ashamed bored tired nervous sorry hurt gloomy frightened',
  ),
  joyNoun: words('joy love hope pride peace delight'),
  sorrowNoun: words('fear anger grief shame sorrow envy'),
  weather: words(`sunny rainy windy cloudy snowy foggy stormy frosty misty humid chilly breezy icy warm`),
  weatherNoun: words('rain snow wind storm fog sun thunder lightning hail frost mist cloud breeze rainbow'),
  winterMonth: words('December January February'),
  springMonth: words('March April May'),
  summerMonth: words('June July August'),
  autumnMonth: words('September October November'),
  weekday: words('Monday Tuesday Wednesday Thursday Friday Saturday Sunday'),
  daytime: words('morning afternoon evening night day noon midnight dawn dusk'),
  timeUnit: words('minutes hours days weeks months years seconds'),
  timeWord: words('today tomorrow yesterday soon later early late always never often sometimes again suddenly finally'),
  number:
    words(`one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen twenty`),
  ordinal: words('first second third fourth fifth last'),
  moved:
    words(`walked ran hurried raced marched wandered skipped hopped crawled climbed rushed traveled sailed rode flew swam
    jumped danced tiptoed strolled`),
  played: words('played laughed sang danced jumped giggled smiled cheered clapped whistled'),
  said: words('said asked cried shouted whispered answered replied called yelled begged'),
  found: words('found saw noticed spotted discovered picked grabbed carried dropped hid lost kept held hugged'),
  made: words(
    'made built drew painted fixed baked cooked cleaned washed opened closed broke cut carved planted watered',
  ),
  gave: words('gave showed brought handed offered'),
  act: words(`play sing dance run jump climb swim read draw paint build cook bake sleep rest help share learn explore travel ride
    fly hide dig fish sail skate ski juggle write count whisper shout laugh smile`),
  body: words('hand foot head eye ear nose mouth arm leg hair face finger knee back tail wing paw heart tummy tooth'),
  plant: words(
    'tree bush grass flower oak pine willow maple fern moss ivy cactus bamboo clover sunflower mushroom vine',
  ),
  sky: words('sun moon star sky planet comet'),
  country: words('France Spain Italy Egypt India China Japan Brazil Mexico Canada Kenya Peru Norway Greece Turkey'),
  subject: words('math science history music art reading writing spelling geography'),
  sport: words('soccer tennis baseball hockey chess checkers tag hopscotch golf basketball'),
  instrumentSound: words(
    'softly loudly quickly slowly gently happily sadly quietly carefully bravely proudly kindly eagerly',
  ),
} as const;

export type Slot = keyof typeof LEXICON;

/** Concepts that join several slots under one ground-truth name. */
export const CONCEPT_OF_SLOT: Partial<Record<Slot, string>> = {
  girl: 'girl name',
  boy: 'boy name',
  petName: 'pet name',
  royalWoman: 'royalty',
  royalMan: 'royalty',
  parentWoman: 'family',
  parentMan: 'family',
  childWoman: 'family',
  childMan: 'family',
  roleWoman: 'profession',
  roleMan: 'profession',
  joy: 'emotion',
  sorrow: 'emotion',
  joyNoun: 'emotion',
  sorrowNoun: 'emotion',
  weatherNoun: 'weather',
  winterMonth: 'month',
  springMonth: 'month',
  summerMonth: 'month',
  autumnMonth: 'month',
  daytime: 'time',
  timeUnit: 'time',
  timeWord: 'time',
  ordinal: 'number',
  size: 'quality',
  moved: 'movement',
  played: 'play',
  said: 'speech',
  found: 'action',
  made: 'action',
  gave: 'action',
  act: 'action',
  instrumentSound: 'manner',
};

/** Words of the templates themselves that carry a concept. */
export const CONCEPT_OF_WORD: Readonly<Record<string, string>> = Object.fromEntries(
  (
    [
      ['female pronoun', 'she her hers herself'],
      ['male pronoun', 'he him his himself'],
      ['neutral pronoun', 'it its itself'],
      ['plural pronoun', 'they them their we us our'],
      ['opening', 'once upon'],
      [
        'time',
        'time day days night morning evening year years week weeks month hour hours summer winter spring autumn moment',
      ],
      ['time', "while then now after before when until o'clock"],
      ['royalty', 'king queen princess prince knight crown kingdom royal throne castle'],
      ['creature', 'dragon wizard witch fairy'],
      ['family', 'family mother father daughter son brother sister parents children'],
      ['weather', 'rain snow wind storm clouds sunshine weather'],
      ['emotion', 'smile tears laughed cried love loved hate'],
      ['speech', 'said asked told'],
      ['negation', "not no never nothing nobody don't didn't can't couldn't won't wasn't"],
      ['punctuation', '. , ! ? " : ;'],
    ] as const
  ).flatMap(([concept, list]) => list.split(' ').map((word) => [word, concept])),
);
