/**
 * Entry of the suite inside VS Code, in the shape that @vscode/test-electron and the workbench's test driver share:
 * `run(): Promise<void>`. Each result is written to FGNB_RESULTS as it happens, so that a dead extension host shows.
 */
import fs from 'node:fs';
import path from 'node:path';
import Mocha from 'mocha';
import * as vscode from 'vscode';

export function run(): Promise<void> {
  const file = process.env.FGNB_RESULTS;
  const put = (event: object): void => {
    if (file) fs.appendFileSync(file, JSON.stringify(event) + '\n');
  };
  put({ event: 'start', vscode: vscode.version, node: process.version, pid: process.pid });
  const mocha = new Mocha({ ui: 'tdd', color: false, timeout: 60_000, reporter: 'spec', forbidOnly: true });
  if (process.env.FGNB_GREP) mocha.grep(process.env.FGNB_GREP);
  const suite = path.join(__dirname, 'suite');
  for (const name of fs.readdirSync(suite).sort())
    if (name.endsWith('.test.cjs')) mocha.addFile(path.join(suite, name));
  // The source of a bundle of a test file.
  const source = (file = ''): string => `test/vscode/suite/${path.basename(file, '.cjs')}.ts`;
  const of = (test: Mocha.Test): { title: string; file: string } => ({
    title: test.fullTitle(),
    file: source(test.file),
  });
  return new Promise((resolve, reject) => {
    const runner = mocha.run((failures) => {
      put({ event: 'end', failures, ...runner.stats });
      if (failures > 0) reject(new Error(`${failures} tests failed`));
      else resolve();
    });
    runner.on('pass', (test) => put({ event: 'pass', ...of(test), ms: test.duration }));
    runner.on('fail', (test, error: Error) => put({ event: 'fail', ...of(test), error: error.stack ?? String(error) }));
    runner.on('pending', (test) => put({ event: 'pending', ...of(test) }));
  });
}
