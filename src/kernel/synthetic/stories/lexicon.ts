/**
 * The words of the story world, by slot. A slot name is also the name of the ground-truth concept of its words,
 * unless CONCEPT_OF_SLOT says otherwise.
 */
const words = (text: string): readonly string[] => text.trim().split(/\s+/);

export const LEXICON = {
  girl: words(`Lily Mia Anna Emma Sara Ella Lucy Nora Zoe Ruby Alice Clara Daisy Hazel Ivy Jane Kate Leah Maya Nina Olive Penny
    Rosa Sofia Tara Uma Vera Wendy Amy Bella Cora Dora Eva Fiona Grace Hanna Iris Julia Kira Lola Molly Nelly Opal
    Poppy Rita Stella Tilda Violet Willa Yara Abby Ada Agnes April Aria Astrid Beth Bonnie Carla Carol Celia Chloe
    Claire Daphne Diana Elena Elise Elsie Esther Faye Flora Freya Gemma Gina Greta Gwen Heidi Helen Holly Ida Ingrid
    Irene Isla Jenny Jill Joan Josie Joy Judy Karen Laura Lena Linda Lisa Liv Lydia Mabel Maria Martha Mary Matilda
    Meg Nadia Nancy Nell Odette Paula Pearl Phoebe Rachel Rhea Robin Rose Ruth Sally Sandra Selma Sonia Susan Thea
    Tina Una Ursula Viola Wilma Zara Zelda`),
  boy: words(`Tom Ben Max Sam Tim Jack Leo Finn Noah Oscar Adam Bob Carl Dan Ed Fred Gus Hugo Ian Jake Kai Liam Mark Ned Otto
    Paul Quinn Rob Sid Theo Ugo Vic Will Zack Alex Bruno Cody Dean Eric Felix Glen Harry Ivan Joel Kurt Lars Milo
    Nick Owen Pete Aaron Abel Albert Alfie Andre Andy Anton Arlo Arthur Basil Bill Boris Brad Brian Caleb Chad
    Charlie Chris Colin Craig Curtis Dale Damon Danny Darren David Derek Diego Duncan Edgar Elias Elliot Emil Ethan
    Evan Ezra Frank Gabe Gary George Gordon Greg Guy Hal Hank Hector Henry Howard Isaac Jacob James Jason Jay Jeff
    Jerry Jim Jonas Jordan Josh Juan Keith Ken Kevin Kyle Lance Larry Leon Leroy Lewis Lloyd Louis Luke Manny Martin
    Mason Mick Mike Neil Nigel Noel Norman Oliver Omar Oswald Patrick Peter Phil Ralph Ray Rick Roger Ron Ross Roy
    Ryan Saul Scott Sean Seth Simon Stan Steve Ted Toby Tony Travis Tyler Victor Vince Walter Wayne`),
  petName:
    words(`Spot Fluffy Whiskers Patch Rex Biscuit Pepper Shadow Ginger Buddy Pip Socks Pickles Bubbles Peanut Snowy
    Muffin Tiger Cookie Dusty`),
  royalWoman: words('queen princess'),
  royalMan: words('king prince knight duke'),
  creature:
    words(`dragon giant troll witch wizard fairy monster ghost unicorn mermaid goblin elf phoenix griffin ogre banshee
    basilisk centaur cyclops demon dwarf genie gnome imp kraken leprechaun nymph pixie serpent sorcerer sphinx sprite
    vampire werewolf yeti`),
  parentWoman: words('mother mom grandmother grandma aunt'),
  parentMan: words('father dad grandfather grandpa uncle'),
  childWoman: words('daughter sister niece'),
  childMan: words('son brother nephew'),
  roleWoman:
    words(`teacher nurse baker doctor singer painter actress waitress dancer dentist florist hairdresser librarian lifeguard
    seamstress scientist shopkeeper vet weaver writer`),
  roleMan:
    words(`farmer sailor fisherman soldier carpenter gardener barber blacksmith butcher captain clown cobbler cook coachman
    detective fireman guard hunter janitor judge lumberjack mailman mayor mechanic merchant miller miner musician
    pilot pirate plumber policeman potter shepherd tailor waiter watchman woodcutter`),
  animal:
    words(`dog cat rabbit fox bear wolf mouse frog duck goose hen cow pig sheep goat horse pony deer owl robin sparrow crow
    turtle snail squirrel hedgehog badger mole bat otter beaver lion tiger elephant monkey zebra giraffe camel
    kangaroo koala panda penguin seal whale dolphin shark crab fish butterfly bee ant spider beetle ladybug dragonfly
    worm snake lizard parrot peacock swan donkey kitten puppy chick lamb calf raccoon antelope ape armadillo baboon
    boar buffalo bull canary caterpillar cheetah chicken chipmunk clam cobra cricket cuckoo dove eagle eel falcon
    ferret finch firefly flamingo flea fly gazelle gecko gnat gorilla grasshopper gull hamster hare hawk heron hippo
    hyena iguana jaguar jay jellyfish ladybird leopard lemur llama lobster lynx magpie mammoth moose mosquito moth
    mule newt octopus oyster ox panther pelican pigeon puma quail rat raven rhino rooster salmon salamander scorpion
    seagull shrimp skunk sloth slug sparrowhawk squid starfish stork swallow tadpole toad trout tuna turkey vulture
    walrus wasp weasel woodpecker wren yak`),
  place:
    words(`forest garden park river lake beach mountain hill valley field meadow farm barn village town city market shop
    school library museum zoo castle palace tower cave island harbor bridge street square church kitchen bedroom
    attic cellar yard porch playground pond stream desert jungle swamp orchard vineyard mill bakery station airport
    hospital theater circus ship boat cottage cabin hut tent well road path gate fountain stable lighthouse airfield
    alley aquarium arena bank basement bay bazaar bog campsite canal canyon cathedral cemetery chapel cinema clearing
    cliff coast courtyard crossroads dam den dock dungeon estate factory farmhouse fence ferry forge fort gallery
    garage glade glacier greenhouse grove gym hallway haven highway hotel inn kennel lagoon laundry lodge mansion
    marsh maze mine monastery motel nest nursery oasis office pasture pavilion pier plain plaza prairie pyramid
    quarry ranch reef ridge ruins shed shore shrine stadium stage stall stairs studio temple terrace theatre toolshed
    treehouse tunnel volcano warehouse waterfall windmill workshop zigzag`),
  object:
    words(`ball doll kite book box key map lamp candle basket bucket shovel hammer rope ladder mirror clock watch ring
    necklace crown sword shield bow arrow cape hat coat scarf glove boot shoe sock dress shirt button needle thread
    blanket pillow bed chair table desk drawer shelf door window cup plate bowl spoon fork knife pot pan kettle
    bottle jar bag purse coin letter card pencil pen crayon brush paint paper puzzle game toy train truck car bike
    wagon sled boat drum flute guitar piano violin trumpet bell whistle camera telescope lantern torch umbrella
    balloon ribbon feather shell stone rock stick leaf seed flower rose tulip daisy statue treasure chest jewel pearl
    diamond robot rocket puppet marble scooter swing slide tractor wheel accordion album anchor apron armchair axe
    backpack badge bandage banner barrel bathtub bead beanbag bench bib binoculars bookmark bottlecap bracelet brick
    broom bubble buckle bulb cage calendar canoe canvas carpet carriage cart cello chain chalk chimney clarinet cloak
    clay coil collar comb compass costume couch cradle crate crutch curtain cushion dart dice diary dictionary dish
    dollhouse domino earring easel envelope eraser fan fiddle fishhook flag flashlight flask frame globe glue goblet
    gong hairbrush hammock handbag handkerchief harness harp headband helmet hook horn horseshoe hose jacket jug
    kayak keychain lace lasso lens locket lock lollipop magnet mailbox mask mat medal megaphone microphone mitten mop
    motor mug nail napkin net notebook oar oven paddle padlock pail painting parachute parasol parcel pedal pendant
    pillowcase pin pipe pitcher plank poster postcard prism propeller quilt racket radio raft rake rattle recorder
    rein rug ruler saddle sail sandal satchel saucer saw scale scissors screen screw scroll seesaw skate skateboard
    sketch sleigh snowboard snowglobe sofa spade sponge spring stamp stool stopwatch stove straw string suitcase
    sweater tambourine tape teapot thimble thermos ticket tile toolbox toothbrush towel tray tricycle trophy tub
    typewriter vase vest wallet wand wardrobe wreath wrench yarn yoyo zipper`),
  food: words(`apple pear plum peach cherry grape lemon orange banana melon strawberry blueberry raspberry carrot potato tomato
    onion pepper cabbage pumpkin corn bean pea bread cake pie cookie muffin pancake waffle sandwich soup stew salad
    pizza pasta rice cheese butter egg honey jam jelly sugar candy chocolate nut popcorn pretzel pudding yogurt
    cereal biscuit sausage almond apricot artichoke asparagus avocado bacon bagel barley beet berry broccoli brownie
    bun burger burrito caramel cashew cauliflower celery chestnut chili coconut cracker cranberry cream cucumber
    cupcake currant curry custard date doughnut dumpling eggplant fig fudge garlic gingerbread granola gravy ham
    hazelnut herring kiwi lentil lettuce lime lobster macaroni mango marshmallow meatball mint mustard noodle oatmeal
    olive omelet papaya parsley peanut pickle pineapple pomegranate porridge radish raisin ravioli relish roll salmon
    sardine scone shortcake spinach squash steak syrup taco toast toffee turnip vanilla walnut watermelon yam
    zucchini`),
  drink: words('water milk juice tea cocoa lemonade cider'),
  color:
    words(`red blue green yellow orange purple pink brown black white gray silver golden turquoise violet crimson scarlet
    teal beige indigo amber apricot aqua blond bronze charcoal cobalt copper coral cream emerald gold ivory jade
    khaki lavender lilac magenta maroon mauve mint mustard navy olive peach plum rosy ruby rust salmon sapphire tan`),
  size: words('big small tiny huge little large giant long short tall wide narrow thick thin enormous'),
  quality:
    words(`shiny old new soft hard warm cold clean dirty pretty beautiful ugly strange funny magic secret broken heavy light
    bright dark round square smooth rough sharp sweet sour fresh wet dry loud quiet fast slow strong weak rare
    special simple fancy plain wooden wild gentle fuzzy sticky dusty rusty noisy empty full perfect lovely precious
    ancient bitter blank blunt cheap clear cracked creamy crispy crooked curly damp deep delicate dull elegant faded
    famous fine flat fluffy foggy fragile frozen furry giant glassy glittering glowing golden grand greasy hairy
    hollow hot jagged juicy knotted leafy lively lost lucky massive messy modern muddy mysterious neat odd pale
    patched pointed polished rocky rotten royal ruined salty sandy scary shabby shallow silent silky silver sleek
    slim slimy slippery smelly smoky solid sparkling spicy spiky spotted steep stiff striped sturdy tangled tasty
    tattered thorny tidy tight torn tough transparent twisted unusual useful useless velvet wavy waxy wicked woolen
    worn wrinkled`),
  trait:
    words(`kind brave clever curious gentle honest shy funny smart polite patient careful cheerful generous friendly helpful
    loyal silly lazy stubborn selfish greedy careless rude bossy wise quiet playful fearless humble adventurous
    amazing ambitious boastful bold calm caring charming clumsy confident creative cruel daring dependable determined
    dreamy eager energetic fair faithful foolish forgetful forgiving frank fussy gifted gracious grumpy hardworking
    humorous impatient innocent jolly lively lucky mean merry mischievous modest naughty noble obedient peaceful
    popular proud reliable responsible restless sensible sensitive serious sincere sly sneaky strict talented tender
    thoughtful timid trusting truthful vain warmhearted witty`),
  joy: words(`happy glad excited proud joyful cheerful delighted thankful grateful pleased calm hopeful thrilled relieved
    amazed amused blissful carefree charmed comforted content eager elated enchanted encouraged fulfilled fascinated
    lighthearted merry overjoyed peaceful refreshed satisfied touched`),
  sorrow:
    words(`sad angry scared afraid lonely worried upset jealous ashamed bored tired nervous sorry hurt gloomy frightened
    alarmed annoyed anxious bitter cross confused desperate disappointed discouraged doubtful embarrassed exhausted
    frustrated furious grumpy guilty heartbroken helpless homesick hopeless horrified impatient insulted miserable
    moody offended panicked puzzled shocked startled tearful tense terrified troubled uneasy unhappy weary`),
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
    jumped danced tiptoed strolled bounced charged chased crept darted dashed dived drifted drove floated galloped
    glided headed hiked hobbled hovered jogged journeyed leaped limped moved paddled paraded pedaled plodded rolled
    rowed scampered scrambled shuffled skated skidded sledded slid slipped snuck sped splashed sprinted stepped
    stomped strode stumbled swung tramped trotted trudged tumbled waded zoomed`),
  played: words('played laughed sang danced jumped giggled smiled cheered clapped whistled'),
  said: words(`said asked cried shouted whispered answered replied called yelled begged admitted agreed announced argued boasted
    chuckled claimed complained confessed declared demanded exclaimed explained gasped groaned grumbled hissed howled
    insisted joked mumbled murmured muttered objected pleaded promised purred remarked repeated roared screamed
    shrieked sighed snapped snarled sobbed squeaked stammered stated suggested teased thought wailed warned whined
    wondered`),
  found: words('found saw noticed spotted discovered picked grabbed carried dropped hid lost kept held hugged'),
  made: words(
    'made built drew painted fixed baked cooked cleaned washed opened closed broke cut carved planted watered',
  ),
  gave: words('gave showed brought handed offered'),
  act: words(`play sing dance run jump climb swim read draw paint build cook bake sleep rest help share learn explore travel
    ride fly hide dig fish sail skate ski juggle write count whisper shout laugh smile argue bounce camp carve cheer
    chat clap clean collect compete craft crawl cuddle cycle daydream decorate design dive doodle dream drum exercise
    garden gather giggle guess hike hop hum hunt imagine invent jog kick knit march mend mix nap paddle parade plant
    polish pray practice pretend race rhyme row rush sculpt sew shop sketch skip sled slide snack sneak snowboard
    splash spin sprint stretch study surf swing think throw tickle trade train trot twirl wander wash watch wave
    weave whistle wonder work wrestle yodel`),
  body: words('hand foot head eye ear nose mouth arm leg hair face finger knee back tail wing paw heart tummy tooth'),
  plant:
    words(`tree bush grass flower oak pine willow maple fern moss ivy cactus bamboo clover sunflower mushroom vine acorn
    alder aloe ash beech birch bramble cedar chestnut cypress dandelion elm eucalyptus hazel heather hedge hemlock
    herb holly hyacinth iris jasmine juniper lavender lilac lily marigold nettle orchid palm pansy peony poplar poppy
    primrose reed sapling sage sequoia shrub snowdrop spruce thistle thyme violet weed wisteria yew`),
  sky: words('sun moon star sky planet comet'),
  country:
    words(`France Spain Italy Egypt India China Japan Brazil Mexico Canada Kenya Peru Norway Greece Turkey Austria Belgium
    Chile Denmark Ecuador Finland Germany Hungary Iceland Ireland Israel Jordan Korea Laos Malta Morocco Nepal
    Nigeria Pakistan Panama Poland Portugal Qatar Russia Scotland Sweden Thailand Tunisia Uganda Vietnam Wales Zambia`),
  subject:
    words(`math science history music art reading writing spelling geography algebra astronomy biology chemistry cooking
    dance drama economics engineering French gardening geology geometry German grammar Latin law literature medicine
    mechanics physics poetry pottery sewing singing Spanish swimming woodwork`),
  sport:
    words(`soccer tennis baseball hockey chess checkers tag hopscotch golf basketball archery badminton bowling boxing
    cricket croquet cycling darts diving fencing football gymnastics handball judo karate lacrosse marbles polo rugby
    sledding snooker softball squash surfing volleyball wrestling`),
  instrumentSound:
    words(`softly loudly quickly slowly gently happily sadly quietly carefully bravely proudly kindly eagerly anxiously
    awkwardly bitterly boldly brightly calmly cautiously cheerfully clearly clumsily coldly crossly curiously firmly
    foolishly frantically freely gladly gracefully greedily hastily honestly hopefully hungrily innocently joyfully
    lazily lightly merrily mysteriously neatly nervously patiently playfully politely roughly secretly selfishly
    shyly silently sleepily smoothly sternly sweetly swiftly tenderly thankfully tightly warmly weakly wildly wisely`),
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
