import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import fs from 'node:fs/promises';
import {
  closeAll,
  errorOf,
  extensionApi,
  mimesOf,
  openInEditor,
  openNotebook,
  run,
  sessionOf,
  start,
  textOf,
  waitUntil,
} from '#test/vscode/support.js';

suite('running cells', () => {
  teardown(closeAll);
  suiteTeardown(async () => {
    for (const session of (await extensionApi()).sessions.all()) await session.shutdown();
    await vscode.commands.executeCommand('fgnb.stopAllKernels', true);
  });

  test('a cell prints, awaits and shows its last value', async () => {
    const notebook = await openNotebook([
      "console.log('hello')\nconst six: number = await Promise.resolve(6)\nsix * 7",
    ]);
    await run(notebook, 0);
    const cell = notebook.cellAt(0);
    assert.match(textOf(cell), /hello/);
    assert.match(textOf(cell), /42/);
    assert.equal(cell.executionSummary?.success, true);
    assert.equal(cell.executionSummary?.executionOrder, 1);
  });

  test('a name can be declared again, with another type', async () => {
    const notebook = await openNotebook(['const x: number = 1', "const x: string = 'again'", 'x']);
    await run(notebook, 0, 2);
    assert.match(textOf(notebook.cellAt(2)), /again/);
  });

  test('an error links to the line of its cell and marks the place', async () => {
    const notebook = await openNotebook(["function f() {\n  throw new TypeError('boom')\n}", 'let y = 1\n\nf()']);
    await run(notebook, 0);
    await run(notebook, 1);
    const { name, message, stack } = errorOf(notebook.cellAt(1));
    assert.equal(name, 'TypeError');
    assert.equal(message, 'boom');
    // The form that VS Code's renderer turns into links: execution number and line.
    assert.match(stack, /^Cell In\[1\], line 2$/m);
    assert.match(stack, /^Cell In\[2\], line 3$/m);
    assert.match(stack, /throw new TypeError/);
    const [marked] = vscode.languages
      .getDiagnostics(notebook.cellAt(0).document.uri)
      .filter((d) => /boom/.test(d.message));
    assert.equal(marked?.range.start.line, 1);
    assert.equal(notebook.cellAt(1).executionSummary?.success, false);
  });

  test('a failing cell stops what waits behind it', async () => {
    const notebook = await openNotebook(["throw new Error('stop here')", "console.log('must not run')"]);
    await start(notebook, 0, 1);
    await waitUntil('first failed', () => notebook.cellAt(0).executionSummary?.success === false);
    const session = await sessionOf(notebook);
    await waitUntil('idle', () => session.state === 'idle');
    assert.equal(textOf(notebook.cellAt(1)), '');
  });

  test('a cell that was queued and never ran still says which run its outputs are from', async () => {
    const notebook = await openNotebook([
      "globalThis.n = (globalThis.n ?? 0) + 1\nif (n > 1) throw new Error('second time')",
      "'first run'",
    ]);
    await run(notebook, 0, 1);
    const before = notebook.cellAt(1).executionSummary;
    await start(notebook, 0, 1);
    await waitUntil('first failed', () => notebook.cellAt(0).executionSummary?.success === false);
    await waitUntil('second as before', () => notebook.cellAt(1).executionSummary?.success === true);
    assert.deepEqual(notebook.cellAt(1).executionSummary, before);
    assert.match(textOf(notebook.cellAt(1)), /first run/);
  });

  test('output that comes after the cell has finished is shown as such', async () => {
    const notebook = await openNotebook(["setTimeout(() => console.log('much later'), 700)\n'done'"]);
    await run(notebook, 0);
    const before = notebook.cellAt(0).executionSummary;
    await waitUntil('late output', () =>
      /arrived after the cell had finished\]\nmuch later/s.test(textOf(notebook.cellAt(0)).replace(/\]\n+/g, ']\n')),
    );
    await waitUntil('same summary', () => notebook.cellAt(0).executionSummary?.success === true);
    assert.deepEqual(notebook.cellAt(0).executionSummary, before);
  });

  test('interrupt stops an endless loop and keeps the variables', async () => {
    const notebook = await openNotebook(["const kept = 'still here'", 'for (;;) {}', 'kept']);
    await run(notebook, 0);
    const session = await sessionOf(notebook);
    // Else 'busy' may still be that of the first cell, and there is nothing to interrupt.
    await waitUntil('idle', () => session.state === 'idle');
    await start(notebook, 1);
    await waitUntil('busy', () => session.state === 'busy');
    const pid = session.kernel.processId;
    await vscode.commands.executeCommand('fgnb.interruptKernel');
    await waitUntil('idle again', () => session.state === 'idle');
    await run(notebook, 2);
    assert.match(textOf(notebook.cellAt(2)), /still here/);
    assert.equal(session.kernel.processId, pid);
  });

  test('restart forgets variables and counts from 1', async () => {
    const notebook = await openNotebook(['let gone = 1', 'typeof gone']);
    await run(notebook, 0);
    await vscode.commands.executeCommand('fgnb.restartKernel');
    await run(notebook, 1);
    assert.match(textOf(notebook.cellAt(1)), /undefined/);
    assert.equal(notebook.cellAt(1).executionSummary?.executionOrder, 1);
  });

  test('restart ends a cell that runs, and the next one runs', async () => {
    const notebook = await openNotebook(['for (;;) {}', "'alive'"]);
    await start(notebook, 0);
    const session = await sessionOf(notebook);
    await waitUntil('busy', () => session.state === 'busy');
    await vscode.commands.executeCommand('fgnb.restartKernel');
    await run(notebook, 1);
    assert.match(textOf(notebook.cellAt(1)), /alive/);
    assert.notEqual(notebook.cellAt(0).executionSummary?.success, true);
  });

  test('a killed kernel is reported in its cell with cause and next step, and can be restarted', async () => {
    const notebook = await openNotebook(['await new Promise(() => {})', "'back again'"]);
    await start(notebook, 0);
    const session = await sessionOf(notebook);
    await waitUntil('busy', () => session.state === 'busy' && session.kernel.processId !== undefined);
    process.kill(session.kernel.processId as number, 'SIGKILL');
    await waitUntil('dead', () => session.state === 'dead');
    await waitUntil('told in the cell', () => notebook.cellAt(0).outputs.length > 0);
    const { name, message } = errorOf(notebook.cellAt(0));
    assert.match(name, /kernel died.*SIGKILL/i);
    assert.match(message, /out of memory/);
    assert.match(message, /restart the kernel/i);
    await waitUntil('ended', () => notebook.cellAt(0).executionSummary?.success === false);
    await vscode.commands.executeCommand('fgnb.restartKernel');
    await run(notebook, 1);
    assert.match(textOf(notebook.cellAt(1)), /back again/);
  });

  test('process.exit in a cell does not end the kernel', async () => {
    const notebook = await openNotebook(['const kept = 5\nprocess.exit(3)', 'kept']);
    await start(notebook, 0);
    await waitUntil('ended', () => notebook.cellAt(0).executionSummary?.success === false);
    assert.match(errorOf(notebook.cellAt(0)).message, /Restart Kernel/);
    await run(notebook, 1);
    assert.match(textOf(notebook.cellAt(1)), /5/);
  });

  test('100,000 printed lines stay bounded and in order', async () => {
    const notebook = await openNotebook([
      "for (let i = 0; i < 100_000; i++) console.log('line ' + i)\nconsole.error('last')",
    ]);
    let longest = 0;
    let before = Date.now();
    const beat = setInterval(() => {
      longest = Math.max(longest, Date.now() - before);
      before = Date.now();
    }, 50);
    await run(notebook, 0);
    clearInterval(beat);
    const cell = notebook.cellAt(0);
    assert.ok(cell.outputs.length <= 5, `${cell.outputs.length} outputs`);
    const text = textOf(cell);
    assert.match(text, /line 0\n/);
    assert.match(text, /line 99999\n/);
    assert.match(text, /last/);
    // The extension host answered all along.
    assert.ok(longest < 5000, `the extension host was blocked for ${longest} ms`);
  });

  test('what was printed is saved as one text per stream and read back', async () => {
    const notebook = await openNotebook([
      "for (const i of [1, 2, 3]) { console.log('n' + i); await new Promise(r => setTimeout(r, 150)) }",
    ]);
    await run(notebook, 0);
    await notebook.save();
    const saved = JSON.parse(await fs.readFile(notebook.uri.fsPath, 'utf8')) as {
      cells: Array<{ outputs: unknown; execution: { status: string } }>;
    };
    assert.deepEqual(saved.cells[0].outputs, [
      { items: [{ mime: 'application/vnd.code.notebook.stdout', text: ['n1\n', 'n2\n', 'n3\n'] }] },
    ]);
    assert.equal(saved.cells[0].execution.status, 'ok');
    assert.deepEqual(mimesOf(notebook.cellAt(0)).includes('application/vnd.fgnb.progress+json'), false);
  });

  test('a kernel goes on while its notebook is closed, and its output is there when it is opened again', async () => {
    // Opened as a user does: a document that an extension opens stays open for minutes after its editor is closed.
    const notebook = await openInEditor([
      "await new Promise(r => setTimeout(r, 2500))\nglobalThis.token = 'kept ' + process.pid\nconsole.log(token)",
      'token',
    ]);
    await start(notebook, 0);
    const session = await sessionOf(notebook);
    await waitUntil('busy', () => session.state === 'busy');
    const { uri } = notebook;
    const pid = session.kernel.processId;
    await notebook.save();
    await closeAll();
    await waitUntil('closed', () => notebook.isClosed);
    const again = await openInEditor(uri);
    await waitUntil('output replayed', () => textOf(again.cellAt(0)).includes(`kept ${pid}`));
    await run(again, 1);
    assert.match(textOf(again.cellAt(1)), new RegExp(`kept ${pid}`));
  });
});
