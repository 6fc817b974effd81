"""Files as numpy and PyTorch write them, with their values: golden input of the readers in src/kernel/io.

Run: /usr/bin/python3 test/goldens/io.py  (numpy 1.24, torch 1.13) -> test/goldens/io.json
"""

import base64
import collections
import io
import json
import os
import pickle
import zipfile

import numpy as np
import torch


def npy(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version, allow_pickle=True)
    return out.getvalue()


def b64(data):
    return base64.b64encode(data).decode()


def npy_case(name, array, version=None):
    flat = np.ascontiguousarray(array).reshape(-1)
    values = [float(v) for v in flat] if flat.dtype.kind == 'f' else [int(v) for v in flat]
    return {'name': name, 'bytes': b64(npy(array, version)), 'shape': list(array.shape), 'values': values}


def npy_cases():
    r = np.random.RandomState(0)
    x = r.randn(3, 4)
    cases = [npy_case(f'{t} C', (10 * x).astype(t)) for t in
             ['<f8', '<f4', '<f2', '>f8', '>f4', '>f2', '<i8', '>i8', '<i4', '>i4', '<i2', '>i2', 'i1', 'u1']]
    cases += [npy_case(f'{t} C', np.abs(10 * x).astype(t)) for t in ['<u2', '<u4', '>u4', '<u8', '>u8']]
    cases.append(npy_case('bool', x > 0))
    cases.append(npy_case('fortran 2-d', np.asfortranarray(x.astype('<f4'))))
    cases.append(npy_case('fortran 3-d', np.asfortranarray(r.randn(2, 3, 4).astype('<f4'))))
    cases.append(npy_case('fortran big-endian', np.asfortranarray(x.astype('>f4'))))
    cases.append(npy_case('fortran empty', np.asfortranarray(np.zeros((0, 3), '<f4'))))
    cases.append(npy_case('0-d', np.array(1.5, '<f4')))
    cases.append(npy_case('empty', np.zeros((0,), '<f4')))
    cases.append(npy_case('1-d', x[0].astype('<f4')))
    cases.append(npy_case('version 2', x.astype('<f4'), (2, 0)))
    cases.append(npy_case('version 3', x.astype('<f4'), (3, 0)))
    return cases


def npz(compressed, arrays):
    out = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(out, **arrays)
    return b64(out.getvalue())


