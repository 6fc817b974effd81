/** What a session knows about the features of SAEs: tables with feature numbers are shown with the features' names. */
import type { CellFeature, TableDescriptor } from '../../protocol/display.js';
import type { OutputItem } from '../../protocol/notebook.js';
import { featuresIn, named, tableIn } from '../present/featureCells.js';

/** The features of an SAE. */
export interface KnownFeatures {
  name: string;
  /**
   * What a table's cell shows of a feature; undefined for one that does not exist. `examples`: whether to include them.
   */
  cell(feature: number, examples: boolean): CellFeature | undefined;
}

/** Features of a table whose cards have examples: a table of a thousand rows stays small. */
const WITH_EXAMPLES = 60;

export class FeatureNames {
  private readonly sources = new Map<string, { tokens: number; read: () => Promise<KnownFeatures> }>();
  private readonly ids = new Map<string, string>();

  /**
   * Registers an SAE by what it does on so many tokens: its features are named from now on; `read` is called when a
   * table needs them. The source of most tokens stays: a sample of a concept names nothing that is known from more.
   */
  know({ id, name }: { id: string; name: string }, tokens: number, read: () => Promise<KnownFeatures>): void {
    this.ids.set(name, id);
    if (tokens >= (this.sources.get(id)?.tokens ?? 0)) this.sources.set(id, { tokens, read });
  }

  /** Identity of the SAE that was last registered under this name; undefined where none was. */
  idOf(name: string): string | undefined {
    return this.ids.get(name);
  }

  /** The features of an SAE; undefined where none were registered. */
  async of(sae: string): Promise<KnownFeatures | undefined> {
    return this.sources.get(sae)?.read();
  }

  /** The items with names in their tables; not a promise where they have no feature of a known SAE. */
  name(items: OutputItem[]): OutputItem[] | Promise<OutputItem[]> {
    const known = (item: OutputItem): boolean => {
      const table = tableIn(item);
      return table !== undefined && [...featuresIn(table).keys()].some((sae) => this.sources.has(sae));
    };
    if (!items.some(known)) return items;
    return Promise.all(items.map((item) => (known(item) ? this.named(item) : item)));
  }

  private async named(item: OutputItem): Promise<OutputItem> {
    const saes: NonNullable<TableDescriptor['saes']> = {};
    for (const [sae, features] of featuresIn(tableIn(item)!)) {
      const source = this.sources.get(sae);
      if (!source) continue;
      const { name, cell } = await source.read();
      const cells = features.map((f, i) => [String(f), cell(f, i < WITH_EXAMPLES)] as const);
      saes[sae] = { name, features: Object.fromEntries(cells.filter((c): c is [string, CellFeature] => c[1] !== undefined)) }; // prettier-ignore
    }
    return named(item, saes);
  }
}
