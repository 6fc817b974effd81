/** Warnings of Node: those on experimental features go to the kernel's log, others to the cell, shortened. */

interface Hooks {
  log: (text: string) => void;
  show: (text: string) => void;
}

/** Replaces Node's own printing of warnings. @returns how to undo it */
export function catchWarnings({ log, show }: Hooks): () => void {
  const before = process.listeners('warning');
  const report = (warning: Error & { code?: string }): void => {
    const text = `${warning.code ? `[${warning.code}] ` : ''}${warning.name}: ${warning.message}`;
    if (warning.name === 'ExperimentalWarning') log(text);
    else show(`${text}\n`);
  };
  process.removeAllListeners('warning');
  process.on('warning', report);
  return () => {
    process.off('warning', report);
    for (const listener of before) process.on('warning', listener);
  };
}
