/** Keyword groups compared: a row for each, with what was scored of it. */
import { nullMeanText } from '../../protocol/display.js';
import { correlation, count, number } from '../ui/format.js';
import { VirtualGrid, type GridColumn } from '../plot/table.js';
import { SCORES, type GroupScores, type ScoreName } from './groupScores.js';
import type { KeywordGroup } from '../../protocol/keywordGroups.js';
import type { SimilarityScore } from '../../kernel/correlation/inPages.js';

/** From here on a score is starred. */
export const SIGNIFICANT = 0.05;

/** A score of three digits, starred where hardly a shuffle reaches it. */
export function scoreText(score: SimilarityScore | string | undefined): string {
  if (score === undefined || typeof score === 'string') return '–';
  return `${score.value.toFixed(3).replace('-', '−')}${score.p <= SIGNIFICANT ? '*' : ''}`;
}

/** "null 0.05 ± 0.01, p = 0.0099". */
export function nullText(score: SimilarityScore): string {
  const { runs, mean, std } = score.null;
  if (runs === 0) return 'null is on its way';
  return `null ${nullMeanText(mean)} ± ${number(std, 2)}, p = ${number(score.p, 2)}`;
}

export class GroupTable {
  readonly grid: VirtualGrid;
  private groups: readonly KeywordGroup[] = [];
  private chosen: string | null = null;

  constructor(
    private readonly scored: (group: KeywordGroup) => GroupScores | undefined,
    choose: (group: KeywordGroup) => void,
    /** What the map calls its figures: r, or another measure. */
    private readonly measure: string,
  ) {
    this.grid = new VirtualGrid({
      label: 'Keyword groups',
      columns: this.columns(),
      sort: { key: 'order', descending: false },
      rowClass: (row) => (this.groups[row].name === this.chosen ? 'pinned' : ''),
      onActivate: (row) => choose(this.groups[row]),
    });
  }

  private columns(): GridColumn[] {
    const of = (row: number) => this.scored(this.groups[row]);
    const score = (row: number, name: ScoreName) => {
      const found = of(row)?.scores[name];
      return typeof found === 'object' ? found : undefined;
    };
    const short: Record<ScoreName, string> = { SVCCA: 'SVCCA', RSA: 'RSA', Jaccard: 'kNN', 'same token': 'token' };
    return [
      {
        ...{ key: 'order', title: 'group', width: 'minmax(5em, 1fr)' },
        text: (row) => this.groups[row].name,
        value: (row) => row,
      },
      {
        ...{ key: 'n', title: 'pairs', width: '3em', numeric: true },
        text: (row) => count(of(row)?.pairs ?? NaN).replace('NaN', '–'),
        value: (row) => of(row)?.pairs ?? NaN,
      },
      {
        ...{ key: 'r', title: this.measure, width: this.measure === 'r' ? '2.6em' : '4em', numeric: true },
        text: (row) => correlation(of(row)?.meanR ?? NaN),
        value: (row) => of(row)?.meanR ?? NaN,
      },
      ...SCORES.map((name): GridColumn => ({
        ...{ key: name, title: short[name], width: '4em', numeric: true },
        text: (row) => scoreText(score(row, name)),
        value: (row) => score(row, name)?.value ?? NaN,
      })),
    ];
  }

  set(groups: readonly KeywordGroup[], chosen: string | null): void {
    this.groups = groups;
    this.chosen = chosen;
    this.grid.setRows(groups.length);
  }
}
