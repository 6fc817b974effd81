import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { MAP_BUNDLE, type MapMeta } from '#protocol/map.js';
import { escapeHtml } from '#protocol/webview.js';
import { toScreen } from '#webviews/plot/camera.js';
import { PAPER } from '#webviews/plot/palette.js';
import { svgOf } from '#webviews/plot/vectorPen.js';
import { viewSvg } from '#webviews/figures/main.js';
import { figureBatch, firstFigure, mapSvg } from '#webviews/map/figure.js';
import { legendEntries } from '#webviews/map/legendEntries.js';
import { loadModel, type MapModel, type MapSource } from '#webviews/map/model.js';
import { rateScale } from '#webviews/map/paint.js';
import { BundleReader } from '#webviews/ui/bundle.js';
import { diskFiles } from '#test/kit/bundleFiles.js';

const saved = path.join(import.meta.dirname, '../../fixtures/saved/.fgnb');
const maps = fs
  .readdirSync(saved)
  .filter((name) => name.startsWith('map-'))
  .map((name) => path.join(saved, name));
const modelOf = (folder: string): Promise<MapModel> =>
  loadModel(new BundleReader<MapMeta, typeof MAP_BUNDLE.columns>(MAP_BUNDLE, diskFiles(folder), folder) as MapSource);

describe('a map as a file', () => {
  test.each(maps)(
    'holds the points that the panel paints, where it paints them, and its legend: %#',
    async (folder) => {
      const model = await modelOf(folder);
      const figure = firstFigure(model);
      const svg = mapSvg(figure);
      let left = 24;
      const top = Number(/<clipPath id="clip-1"><path d="M24 ([\d.]+)L/.exec(svg)![1]);
      const wanted = model.sets.flatMap((_, s) => {
        const view = figure.views[s];
        const batch = figureBatch(figure, s, view);
        const places = Array.from({ length: batch.n }, (_, k) => {
          const [x, y] = toScreen(view.camera, view, batch.position[2 * k], batch.position[2 * k + 1]);
          return [left + x, top + y, batch.mark[2 * k] / 4].map((v) => String(Math.round(v * 100) / 100));
        });
        left += view.width + 20;
        return places;
      });
      const drawn = [...svg.matchAll(/<circle cx="([-\d.]+)" cy="([-\d.]+)" r="([\d.]+)"\/>/g)].map((m) =>
        m.slice(1, 4),
      );
      // The legend's own marks stand behind.
      expect(drawn.slice(0, wanted.length)).toEqual(wanted);
      const { filters, lit, regions } = figure;
      const entries = legendEntries({
        model,
        filters,
        lit,
        palette: PAPER,
        rates: rateScale(model),
        regions,
        values: null,
      });
      expect(entries.length).toBeGreaterThan(0);
      expect(drawn.length - wanted.length).toBe(entries.filter(({ kind }) => kind === 'mark').length);
      for (const entry of entries)
        expect(svg).toContain(`>${escapeHtml(entry.kind === 'scale' ? entry.title : entry.text)}</text>`);
      expect(svg).toContain(`<title>${escapeHtml(model.meta.title)}</title>`);
      const bytes = Object.fromEntries(
        fs.readdirSync(folder).map((name) => [name, fs.readFileSync(path.join(folder, name))]),
      );
      expect(await viewSvg('map', (name) => bytes[name] ?? null, folder)).toBe(svg);
    },
  );

  test('escapes what it is told, and holds no script', async () => {
    const model = await modelOf(maps[0]);
    model.meta.title = '<script>alert("1")</script> & more';
    const svg = mapSvg(firstFigure(model));
    expect(svg).not.toContain('<script');
    expect(svg).toContain('&lt;script&gt;');
  });
});

describe('a canvas taken down as SVG', () => {
  test('keeps transforms, clips, dashes and colours; what it cannot take down is an error', () => {
    const svg = svgOf({ width: 10, height: 8 }, 't', (c) => {
      c.translate(1, 2);
      c.scale(2, 2);
      c.save();
      c.beginPath();
      c.rect(0, 0, 3, 3);
      c.clip();
      c.fillStyle = 'rgba(1, 2, 255, 0.5)';
      c.beginPath();
      c.arc(1, 1, 0.5, 0, 2 * Math.PI);
      c.fill();
      c.restore();
      c.setLineDash([1, 2]);
      c.strokeStyle = '#ff0000';
      c.beginPath();
      c.moveTo(0, 0);
      c.lineTo(1, 1);
      c.stroke();
    });
    expect(svg).toContain('<clipPath id="clip-1"><path d="M1 2L7 2L7 8L1 8Z"/></clipPath><g clip-path="url(#clip-1)">');
    expect(svg).toContain('<g fill="#0102ff" fill-opacity="0.5">\n<circle cx="3" cy="4" r="1"/>\n</g>');
    expect(svg).toContain(
      '<g fill="none" stroke="#ff0000" stroke-width="2" stroke-dasharray="2 4">\n<path d="M1 2L3 4"/>',
    );
    expect(svg.match(/<g[ >]/g)?.length).toBe(svg.match(/<\/g>/g)?.length);
    expect(() => svgOf({ width: 1, height: 1 }, 't', (c) => c.arc(0, 0, 1, 0, 1))).toThrow('no circle');
    expect(() => svgOf({ width: 1, height: 1 }, 't', (c) => c.drawImage({} as never, 0, 0))).toThrow(TypeError);
  });
});
