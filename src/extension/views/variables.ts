/** Variables of the active notebook's kernel, asked for after each cell while the view is visible. */
import * as vscode from 'vscode';
import { formatBytes } from '../../protocol/bytes.js';
import type { VariableInfo } from '../../protocol/kernel.js';
import { fromPlainJson } from '../../protocol/objects.js';
import { COMMAND } from '../ids.js';
import { isAttached } from '../kernelClient/state.js';
import type { Sessions } from '../notebook/controller.js';
import { activeNotebook, onDidChangeActiveNotebook } from './activeNotebook.js';

const SETTLE_MS = 200;

const ICON: Array<[RegExp, string]> = [
  [/Array|Matrix|Tensor/, 'symbol-array'],
  [/^function|^class/i, 'symbol-function'],
  [/^string/, 'symbol-string'],
  [/^number|^bigint/, 'symbol-number'],
  [/^boolean/, 'symbol-boolean'],
];

function toItem(variable: VariableInfo): vscode.TreeItem {
  const { name, type, summary, shape, dtype, bytes } = variable;
  const item = new vscode.TreeItem(name);
  const size = shape ? `[${shape.join(', ')}]` : '';
  item.description = [type + (size && ` ${size}`), summary].filter(Boolean).join('  ');
  item.tooltip = [
    `${name}: ${type}`,
    ...(shape ? [`shape ${size}`] : []),
    ...(dtype ? [`dtype ${dtype}`] : []),
    ...(bytes !== undefined ? [formatBytes(bytes)] : []),
    summary,
  ].join('\n');
  item.iconPath = new vscode.ThemeIcon(ICON.find(([pattern]) => pattern.test(type))?.[1] ?? 'symbol-variable');
  item.contextValue = 'variable';
  return item;
}

export function createVariablesView(sessions: Sessions, log: vscode.LogOutputChannel): vscode.Disposable {
  const changed = new vscode.EventEmitter<void>();
  let variables: VariableInfo[] = [];
  const view = vscode.window.createTreeView<VariableInfo>('fgnb.variables', {
    treeDataProvider: {
      onDidChangeTreeData: changed.event,
      getChildren: (element) => (element ? [] : variables),
      getTreeItem: toItem,
    },
  });
  const refresh = async (): Promise<void> => {
    const session = sessions.find(activeNotebook());
    if (!session || !isAttached(session.state)) variables = [];
    // A busy kernel answers when its cell is done: what is shown stays until then.
    else if (session.state === 'idle')
      variables = fromPlainJson<VariableInfo[]>(await session.kernel.request('variables'));
    changed.fire();
  };
  let timer: NodeJS.Timeout | undefined;
  const soon = (): void => {
    clearTimeout(timer);
    if (!view.visible) return;
    timer = setTimeout(() => {
      refresh().catch((error: unknown) => log.warn(`variables: ${String(error)}`));
    }, SETTLE_MS);
  };
  let lastState = '';
  return vscode.Disposable.from(
    view,
    changed,
    { dispose: () => clearTimeout(timer) },
    vscode.commands.registerCommand(COMMAND.refreshVariables, refresh),
    view.onDidChangeVisibility(soon),
    onDidChangeActiveNotebook(soon),
    sessions.onDidEndCell(soon),
    sessions.onDidChange((session) => {
      if (session.state !== lastState) soon();
      lastState = session.state;
    }),
  );
}
