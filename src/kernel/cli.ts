/** The `fgnb` command line: `fgnb COMMAND …`; each command is declared in `cli/`. */
import { parseArgs } from 'node:util';
import { artifacts } from './cli/artifacts.js';
import { print, UsageError, type Command } from './cli/command.js';
import { gpu } from './cli/gpu.js';
import { doctor, inspect } from './cli/inspect.js';
import { jupyter } from './cli/jupyter.js';
import { convert, exportReport } from './cli/notebooks.js';
import { jobs, submit, task } from './cli/cluster.js';
import { hasControlPipe, ignoreStopSignals, launch, run } from './cli/run.js';
import { messageOf } from './io/files.js';
import { hasRequiredFlag } from './session/launch.js';
import { exitProcess } from './session/process.js';
import { KERNEL_VERSION } from './session/version.js';

const COMMANDS: Readonly<Record<string, Command>> = {
  run,
  submit,
  jobs,
  export: exportReport,
  inspect,
  convert,
  artifacts,
  jupyter,
  doctor,
  gpu,
  task,
};

const help = (): string =>
  `fgnb ${KERNEL_VERSION} · Feature Geometry Notebooks\n\n${Object.values(COMMANDS)
    .map((command) => command.help)
    .join('\n')}\n  fgnb --help | --version`;

function parse(name: string, { options, takes: [least, most, words] }: Command, args: string[]) {
  try {
    const parsed = parseArgs({ args, options, allowPositionals: true });
    const { length } = parsed.positionals;
    if (length < least) throw new UsageError(`fgnb ${name} needs ${words}`);
    if (length > most) throw new UsageError(`too many arguments: ${parsed.positionals.slice(most).join(' ')}`);
    return parsed;
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(`fgnb ${name}: ${messageOf(error)}`);
  }
}

async function main([name, ...args]: string[]): Promise<number> {
  if (name === '--version' || name === '-v') return (print(KERNEL_VERSION), 0);
  if (name === undefined || name === 'help' || name === '--help' || name === '-h')
    return (print(help()), name === undefined ? 2 : 0);
  if (!Object.hasOwn(COMMANDS, name)) {
    const known = Object.keys(COMMANDS).join(', ');
    throw new UsageError(
      name.startsWith('-') ? `${name} comes behind a command: ${known}` : `unknown command ${name}; there are ${known}`,
    );
  }
  const command = COMMANDS[name];
  if (args.some((arg) => arg === '--help' || arg === '-h')) return (print(command.help), 0);
  const { values, positionals } = parse(name, command, args);
  return command.run(values, positionals);
}

if (['run', 'submit'].includes(process.argv[2]) && !hasRequiredFlag()) launch();
else {
  if (hasControlPipe()) ignoreStopSignals();
  main(process.argv.slice(2))
    .catch((error: unknown) => {
      process.stderr.write(`fgnb: ${messageOf(error)}\n`);
      if (error instanceof UsageError) process.stderr.write('Try: fgnb --help\n');
      return error instanceof UsageError ? 2 : 1;
    })
    .then(
      (code) => exitProcess(code),
      () => exitProcess(1),
    );
}
