/** The kernel in the status bar: state, device, memory. Shown while a notebook of ours is the active one. */
import * as vscode from 'vscode';
import { formatBytes } from '../../protocol/bytes.js';
import { COMMAND } from '../ids.js';
import { STATE_TEXT, type KernelState } from '../kernelClient/state.js';
import type { Sessions } from '../notebook/controller.js';
import type { NotebookSession } from '../notebook/session.js';
import { activeNotebook, onDidChangeActiveNotebook } from './activeNotebook.js';
import { briefBytes, deviceName, deviceText } from './deviceText.js';

const ICON: Record<KernelState, string> = {
  none: '$(circle-outline)',
  starting: '$(loading~spin)',
  idle: '$(circle-filled)',
  busy: '$(loading~spin)',
  interrupting: '$(debug-stop)',
  restarting: '$(debug-restart)',
  dead: '$(error)',
  detached: '$(debug-disconnect)',
  lost: '$(debug-disconnect)',
};

/** A duration as m:ss, or h:mm:ss. */
export function clockText(ms: number): string {
  const s = Math.floor(ms / 1000);
  const two = (n: number): string => String(n).padStart(2, '0');
  const h = Math.floor(s / 3600);
  return h > 0 ? `${h}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}

function itemText(session: NotebookSession | undefined): string {
  const state = session?.state ?? 'none';
  const parts: string[] = [STATE_TEXT[state]];
  const cell = session?.runningCell;
  if (session && cell && (state === 'busy' || state === 'interrupting')) {
    const cells = session.notebook.cellCount;
    parts[0] = `${STATE_TEXT[state]}, cell ${cell.index + 1}/${cells} · ${clockText(Date.now() - (session.runningSince ?? Date.now()))}`;
  }
  const { device, memory } = session?.kernel ?? {};
  if (device && state !== 'none' && state !== 'dead') parts.push(deviceName(device, memory));
  if (memory) parts.push(briefBytes(memory.rssBytes));
  return `${ICON[state]} Kernel: ${parts.join(' · ')}`;
}

/** Text as Markdown has it. appendText would make every space one that does not break, and words would. */
const literal = (text: string): string => text.replace(/[\\`*_{}[\]()#+\-!|<>~$&]/g, '\\$&');

function tooltip(session: NotebookSession | undefined): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  const { device, memory, processId } = session?.kernel ?? {};
  if (!session || session.state === 'none') return text.appendText('No kernel yet: it starts with the first cell.');
  const state = `${STATE_TEXT[session.state]}${processId ? `, process ${processId}` : ''}`;
  const lines = [state, ...(device ? deviceText(device, memory) : [])];
  if (memory)
    lines.push(
      `process ${formatBytes(memory.rssBytes)}, JavaScript heap ${formatBytes(memory.heapBytes)}, typed arrays ${formatBytes(memory.arrayBufferBytes)}, free on host ${formatBytes(memory.systemFreeBytes)}`,
    );
  return text.appendMarkdown([...lines, 'Click for kernel commands.'].map(literal).join('\n\n'));
}

export function createStatusBar(sessions: Sessions): vscode.Disposable {
  const item = vscode.window.createStatusBarItem('fgnb.kernel', vscode.StatusBarAlignment.Left, 50);
  item.name = 'Feature Geometry kernel';
  item.command = COMMAND.kernelMenu;
  const update = (): void => {
    const notebook = activeNotebook();
    if (!notebook) return item.hide();
    const session = sessions.find(notebook);
    item.text = itemText(session);
    item.tooltip = tooltip(session);
    item.accessibilityInformation = { label: item.text.replace(/\$\([^)]*\)/g, '').trim() };
    item.backgroundColor =
      session?.state === 'dead' ? new vscode.ThemeColor('statusBarItem.errorBackground') : undefined;
    item.show();
  };
  // The clock of a running cell.
  const tick = setInterval(() => {
    const state = sessions.find(activeNotebook())?.state;
    if (state === 'busy' || state === 'interrupting') update();
  }, 1000);
  update();
  return vscode.Disposable.from(
    item,
    sessions.onDidChange(update),
    sessions.onDidEndCell(update),
    onDidChangeActiveNotebook(update),
    { dispose: () => clearInterval(tick) },
  );
}
