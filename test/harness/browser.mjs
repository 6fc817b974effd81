/** Drives the workbench in headless chromium: start, open, palette, frames. */
import path from 'node:path';
import { chromium } from 'playwright-core';
import { chromiumPath } from './install.mjs';

/** A browser context with a profile in `dir`. Nothing but 127.0.0.1 can be reached. */
export function startBrowser(dir, options = {}) {
  return chromium.launchPersistentContext(path.join(dir, 'chrome'), {
    executablePath: chromiumPath(),
    headless: true,
    viewport: { width: 1400, height: 900 },
    args: [
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      ...['--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update'],
      ...['--disable-sync', '--disable-dev-shm-usage', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
    ],
    ...options,
  });
}

/**
 * Opens the workbench on `folder` and waits until extensions are known: before that, a .fgnb opens as plain text.
 * Returns helpers bound to the page.
 */
export async function openWorkbench(page, url, folder) {
  await page.goto(`${url}?folder=${encodeURIComponent(folder)}`);
  await page.locator('.monaco-workbench').waitFor({ timeout: 60_000 });
  await page.waitForFunction(() => performance.getEntriesByName('code/didLoadExtensions').length > 0, null, {
    timeout: 60_000,
  });
  return workbench(page);
}

/** Helpers on a page with an open workbench. */
export function workbench(page) {
  const input = page.locator('.quick-input-widget input.input');
  const rows = page.locator('.quick-input-list .monaco-list-row');

  /** Opens the palette, types `command` and gives the rows it offers. */
  const paletteRows = async (command) => {
    await page.keyboard.press('F1');
    await input.waitFor({ state: 'visible', timeout: 10_000 });
    await input.fill(`>${command}`, { timeout: 10_000 });
    await page.waitForTimeout(400);
    return rows.allInnerTexts();
  };

  return {
    page,
    paletteRows,

    /**
     * Runs a command by its title. What the last command shows may take the focus only now, which closes the palette:
     * it is opened again then.
     */
    async palette(command) {
      const wanted = rows.filter({ hasText: command }).first();
      for (let attempt = 1; ; attempt++) {
        try {
          await paletteRows(command);
          return await wanted.click({ timeout: 10_000 });
        } catch (error) {
          if (attempt === 4) throw error;
        }
      }
    },

    /** Leaves the palette or a quick pick. */
    escape: () => page.keyboard.press('Escape'),

    /** Opens a file of the workspace through quick open. */
    async openFile(name) {
      await page.keyboard.press('Control+P');
      await input.waitFor({ state: 'visible' });
      await input.fill(name);
      await rows.filter({ hasText: name }).first().click({ timeout: 20_000 });
    },

    /** Waits until a notebook shows its cells. */
    async notebookReady() {
      await page.locator('.notebook-editor .code-cell-row, .notebookOverlay .code-cell-row').first().waitFor({
        timeout: 30_000,
      });
    },

    /**
     * The frame of an output or panel in which `selector` matches. The workbench's own page is left out: a cell's
     * source would match text that is looked for in its output.
     */
    async findFrame(selector, timeout = 30_000) {
      const until = Date.now() + timeout;
      for (;;) {
        for (const frame of page.frames()) {
          if (frame === page.mainFrame()) continue;
          const count = await frame
            .locator(selector)
            .count()
            .catch(() => 0);
          if (count > 0) return frame;
        }
        if (Date.now() > until) {
          const urls = page.frames().map((frame) => frame.url().slice(0, 120));
          throw new Error(`no frame has ${selector} after ${timeout / 1000} s; frames:\n${urls.join('\n')}`);
        }
        await page.waitForTimeout(100);
      }
    },
  };
}
