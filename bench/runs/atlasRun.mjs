/**
 * UMAP of embedding-atlas, whose umap.js is given, in a process of its own. Prints JSON.
 *   node bench/runs/atlasRun.mjs PROGRAM FOLDER ROWS COLUMNS EPOCHS
 * reads FOLDER/x.f32 and writes FOLDER/z.f32.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [program, folder, rows, columns, epochs] = process.argv.slice(2);
const { createUMAP } = await import(pathToFileURL(program).href);
const bytes = readFileSync(path.join(folder, 'x.f32'));
const data = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4).slice();
const started = performance.now();
const options = { metric: 'euclidean', nNeighbors: 15, minDist: 0.1, nEpochs: Number(epochs), seed: 0 };
const umap = await createUMAP(Number(rows), Number(columns), 2, data, options);
await umap.run();
const seconds = (performance.now() - started) / 1000;
writeFileSync(path.join(folder, 'z.f32'), umap.embedding);
console.log(JSON.stringify({ seconds }));
