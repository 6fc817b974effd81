"""Notebooks as Jupyter's own library writes them, with what it reads of them: golden input of src/kernel/convert.

Run: /usr/bin/python3 test/goldens/ipynb.py  (nbformat 5.5) -> test/goldens/ipynb.json
"""

import json
import os

import nbformat
from nbformat import v3, v4

PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
PANDAS = '<div>\n<style scoped>\n    .dataframe { color: red }\n</style>\n<table border="1" class="dataframe"><tr><td>1</td></tr></table>\n</div>'


def rich():
    outputs = [
        v4.new_output('stream', name='stdout', text='one\ntwo\n'),
        v4.new_output('stream', name='stderr', text='warned\n'),
        v4.new_output('stream', name='stdout', text='three'),
        v4.new_output('display_data', {'image/png': PNG + '\n', 'text/plain': '<Figure size 640x480 with 1 Axes>'},
                      metadata={'image/png': {'width': 10}}),
        v4.new_output('display_data', {'text/html': PANDAS, 'text/plain': '   a\n0  1'}),
        v4.new_output('display_data', {'text/html': '<b>bold</b> &amp; <table><tr><td style="text-align: right">1</td></tr></table>'}),
        v4.new_output('display_data', {'application/javascript': 'alert(1)'}),
        v4.new_output('display_data', {'application/vnd.plotly.v1+json': {'data': [{'x': [1, 2.5, None]}]}, 'text/plain': ''}),
        v4.new_output('execute_result', {'text/plain': '3', 'application/json': {'__proto__': [1, {'b': None}]}}, execution_count=4),
        v4.new_output('error', ename='ValueError', evalue='bad', traceback=['\x1b[0;31m---\x1b[0m', 'one\ntwo', 'ValueError: bad']),
    ]
    cells = [
        v4.new_markdown_cell('# Title\n\n![a](attachment:a.png)', id='first', attachments={'a.png': {'image/png': PNG}}),
        v4.new_code_cell('print(1)\r\nprint(2)', id='second', execution_count=4, outputs=outputs,
                         metadata={'tags': ['a', 'b'], 'collapsed': False, 'scrolled': 'auto', 'jupyter': {'source_hidden': True}}),
        v4.new_raw_cell('<raw>', id='third', metadata={'format': 'text/html'}),
        v4.new_code_cell('', id='fourth'),
        v4.new_code_cell('select 1', id='fifth', metadata={'vscode': {'languageId': 'sql'}}),
        v4.new_code_cell('x', id='sixth', metadata={'vscode': {'languageId': 'python'}, '__proto__': {'a': 1}}),
    ]
    kernelspec = {'name': 'python3', 'display_name': 'Python 3', 'language': 'python'}
    info = {'name': 'python', 'version': '3.11', 'codemirror_mode': {'name': 'ipython', 'version': 3}}
    return v4.new_notebook(cells=cells, metadata={'kernelspec': kernelspec, 'language_info': info, 'own': {'a': [1]}})


def of_minor(minor):
    notebook = rich()
    notebook['nbformat_minor'] = minor
    for cell in notebook.cells:
        del cell['id']
        if minor < 1:
            cell.pop('attachments', None)
    return notebook


def deno():
    cells = [v4.new_code_cell('const x: number = 1', id='a'), v4.new_markdown_cell('text', id='b')]
    return v4.new_notebook(cells=cells, metadata={'kernelspec': {'name': 'deno', 'display_name': 'Deno', 'language': 'typescript'}})


def text_of(notebook):
    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT)


def read(text):
    notebook = nbformat.reads(text, as_version=nbformat.NO_CONVERT)
    return {'metadata': notebook.metadata, 'cells': notebook.cells}


def main():
    made = {f'4.{minor}': of_minor(minor) for minor in range(5)}
    made.update({'4.5': rich(), 'TypeScript for another kernel': deno(), 'empty': v4.new_notebook()})
    cases = []
    for name, notebook in made.items():
        text = text_of(notebook)
        cases.append({'name': name, 'text': text, 'read': read(text)})
    old = v3.new_notebook(worksheets=[v3.new_worksheet(cells=[v3.new_code_cell('1')])])
    out = {'cases': cases, 'nbformat3': v3.writes_json(old)}
    with open(os.path.join(os.path.dirname(__file__), 'ipynb.json'), 'w') as file:
        json.dump(out, file, indent=1, sort_keys=True)
        file.write('\n')


main()
