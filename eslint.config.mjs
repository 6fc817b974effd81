import fs from 'node:fs';
import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

/** A room and what it may not import. Imports point one way: extension → protocol ← kernel, webviews → protocol. */
const closed = (files, patterns, names = []) => ({
  files,
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: patterns.map(({ glob, regex, why }) => ({
          ...(regex ? { regex } : { group: [glob].flat() }),
          message: why,
        })),
        paths: names.map((name) => ({ name, message: 'not in this room' })),
      },
    ],
  },
});
const p = (glob, why = 'imports point one way: see docs/architecture.md') => ({ glob, why });
/** The kernel's one door to pages is open, the rest is not. */
const kernelBehindItsDoor = {
  regex: '/kernel/(?!correlation/inPages\\.js$)',
  why: 'pages import kernel/correlation/inPages.js alone',
};
const outside = [p('**/extension/**'), p('**/webviews/**')];
const notInExtension = [p('**/kernel/**'), p('**/webviews/**'), p('@tensorflow/*')];
/** Rooms of analysis, lowest first: each imports those before it, never those after it. */
const upper = [
  'datasets',
  'sae',
  'activations',
  'correlation',
  'maps',
  'mapper',
  'interventions',
  'synthetic',
  'crosscoder',
  'show',
  'inspect',
  'cluster',
];
const above = ['session', 'api'];
const floors = ['verb', 'present', 'models', 'artifacts', 'io', 'compute'];
/** What a room declares may need a room above it: its fg.ts stands over that one, and only api's list imports it. */
const declaredAbove = {
  datasets: ['synthetic'],
  sae: ['interventions', 'activations'],
  activations: ['interventions'],
};
/** The builders of options stand below all rooms: io, artifacts, models and present say by them what their functions take. */
const closedTo = (room, higher) =>
  higher === 'verb' && room !== 'compute'
    ? p(['../verb/**', '!../verb/option.js', '!../verb/kinds.js', '!../verb/filled.js'])
    : p(`../${higher}/**`);
/** present names the types of rooms, and nothing else of them. */
const beside = (room, other) => room === 'present' && upper.includes(other);
const declared = p('**/fg.js', 'what a room declares stands above it: only api imports it');
const typesOnly = (files, rooms) => ({
  files,
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            group: rooms.map((r) => `../${r}/**`),
            message: 'only the types of rooms are imported here',
            allowTypeImports: true,
          },
        ],
      },
    ],
  },
});

const named = {
  below: [['ui'], ['plot', 'charts']],
  above: [['views'], ['renderers', 'panel'], ['report', 'figures']],
};
const webviewFolders = fs
  .readdirSync(new URL('src/webviews', import.meta.url), { withFileTypes: true })
  .flatMap((e) => (e.isDirectory() ? e.name : []));
const viewRooms = webviewFolders.filter((room) => ![...named.below, ...named.above].flat().includes(room));
/** Floors of the webviews, lowest first: a room imports those of the floors below, never its neighbours. */
const webviewFloors = [...named.below, viewRooms, ...named.above];
const webviewRooms = webviewFloors.flat();
const webviewsBelow = (room) =>
  webviewFloors
    .slice(
      0,
      webviewFloors.findIndex((f) => f.includes(room)),
    )
    .flat();
const webviewRoom = (from) => (room) =>
  p(room === 'views' ? '../views.js' : `${from === 'views' ? '.' : '..'}/${room}/**`);

export default tseslint.config(
  { ignores: ['dist/**', 'out/**', 'node_modules/**', '.tsbuild/**', '.cache/**', 'test-results/**'] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts'],
    languageOptions: {
      parserOptions: {
        project: [
          './src/protocol/tsconfig.json',
          './src/kernel/tsconfig.json',
          './src/extension/tsconfig.json',
          './src/webviews/tsconfig.json',
          './test/tsconfig.json',
        ],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // A name for a type that is derived from a schema: messages and docs/api show the name, not the members.
      '@typescript-eslint/no-empty-object-type': ['error', { allowInterfaces: 'with-single-extends' }],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-console': 'error',
      'no-restricted-syntax': [
        'error',
        {
          selector:
            'CallExpression[callee.property.name=/^(push|unshift|splice|concat|max|min|fromCharCode|fromCodePoint)$/] > SpreadElement',
          message: 'a spread puts every element on the stack, which a long array overflows: see protocol/lists.ts',
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.ts', '**/*.mjs', '**/*.cjs'],
    rules: { 'max-lines-per-function': 'off' },
  },
  {
    files: ['**/*.mjs', '**/*.cjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        require: 'readonly',
        module: 'writable',
        __dirname: 'readonly',
        performance: 'readonly',
        fetch: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
        window: 'readonly',
        document: 'readonly',
      },
    },
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
  closed(
    ['src/protocol/**'],
    [p('**/kernel/**'), ...outside, p('node:*', 'protocol runs everywhere'), p('vscode', 'protocol runs everywhere')],
  ),
  closed(['src/extension/**'], notInExtension),
  // What requests are answered with knows nothing of requests.
  closed(
    ['src/extension/panels/{bundleFiles,linkHub,liveCalls,saveFile,services,viewPage}.ts'],
    [...notInExtension, p('./requests.js'), p('./rendererMessaging.js'), p('./viewPanels.js')],
  ),
  ...webviewRooms.map((room) =>
    closed(room === 'views' ? ['src/webviews/views.ts'] : [`src/webviews/${room}/**`], [
      ...[room === 'map' ? kernelBehindItsDoor : p('**/kernel/**'), p('**/extension/**'), p('node:*'), p('vscode')],
      ...webviewRooms.filter((other) => !webviewsBelow(room).includes(other) && other !== room).map(webviewRoom(room)),
    ]),
  ),
  closed(['src/kernel/session/**'], [...outside, p('vscode'), p('../convert/**')]),
  closed(['src/kernel/convert/**'], [...outside, p('vscode'), ...['api', ...upper].map((r) => p(`../${r}/**`))]),
  closed(['src/kernel/api/**'], [...outside, p('vscode'), p('**/session/**')]),
  ...upper.flatMap((room, floor) => {
    const higher = upper.slice(floor + 1);
    const closedRooms = (rooms) => [...above, ...rooms].map((r) => p(`**/${r}/**`));
    const shut = (rooms) => [...outside, p('vscode'), declared, ...closedRooms(rooms)];
    const over = declaredAbove[room] ?? [];
    return [
      closed([`src/kernel/${room}/**`], shut(higher)),
      ...(over.length > 0 ? [closed([`src/kernel/${room}/fg.ts`], shut(higher.filter((r) => !over.includes(r))))] : []),
    ];
  }),
  // Below the rooms, from the top: each imports those after it.
  ...floors.map((room, floor) => {
    const higher = [...above, ...upper, ...floors.slice(0, floor)].filter((r) => !beside(room, r));
    return closed(
      [`src/kernel/${room}/**`],
      [...outside, p('vscode'), declared, ...higher.map((r) => closedTo(room, r))],
    );
  }),
  // What these rooms declare is written in terms of verb and present; nothing but the facade's list imports it.
  closed(
    ['src/kernel/{models,artifacts,compute}/fg.ts'],
    [...outside, p('vscode'), ...[...above, ...upper].map((r) => p(`../${r}/**`))],
  ),
  // How results of a room are shown: its types are named, nothing of it is called.
  typesOnly(['src/kernel/present/**'], upper),
  prettier,
);
