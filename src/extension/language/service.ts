/** IntelliSense of notebooks: one TypeScript language service each, over shared parsed files. Runs in the worker. */
import ts from 'typescript';
import { completionEntry, declarationText, documentationText, signatureList, symbolList } from './describe.js';
import { createHost, Disk } from './host.js';
import { findProblems } from './problems.js';
import type {
  CellPlace,
  CompletionEntry,
  Definition,
  Description,
  Hover,
  LanguageApi,
  NotebookText,
  Problem,
  Signatures,
  SymbolEntry,
  Target,
  WorkerSettings,
} from './protocol.js';
import { VirtualNotebook, type VirtualCell } from './virtualNotebook.js';

interface OpenNotebook {
  virtual: VirtualNotebook;
  service: ts.LanguageService;
  /** Counts changes of the cells and of the files around them. */
  version: number;
}

interface OpenCell extends OpenNotebook {
  cell: VirtualCell;
}

const TRIGGERS: ReadonlySet<string> = new Set<ts.CompletionsTriggerCharacter>(['.', '"', "'", '`', '/', '@']);
const PREFERENCES: ts.UserPreferences = {
  includeCompletionsWithInsertText: true,
  includeCompletionsForModuleExports: false,
  includeCompletionsWithObjectLiteralMethodSnippets: false,
  quotePreference: 'single',
};

const spanOf = (span: ts.TextSpan): { start: number; end: number } => ({
  start: span.start,
  end: span.start + span.length,
});

export class NotebookLanguageService implements LanguageApi {
  private readonly disk: Disk;
  private readonly registry = ts.createDocumentRegistry(ts.sys.useCaseSensitiveFileNames);
  private readonly notebooks = new Map<string, OpenNotebook>();
  private opened = 0;

  constructor(settings: WorkerSettings) {
    this.disk = new Disk(settings.typesFolder);
  }

  sync({ notebook, folder, cells }: NotebookText): void {
    let open = this.notebooks.get(notebook);
    if (!open) {
      const virtual = new VirtualNotebook(folder, String(this.opened++));
      const host = createHost(virtual, this.disk, () => String(this.notebooks.get(notebook)?.version));
      open = { virtual, version: 0, service: ts.createLanguageService(host, this.registry) };
      this.notebooks.set(notebook, open);
    }
    if (open.virtual.update(cells)) open.version++;
  }

  close(notebook: string): void {
    this.notebooks.get(notebook)?.service.dispose();
    this.notebooks.delete(notebook);
  }

  filesChanged(): void {
    this.disk.changed();
    for (const notebook of this.notebooks.values()) notebook.version++;
  }

  completions(at: CellPlace & { trigger?: string }): CompletionEntry[] {
    const found = this.find(at);
    if (!found) return [];
    const triggerCharacter = TRIGGERS.has(at.trigger ?? '')
      ? (at.trigger as ts.CompletionsTriggerCharacter)
      : undefined;
    const { service, cell, virtual } = found;
    const list = service.getCompletionsAtPosition(cell.file, at.offset, { ...PREFERENCES, triggerCharacter });
    const isOwnModule = (name: string): boolean =>
      virtual.resolve(`./${name.replace(/(\.ts)?$/, '.ts')}`) !== undefined;
    return (list?.entries ?? []).filter((entry) => !isOwnModule(entry.name)).map(completionEntry);
  }

  describe(at: CellPlace & { name: string; source?: string }): Description | undefined {
    const found = this.find(at);
    if (!found) return undefined;
    const { service, cell } = found;
    const details = service.getCompletionEntryDetails(
      cell.file,
      at.offset,
      at.name,
      undefined,
      at.source,
      PREFERENCES,
      undefined,
    );
    if (!details) return undefined;
    return {
      signature: declarationText(details.displayParts, cell),
      documentation: documentationText(details.documentation, details.tags),
    };
  }

  hover(at: CellPlace): Hover | undefined {
    const found = this.find(at);
    if (!found) return undefined;
    const info = found.service.getQuickInfoAtPosition(found.cell.file, at.offset);
    if (!info) return undefined;
    return {
      span: spanOf(info.textSpan),
      signature: declarationText(info.displayParts, found.cell),
      documentation: documentationText(info.documentation, info.tags),
    };
  }

  signatures(at: CellPlace & { retrigger?: boolean; trigger?: string }): Signatures | undefined {
    const found = this.find(at);
    if (!found) return undefined;
    const { trigger } = at;
    const triggerCharacter = trigger === '(' || trigger === ',' || trigger === '<' ? trigger : undefined;
    let triggerReason: ts.SignatureHelpTriggerReason = { kind: 'invoked' };
    if (at.retrigger) triggerReason = { kind: 'retrigger', triggerCharacter };
    else if (triggerCharacter) triggerReason = { kind: 'characterTyped', triggerCharacter };
    const items = found.service.getSignatureHelpItems(found.cell.file, at.offset, { triggerReason });
    return items && signatureList(items);
  }

  definition(at: CellPlace): Definition | undefined {
    const found = this.find(at);
    if (!found) return undefined;
    const info = found.service.getDefinitionAndBoundSpan(found.cell.file, at.offset);
    if (!info) return undefined;
    const targets = (info.definitions ?? []).map((each) => this.target(found, each));
    return { from: spanOf(info.textSpan), targets: targets.filter((target) => target !== undefined) };
  }

  problems({ notebook, cell }: { notebook: string; cell: string }): Problem[] {
    const found = this.find({ notebook, cell, offset: 0 });
    return found ? findProblems(found.virtual, found.cell, found.service) : [];
  }

  symbols({ notebook, cell }: { notebook: string; cell: string }): SymbolEntry[] {
    const found = this.find({ notebook, cell, offset: 0 });
    return found ? symbolList(found.service.getNavigationTree(found.cell.file), found.cell) : [];
  }

  /** Files that the program of a notebook is made of. */
  files(notebook: string): string[] {
    const program = this.notebooks.get(notebook)?.service.getProgram();
    return (program?.getSourceFiles() ?? []).map((file) => file.fileName);
  }

  private find(at: CellPlace): OpenCell | undefined {
    const open = this.notebooks.get(at.notebook);
    const cell = open?.virtual.cell(at.cell);
    // A place behind the text is in the generated part: the question is older than the text.
    if (!open || !cell || at.offset > cell.text.length) return undefined;
    return { ...open, cell };
  }

  private target({ virtual, service }: OpenNotebook, info: ts.DefinitionInfo): Target | undefined {
    const { fileName, textSpan } = info;
    const span = spanOf(textSpan);
    const cell = virtual.cellOfFile(fileName);
    if (cell) return span.end <= cell.text.length ? { kind: 'cell', cell: cell.uri, span } : undefined;
    const file = service.getProgram()?.getSourceFile(fileName);
    if (!file) return undefined;
    return {
      kind: 'file',
      file: fileName,
      start: file.getLineAndCharacterOfPosition(span.start),
      end: file.getLineAndCharacterOfPosition(span.end),
    };
  }
}
