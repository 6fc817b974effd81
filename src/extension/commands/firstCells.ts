/** What a new notebook begins with: the first steps of the README. */

export const FIRST_CELLS: ReadonlyArray<readonly ['markdown' | 'code', string]> = [
  [
    'markdown',
    `# Untitled

Load two models, tokenize texts for them, train an SAE. \`fg.\` completes to everything that a cell can call; a path instead of a hub id reads a folder beside this notebook.
`,
  ],
  [
    'code',
    `const lmA = await fg.models.load('roneneldan/TinyStories-1Layer-21M'); // hub id or folder
const lmB = await fg.models.load('roneneldan/TinyStories-2Layers-33M');`,
  ],
  [
    'code',
    `const text = await fg.datasets.load('roneneldan/TinyStories', { split: 'validation', samples: 500, context: 128 });`,
  ],
  [
    'code',
    `const saeA = await fg.sae.train(lmA, text, {
  hook: 'blocks.0.hook_mlp_out',
  architecture: 'topk',
  k: 32,
  features: 16384,
});`,
  ],
];
