/** An esbuild plugin: what stands in pages for the modules of the kernel that need Node (src/kernel/correlation/inPages.ts). */
const STAND_INS = {
  nativeProduct: "export function openNativeProduct() { throw new Error('pages multiply in JavaScript'); }",
  memory: 'export const memoryBudget = () => 2 ** 29; export function requireMemory() {}',
};

export const inPages = {
  name: 'in-pages',
  setup(build) {
    build.onResolve({ filter: /^\.\/(nativeProduct|memory)\.js$/ }, ({ path, importer }) =>
      /[\\/]kernel[\\/]compute[\\/]/.test(importer) ? { path: path.slice(2, -3), namespace: 'in-pages' } : null,
    );
    build.onLoad({ filter: /.*/, namespace: 'in-pages' }, ({ path }) => ({ contents: STAND_INS[path], loader: 'js' }));
  },
};
