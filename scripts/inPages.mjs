/** An esbuild plugin: in bundles for pages, replaces what src/kernel/correlation/inPages.ts imports that needs Node. */
const STAND_INS = {
  nativeProduct: "export function openNativeProduct() { throw new Error('pages multiply in JavaScript'); }",
  knn: "export { smallKnn as exactKnn } from './smallKnn.js';",
};

export const inPages = {
  name: 'in-pages',
  setup(build) {
    build.onResolve({ filter: /\/(nativeProduct|knn)\.js$/ }, ({ path, importer, resolveDir }) => {
      if (!/[\\/]kernel[\\/]/.test(importer)) return null;
      const [, name] = /\/(\w+)\.js$/.exec(path);
      return { path: name, namespace: 'in-pages', pluginData: new URL(path, `file://${resolveDir}/`).pathname };
    });
    build.onLoad({ filter: /.*/, namespace: 'in-pages' }, ({ path, pluginData }) => ({
      contents: STAND_INS[path],
      loader: 'js',
      resolveDir: pluginData.replace(/\/[^/]*$/, ''),
    }));
  },
};
