/** Why a kernel ended, in words, with one thing to do next. Pure. */

export interface DeathFacts {
  /** Exit code and signal where known: a kernel that was reattached after a reload is not our child. */
  code?: number | null;
  signal?: string | null;
  /** Last lines of the kernel's log. */
  logTail: string;
  /** Last reported memory, for out-of-memory. */
  rssBytes?: number;
  systemFreeBytes?: number;
  /** It ended before it ever answered. */
  whileStarting?: boolean;
}

export interface DeathReport {
  /** One sentence: that it ended and how. */
  summary: string;
  /** The likely cause. */
  cause: string;
  /** One next step. */
  next: string;
  logTail: string;
}

const GIB = 2 ** 30;

function ending(facts: DeathFacts): string {
  const when = facts.whileStarting ? 'The kernel could not start' : 'The kernel died';
  if (facts.signal) return `${when} (signal ${facts.signal})`;
  if (typeof facts.code === 'number') return `${when} (exit code ${facts.code})`;
  return when;
}

function memory(facts: DeathFacts): string {
  if (!facts.rssBytes) return '';
  const free = facts.systemFreeBytes === undefined ? '' : `, ${(facts.systemFreeBytes / GIB).toFixed(1)} GiB free`;
  return ` It last used ${(facts.rssBytes / GIB).toFixed(1)} GiB${free}.`;
}

/** Causes that the log names, first match wins. */
const LOGGED: Array<{ pattern: RegExp; cause: string; next: string }> = [
  {
    pattern: /JavaScript heap out of memory|Reached heap limit|invalid array length Allocation failed/,
    cause: 'The JavaScript heap was full.',
    next: 'Raise the setting fgnb.heapSizeMb, or keep large results in typed arrays, then restart the kernel.',
  },
  {
    pattern: /CUDA_ERROR_OUT_OF_MEMORY|OOM when allocating tensor|cudaErrorMemoryAllocation/,
    cause: 'GPU memory was full.',
    next: 'Use a smaller batch or dispose tensors, then restart the kernel.',
  },
  {
    pattern: /error while loading shared libraries|cannot open shared object file|Could not load dynamic library/,
    cause: 'A system library is missing.',
    next: 'Run the command Doctor, which names it.',
  },
  {
    pattern: /ENOSPC|No space left on device/,
    cause: 'The disk is full.',
    next: 'Free space, or point fgnb.artifactFolder to another disk, then restart the kernel.',
  },
  {
    pattern: /EADDRINUSE/,
    cause: 'Another kernel holds this notebook’s socket.',
    next: 'Run the command Stop All Kernels, then restart the kernel.',
  },
  {
    pattern: /Cannot find module/,
    cause: 'A file of the kernel is missing.',
    next: 'Reinstall the extension (in a checkout: npm run build).',
  },
];

const RESTART = 'Restart the kernel; variables are gone, saved artifacts load again when their cells run.';

function likely(facts: DeathFacts): { cause: string; next: string } {
  const logged = LOGGED.find(({ pattern }) => pattern.test(facts.logTail));
  if (logged) return logged;
  if (facts.signal === 'SIGKILL' || facts.code === 137) {
    return {
      cause: `Something killed it: most often the system, out of memory.${memory(facts)}`,
      next: 'Make the step smaller (fewer tokens or features at once) or free memory, then restart the kernel.',
    };
  }
  if (facts.signal === 'SIGTERM' || facts.signal === 'SIGHUP' || facts.signal === 'SIGINT')
    return { cause: 'Another program or a session’s end stopped it.', next: RESTART };
  if (facts.signal === 'SIGSEGV' || facts.signal === 'SIGBUS' || facts.signal === 'SIGILL')
    return { cause: 'A native library crashed.', next: `${RESTART} If it happens again, set fgnb.device to cpu.` };
  if (facts.signal === 'SIGABRT')
    return {
      cause: `The runtime gave up.${memory(facts)}`,
      next: 'Read the log’s last lines below, then restart the kernel.',
    };
  if (facts.code === 0) return { cause: 'A cell or a module ended the process (process.exit).', next: RESTART };
  if (typeof facts.code === 'number')
    return { cause: 'An error that nothing caught, or a call of process.exit.', next: RESTART };
  return { cause: `Its process is gone; how it ended is not known.${memory(facts)}`, next: RESTART };
}

/** The likely cause and the next step: by what the log names, else by how the process ended. */
export function explainDeath(facts: DeathFacts): DeathReport {
  return { summary: `${ending(facts)}.`, ...pick(likely(facts)), logTail: facts.logTail.trimEnd() };
}

function pick({ cause, next }: { cause: string; next: string }): { cause: string; next: string } {
  return { cause, next };
}

/** The report as the text of an output. */
export function deathText(report: DeathReport): string {
  const tail = report.logTail.split('\n').slice(-12).join('\n');
  return [`${report.cause} ${report.next}`, ...(tail ? ['', 'Last lines of the kernel’s log:', tail] : [])].join('\n');
}
