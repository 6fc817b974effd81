/**
 * Sentence templates by scene. `{slot}` takes one word per story (the same every time it is named), `{slot*}` a fresh
 * one. {hero} {friend} are characters; {he} {him} {his} agree with the hero, {he2} {him2} {his2} with the friend,
 * {parent} {royal} with their own pronouns {heP} {hisP} / {heR} {hisR}. {month} and {weather} fit {season}. {n} is a
 * number, {n-1} {n+1} {n+m} {m} numbers that agree with it. "a" becomes "an" before a vowel.
 */
const lines = (text: string): readonly string[] =>
  text
    .trim()
    .split('\n')
    .map((line) => line.trim());

export const SCENES: Readonly<Record<string, readonly string[]>> = {
  opening: lines(`Once upon a time, there was a {trait} {child} named {hero}.
    Once upon a time, in a {size} {place}, there lived a {child} named {hero}.
    One day, a {size*} {child} named {hero} went to the {place}.
    One {daytime}, {hero} and {his} friend {friend} were at the {place}.
    Long ago, a {trait} {child} called {hero} lived near the {place}.
    There once was a {child} whose name was {hero}.
    It was a {weather} {daytime} in {month} and {hero} was at home.
    {hero} was a {trait} {child} who loved to {act}.
    {hero} was {n} years old and lived with {his} {parent}.
    On {weekday}, {hero} woke up early in the {daytime}.
    In a {quality} house by the {place} lived {hero} and {his} {parent}.
    Every {daytime}, {hero} liked to {act} in the {place}.
    Many years ago, {hero} lived in {country} with {his} {parent}.
    {hero} and {friend} were best friends and loved to {act} together.`),
  openingRoyal: lines(`Once upon a time, there was a {trait} {royal} who lived in a {size} castle.
    Once upon a time, a {royal} ruled a {quality} kingdom near the {place}.
    Long ago, in a kingdom far away, a {trait} {royal} lived with {hisR} people.
    In a castle on the {place} lived a {royal} with a {color} crown.
    Once there was a {royal} who had everything but was very {sorrow}.
    The {royal} of {country} was {trait} and loved by all {hisR} people.
    Many years ago, the {royal} sat on {hisR} {quality} throne and looked at the {sky}.`),
  royalTrouble: lines(`One {daytime}, a {color} {creature} came to the castle and took the crown.
    But a {trait2} {creature} lived in the {place} and everyone was {sorrow}.
    The {royal} was {sorrow} because the {creature} had stolen {hisR} {object}.
    A {size*} {creature} flew over the kingdom and the people were {sorrow}.
    "Who will save the kingdom from the {creature}?" asked the {royal}.
    The {creature} roared so loudly that the castle shook.
    The {royal} called {hero} and said, "Please find the {creature} in the {place}."
    The {royal} lost {hisR} {object} in the {place} and could not sleep for {n} days.
    The {royal} wanted a {color} {object} but nobody in the kingdom had one.`),
  royalDeed: lines(`{hero} took a {quality*} sword and {moved} to the {place}.
    The {royal} rode {hisR} horse for {n} days until {heR} found the {creature}.
    The brave knight was not afraid of the {creature}.
    {hero} spoke {instrumentSound} to the {creature} and gave it some {food}.
    The {creature} was only {sorrow} and wanted a friend.
    {hero} found the crown in a cave under the {place}.
    "Please do not hurt me," said the {creature}, and its eyes were full of tears.
    The princess and the knight fought the dragon with a {quality*} shield.
    The queen told the king that the {creature} was kind.
    The king and the queen thanked {hero} for {his} help.
    The prince gave the princess a {color*} {object*} and she smiled.
    The {creature} gave the {object} back to the {royal}.`),
  royalEnd: lines(`The {royal} was so {joy} that {heR} gave {hero} a {quality*} {object*}.
    The {royal} and the {creature} became friends, and the kingdom was {joy} again.
    The {royal} made {hero} a knight of the kingdom.
    All the people of the kingdom danced and sang for {n} days.
    And the {royal} lived happily ever after in {hisR} castle.
    The princess, the knight and the dragon ate {food*} together.
    The king hugged his daughter and the queen hugged her son.`),
  weather: lines(`It was a {weather} {daytime} in {month}.
    The weather was {weather} and the {weatherNoun} was everywhere.
    Outside, the {weatherNoun} made a {quality*} sound on the window.
    In {season}, the {place} was always {weather}.
    The sky was {color*} and the {weatherNoun} came {timeWord*}.
    It was {month}, and the {season} days were {weather}.
    When the {weatherNoun} stopped, the sun came out.
    {hero} looked at the sky and saw a {size*} {color*} cloud.
    The {weather} wind blew {his} hat into the {place}.
    After the storm, there was a rainbow over the {place}.
    {season} had come, and the {plant} near the house was {color*}.`),
  want: lines(`{hero} wanted to {act} with {friend}.
    {hero} wanted a {color} {object} more than anything.
    {He} asked {his} {parent}, "Can I have a {color} {object}?"
    "I want to {act} today," said {hero}.
    {hero} had a dream about a {quality} {object}.
    {hero} wished {he} could {act} like {friend}.
    {He} wanted to see the {animal} in the {place}.
    {He} wanted to give {friend} a {object} for {his2} birthday.
    {hero} needed a {object} to {act}.
    {hero} looked for {his} {color} {object} but could not find it.`),
  go: lines(`{hero} {moved} to the {place} with {his} {object*}.
    So {he} {moved*} to the {place} and looked around.
    {hero} and {friend} {moved} through the {place}.
    They {moved*} past the {place*} and over the {place*}.
    {He} {moved*} for {n} {timeUnit} until {he} saw the {place}.
    On the way to the {place}, {hero} met a {animal}.
    {hero} put on {his} {color*} {object*} and went outside.
    {hero} followed the {animal} into the {place}.
    The road to the {place} was {size*} and {quality*}.
    {hero} took the train from {country} to {country*}.
    They went to the {place*} {ordinal} and then to the {place}.
    {He} opened the door {instrumentSound*} and went in.`),
  meet: lines(`There {he} saw a {size*} {color*} {animal} under a {plant}.
    A {trait2} {animal} named {petName} sat by the {place}.
    {hero} met a {trait*} {roleWoman} who sold {food*} and {food*}.
    {hero} met an old {roleMan} with a {quality*} {object*}.
    "Hello, little {animal}," said {hero}. "What is your name?"
    "My name is {petName}," said the {animal}. "I live in the {place}."
    {friend} waved {his2} hand and smiled at {hero}.
    The {animal} had a {color*} {body} and a {size*} {body*}.
    A {animal} and a {animal*} were fighting over the {food}.
    The {roleWoman} gave {hero} a {food} and told {him} a story.
    The {animal} looked at {hero} and {his} {object} with {size*} eyes.`),
  problem: lines(`Suddenly, {hero} fell and hurt {his} {body*}.
    But the {object} was broken and {hero} was {sorrow}.
    The {animal} took the {food} and ran away.
    {friend} was {sorrow} because {he2} lost {his2} {object}.
    {hero} dropped the {object} into the {place}.
    Oh no! The {object} was gone.
    {hero} was lost in the {place} and it was getting dark.
    {hero} heard a loud noise and felt {sorrow*}.
    The {weatherNoun} came and everyone had to go inside.
    {hero} and {friend} both wanted the same {object}.
    {He} tried to {act} but {he} was too {sorrow*}.
    The {animal} was stuck in a {plant} and could not get down.
    {hero} forgot {his} {object*} at the {place*}.
    {friend} said, "This is my {object}. You can't have it!"`),
  feel: lines(`{hero} was very {sorrow} and began to cry.
    {friend} felt {sorrow*} and did not know what to do.
    {He} felt {joy*} and laughed.
    {hero} was {joy} to see {friend}.
    Tears ran down {his} face.
    {His} heart was full of {joyNoun}.
    {His} heart was full of {sorrowNoun}.
    "Don't be {sorrow}," said {friend}. "I will help you."
    "Why are you so {sorrow}?" {said*} {friend}.
    {hero} was not {sorrow} anymore.
    "I am so {joy}," said {hero} with a big smile.
    The {animal} was {joy} too and {played*} {instrumentSound*}.`),
  help: lines(`{hero} asked {his} {parent} for help.
    {friend} helped {hero} find the {object}.
    Together they {made*} a {quality*} {object*} for the {animal}.
    {hero} shared {his} {food} with the {animal}.
    {His} {parent} hugged {him} and said, "It will be all right."
    {friend} {gave*} {him} a {color*} {object*} to make {him} feel better.
    {hero} used a {size*} {object*} to help the {animal}.
    "Let us work together," said {friend}.
    The {animal} showed {hero} the way to the {place}.
    {hero} said sorry to {friend} and {gave*} {him2} the {object}.
    They looked under the {object*}, behind the {plant*} and in the {object*}.
    {hero} {found} the {object} under the {object*}.
    {friend} and {hero} {made} the {object} together, and soon it was as good as new.`),
  family: lines(`{hero} lived with {his} {parent}, {his} {parent*} and {his} {sibling}.
    {His} {parent} was a {trait*} {roleP} who worked at the {place*}.
    Her daughter was {trait*} and her son was {trait*}.
    The mother loved her daughter and the father loved his son.
    {His} {parent} told {him} stories about the {sky} every night.
    {hero} helped {his} {parent} bake a {food} in the kitchen.
    "Where is your {sibling}?" asked {his} {parent}.
    {hero} and {his} {sibling} played {sport} after school.
    {His} {parent} {made*} {food} and {food*} for dinner.
    The family sat at the table and drank {drink}.
    {hero} loved {his} {parent}, and {heP} loved {him} too.
    {His} {parent} put {hisP} hand on {his} head and smiled.
    {His} {parent} kissed {him} and said good night.
    On {weekday}, the family went to the {place} with {hisP} {object*}.`),
  count: lines(`{hero} had {n} {color} {objects}.
    {He} gave one to {friend} and had {n-1} {objects} left.
    Then {he} found one more, and now {he} had {n+1} {objects}.
    {friend} had {m} {foods} and {hero} had {n} {foods}.
    Together they had {n+m} {foods}.
    {hero} counted to {n}: {countN}.
    There were {n} {animals} in the {place}, and one ran away, so there were {n-1}.
    {hero} waited for {n} {timeUnit} and then for {m} more.
    At {n} o'clock in the {daytime}, {hero} went to bed.
    {hero} won the {ordinal} prize at {sport} and got {n} {objects}.
    The {animal} ate {n} {foods} and wanted {m} more.
    {His} {parent} was {n} {timeUnit} late.`),
  calendar: lines(`{His} birthday was in {month}, when it was {season}.
    After {month} comes the rest of {season}, and the days are {weather}.
    On {weekday}, {hero} had {subject} and {subject*} at school.
    Today was {weekday}, and {weekdayNext} would be a holiday.
    They met every {weekday} in {month}.
    In {month}, {hero} and {friend} went to {country} to {act}.
    All {season} long, {hero} waited for {weekday}.
    The next {daytime*}, it was {weekdayNext} and {hero} was {joy}.
    Years went by, and {hero} grew tall and {trait*}.
    It took {n} weeks in {season} to build the {object}.
    A year later, in {month}, {hero} came back to the {place}.
    Summer was over, and {hero} went back to school to learn {subject}.`),
  school: lines(`At school, the teacher asked {hero} about {subject}.
    {hero} liked {subject} but {friend} liked {subject*}.
    The teacher gave {hero} a {color} {object*} for {his} work.
    {hero} drew a {color*} {animal*} with {his} crayon.
    The children played {sport} in the yard.
    {hero} read a book about a {creature} and a {royal}.
    {friend} could not spell the word {food*}, so {hero} helped {him2}.
    "Very good, {hero}!" said the teacher. She was {joy}.
    {hero} sang {instrumentSound} in the {subject} class.`),
  food: lines(`{hero} was hungry, so {he} ate a {food} and drank some {drink}.
    {His} {parent} bought {foods}, {drink*} and {drink} at the market.
    The {food} was {quality*} and the {drink} was cold.
    "Do you want a {food*}?" asked {friend}. "Yes, please," said {hero}.
    They sat under a {plant} and ate {food*} with {food*}.
    {hero} put {food*} and {food*} in the {color*} {object*}.
    The {animal} liked the {food} very much.
    The baker {made*} a {size*} {food} with {color*} sugar.
    {hero} gave the last {food} to the hungry {animal}.`),
  talk: lines(`"Look at that {animal}!" {said*} {hero}. "It has a {color*} {body}!"
    "What is in the {object}?" {said*} {friend}.
    "I found it in the {place}," said {hero}.
    "Can we {act*} together?" {said*} {friend}. "Yes!" {said*} {hero}.
    "Thank you, {hero}," said {friend}. "You are very {trait*}."
    "I am not afraid of the {creature*}," said {hero}.
    "You should never {act*} in the {place}," said {his} {parent}.
    "Please be careful with the {object}," {said*} {his} {parent}.
    "It is time to go home," said {friend}.
    {hero} {said*} that the {animal} was {trait*}.
    "I love you," said {his} {parent}. "I love you too," said {hero}.
    "The {sky} is so {quality*} tonight," {said*} {friend} {instrumentSound*}.`),
  night: lines(`At night, {hero} looked at the {sky} and made a wish.
    The {sky} was {color*} and the {animal*} slept in the {place}.
    {hero} could not sleep because of the {weatherNoun}.
    {He} heard an owl and hid under the {quality*} blanket.
    {His} {parent} read {him} a book until {he} fell asleep.
    In the dark, {hero} saw {n} {color*} lights near the {place}.
    {hero} dreamed about a {creature*} with {color*} wings.
    The moon was {size*} and the stars were {quality*}.
    In the morning, {hero} woke up and felt {joy*}.`),
  magic: lines(`In the {object}, there was a {size*} {creature}.
    "I will give you {n} wishes," said the {creature}.
    {hero} wished for a {color*} {object*} and a {color*} {animal*}.
    The {creature} waved its hand and the {object} turned {color*}.
    The {animal} began to talk! "{hero}, you must go to the {place}," it said.
    The magic {food} made {hero} as {size*} as a {animal*}.
    The witch lived in a {quality*} hut with her {color*} cat.
    The wizard opened his book and read {instrumentSound*}.
    The fairy touched the {plant} with her hand and it turned {color*}.
    It was a magic {object}, and it could {act*}.`),
  ending: lines(`{hero} and {friend} were best friends ever after.
    {hero} was {joy} and went home with {his} {object}.
    From that day on, {hero} was always {trait*}.
    {He} learned that it is good to be {trait}.
    And they all lived happily ever after.
    {hero} never forgot the {trait2} {animal}.
    They laughed and {played*} until {daytime*}.
    {His} {parent} was {joy} and gave {him} a hug.
    {hero} fell asleep with a smile on {his} face.
    "This was the best day ever," said {hero}.
    They promised to meet again {timeWord*} at the {place}.
    And that is how {hero} got the {color} {object}.
    The end of the {season} came, but {hero} and {friend} stayed friends.`),
};