def zip64():
    """One entry whose sizes and offset stand in zip64 fields."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w') as z:
        with z.open('a.npy', 'w', force_zip64=True) as f:
            f.write(npy(np.arange(3, dtype='<f4')))
    data = bytearray(out.getvalue())
    # zipfile writes zip64 fields to the directory only when they are needed: move the numbers there by hand.
    at = data.index(b'PK\x01\x02')
    import struct
    crc, csize, size = struct.unpack('<III', data[at + 16:at + 28])
    name = struct.unpack('<H', data[at + 28:at + 30])[0]
    extra = struct.pack('<HHQQQ', 1, 24, size, csize, 0)
    entry = bytearray(data[at:at + 46 + name])
    entry[20:28] = b'\xff' * 8
    entry[30:32] = struct.pack('<H', len(extra))
    entry[42:46] = b'\xff' * 4
    directory = bytes(entry) + extra
    end64 = struct.pack('<IQHHIIQQQQ', 0x06064b50, 44, 45, 45, 0, 0, 1, 1, len(directory), at)
    locator = struct.pack('<IIQI', 0x07064b50, 0, at + len(directory), 1)
    end = struct.pack('<IHHHHIIH', 0x06054b50, 0, 0, 0xffff, 0xffff, 0xffffffff, 0xffffffff, 0)
    return b64(bytes(data[:at]) + directory + end64 + locator + end)


def torch_bytes(value, legacy=False):
    out = io.BytesIO()
    torch.save(value, out, _use_new_zipfile_serialization=not legacy)
    return b64(out.getvalue())


def tensors(value, prefix=''):
    if isinstance(value, torch.Tensor):
        v = value.detach()
        flat = v.reshape(-1)
        values = [float(x) for x in flat.double()] if v.is_floating_point() else [int(x) for x in flat]
        return {prefix or 'tensor': {'shape': list(v.shape), 'dtype': str(v.dtype), 'values': values}}
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    else:
        return {}
    out = {}
    for k, v in items:
        out.update(tensors(v, f'{prefix}.{k}' if prefix else str(k)))
    return out


def torch_case(name, value, legacy=False):
    return {'name': name, 'bytes': torch_bytes(value, legacy), 'tensors': tensors(value)}


def torch_cases():
    torch.manual_seed(0)
    x = torch.randn(4, 6)
    dtypes = {str(t): (10 * x[:2, :3]).to(t) for t in
              [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
               torch.int8, torch.bool]}
    dtypes['torch.uint8'] = (10 * x[:2, :3]).abs().to(torch.uint8)
    shared = torch.arange(12, dtype=torch.float32)
    views = {'whole': shared, 'transposed': shared.view(3, 4).t(), 'middle': shared[4:8], 'strided': shared[1::3],
             'expanded': shared[2:3].expand(5), 'column': shared.view(3, 4)[:, 1], 'empty': shared[:0],
             'permuted': shared.view(2, 3, 2).permute(2, 0, 1)}
    module = torch.nn.Linear(3, 2)
    nested = {'model': module.state_dict(), 'step': 7, 'config': {'k': 4, 'name': 'sae', 'lr': 1e-3, 'flag': True,
              'none': None, 'big': 2 ** 70}, 'list': [torch.ones(2), (torch.zeros(1),)], 'size': torch.Size([2, 3]),
              'dtype': torch.float32, 'device': torch.device('cpu'), 'bytes': b'\x00\xff', 'set': {1, 2}}
    cases = [torch_case('dtypes', dtypes), torch_case('views of one storage', views), torch_case('nested', nested),
             torch_case('bare tensor', x), torch_case('0-d', {'k': torch.tensor(4, dtype=torch.int32)}),
             torch_case('parameters', collections.OrderedDict(module.named_parameters()))]
    cases += [torch_case(f'legacy {c["name"]}', v, True) for c, v in
              zip(cases, [dtypes, views, nested, x])]
    return cases


class Evil:
    def __init__(self, call, args):
        self.call, self.args = call, args

    def __reduce__(self):
        return self.call, self.args


def refused():
    """Pickles that would run code in Python. Made, never loaded."""
    cases = [
        ('posix.system', torch_bytes({'x': Evil(os.system, ('touch /tmp/owned',))}), 'posix.system'),
        ('builtins.eval', torch_bytes(Evil(eval, ('1+1',))), '__builtin__.eval'),
        ('legacy eval', torch_bytes(Evil(eval, ('1+1',)), True), '__builtin__.eval'),
        ('whole module', torch_bytes(torch.nn.Linear(2, 2)), 'torch.nn.modules.linear.Linear'),
        ('getattr', torch_bytes(Evil(getattr, ('', 'join'))), '__builtin__.getattr'),
    ]
    return [{'name': n, 'bytes': b, 'global': g} for n, b, g in cases]


def plain_pickles():
    value = {'a': [1, -2, 3.5, True, False, None, 'text é', b'bytes'], 't': (1, 2, 3, 4), 'n': [10 ** 6, 300, 2 ** 40, -2 ** 70],
             'e': [{}, [], ()]}
    return [{'protocol': p, 'bytes': b64(pickle.dumps(value, p))} for p in range(6)]


r = np.random.RandomState(1)
sae = {'W_enc': r.randn(3, 5).astype('<f4'), 'b_enc': np.zeros(5, '<f4'), 'W_dec': np.asfortranarray(r.randn(5, 3).astype('<f4')),
       'threshold': np.array(0.5, '<f8')}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'io.json'), 'w') as f:
    json.dump({
        'npy': npy_cases(),
        'npyRefused': [{'name': n, 'bytes': b64(npy(a))} for n, a in [
            ('objects', np.array([1, 'a'], dtype=object)), ('complex', np.zeros(2, 'c8')), ('text', np.array(['ab'])),
            ('record', np.zeros(2, [('x', 'f4')])), ('date', np.zeros(1, 'M8[s]'))]],
        'npz': [{'name': 'stored', 'bytes': npz(False, sae)}, {'name': 'deflated', 'bytes': npz(True, sae)}],
        'npzArrays': {k: {'shape': list(v.shape), 'values': [float(x) for x in np.ascontiguousarray(v).reshape(-1)]} for k, v in sae.items()},
        'npzObjects': npz(False, {'good': np.ones(2, '<f4'), 'bad': np.array([{}], dtype=object)}),
        'zip64': zip64(),
        'torch': torch_cases(),
        'torchRefused': refused(),
        'pickle': plain_pickles(),
    }, f)
    f.write('\n')
