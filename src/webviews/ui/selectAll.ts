/**
 * Ctrl+A in a text box. VS Code takes the key from a webview, runs its own Select All and sends that back: it arrives
 * after the next letters that are typed, and the letter behind it then replaces them.
 */

function textBox(event: KeyboardEvent): HTMLInputElement | HTMLTextAreaElement | undefined {
  const [target] = event.composedPath();
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement ? target : undefined;
}

/** Selects at once in the text boxes inside `root`, and keeps the key from the workbench. Returns the undo. */
export function ownSelectAll(root: HTMLElement): () => void {
  const listener = (event: KeyboardEvent): void => {
    const selects = (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
    const box = selects && event.key.toLowerCase() === 'a' ? textBox(event) : undefined;
    if (!box) return;
    event.preventDefault();
    event.stopPropagation();
    box.select();
  };
  root.addEventListener('keydown', listener);
  return () => root.removeEventListener('keydown', listener);
}