/** Plots: scenes in order. A scene named twice gives two different sentences. */
export const PLOTS: ReadonlyArray<readonly string[]> = [
  ['opening', 'want', 'go', 'meet', 'talk', 'problem', 'feel', 'help', 'ending'],
  [
    'openingRoyal',
    'royalTrouble',
    'royalTrouble',
    'royalDeed',
    'royalDeed',
    'feel',
    'royalDeed',
    'royalEnd',
    'royalEnd',
  ],
  ['opening', 'family', 'family', 'food', 'problem', 'feel', 'family', 'ending'],
  ['opening', 'weather', 'go', 'weather', 'problem', 'help', 'weather', 'ending'],
  ['opening', 'count', 'count', 'count', 'food', 'count', 'talk', 'ending'],
  ['opening', 'calendar', 'calendar', 'school', 'talk', 'calendar', 'ending'],
  ['opening', 'school', 'school', 'problem', 'feel', 'help', 'family', 'ending'],
  ['opening', 'want', 'night', 'night', 'magic', 'talk', 'magic', 'feel', 'ending'],
  ['openingRoyal', 'family', 'royalTrouble', 'magic', 'royalDeed', 'count', 'royalEnd'],
  ['opening', 'go', 'meet', 'food', 'meet', 'talk', 'help', 'feel', 'ending'],
  ['opening', 'weather', 'calendar', 'want', 'go', 'meet', 'count', 'night', 'ending'],
  ['opening', 'problem', 'feel', 'talk', 'problem', 'feel', 'help', 'talk', 'ending'],
];
