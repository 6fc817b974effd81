/** What a conversion changes or cannot carry, in words: once for all cells that it concerns. */

const SHOWN = 8;

export class Notes {
  private readonly found = new Map<string, number[]>();

  /** `index`: the cell's, 0-based; absent for the whole notebook. */
  add(what: string, index?: number): void {
    const cells = this.found.get(what) ?? [];
    if (index !== undefined && cells.at(-1) !== index + 1) cells.push(index + 1);
    this.found.set(what, cells);
  }

  /** One line each, such as "cells 2 and 5: …". */
  lines(): string[] {
    return [...this.found].map(([what, cells]) => {
      if (cells.length === 0) return what;
      const named = cells.slice(0, SHOWN).join(', ');
      const more = cells.length > SHOWN ? ` and ${cells.length - SHOWN} more` : '';
      return `${cells.length === 1 ? 'cell' : 'cells'} ${named}${more}: ${what}`;
    });
  }
}
