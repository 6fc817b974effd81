/** What VS Code must know of a view before the extension runs stands in package.json: it agrees with the list of views. */
import fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { openCommand, showsKey } from '#extension/ids.js';
import { DRAWN } from '#protocol/mime.js';
import { panelType, VIEW_NAMES, viewMime } from '#protocol/views.js';

interface Menu {
  command: string;
  when: string;
}
const manifest = JSON.parse(fs.readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  activationEvents: string[];
  contributes: {
    notebookRenderer: Array<{ mimeTypes: string[] }>;
    commands: Array<{ command: string }>;
    menus: Record<'commandPalette' | 'notebook/toolbar', Menu[]>;
  };
};
const { notebookRenderer, commands, menus } = manifest.contributes;

describe('package.json', () => {
  test('has the renderer draw what it can draw, and nothing else', () => {
    expect([...notebookRenderer[0].mimeTypes].sort()).toEqual([...DRAWN].sort());
  });

  test.each(VIEW_NAMES)('knows the panel and the command of %s', (view) => {
    expect(manifest.activationEvents).toContain(`onWebviewPanel:${panelType(view)}`);
    expect(commands.map((c) => c.command)).toContain(openCommand(view));
    const shown = menus['notebook/toolbar'].find((item) => item.command === openCommand(view));
    expect(shown?.when).toBe(`notebookType == fgnb && ${showsKey(view)}`);
    expect(menus.commandPalette.map((item) => item.command)).toContain(openCommand(view));
  });

  test('the words of saved notebooks stay as they are', () => {
    expect(VIEW_NAMES.map(viewMime).slice(0, 3)).toEqual([
      'application/vnd.fgnb.map+json',
      'application/vnd.fgnb.graph+json',
      'application/vnd.fgnb.lab+json',
    ]);
    expect(VIEW_NAMES.map(panelType).slice(0, 3)).toEqual(['fgnb.map', 'fgnb.graph', 'fgnb.lab']);
  });
});
