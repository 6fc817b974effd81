"""A second reader of saved SAEs, by numpy and torch alone: features and reconstructions of rows by each library's own encode.

Reads {"x": [[…]], "saes": [[layout, folder], …]} from stdin; writes [{"f": …, "y": …}, …]. Used by test/unit/sae/save.test.ts.
"""

import json
import os
import struct
import sys

import numpy as np
import torch


def safetensors(path):
    raw = open(path, 'rb').read()
    (n,) = struct.unpack('<Q', raw[:8])
    out = {}
    for name, t in json.loads(raw[8:8 + n]).items():
        if name != '__metadata__':
            a, b = t['data_offsets']
            assert t['dtype'] == 'F32'
            out[name] = np.frombuffer(raw[8 + n + a:8 + n + b], '<f4').reshape(t['shape']).astype('float64')
    return out


def relu(z):
    return np.maximum(z, 0)


def keep(z, k):
    out = np.zeros_like(z)
    for i, row in enumerate(z):
        order = np.argsort(-row, kind='stable')[:k]
        out[i, order] = row[order]
    return out


def gated(x, We, b_gate, r_mag, b_mag):
    p = x @ We
    return (p + b_gate > 0) * relu(p * np.exp(r_mag) + b_mag)


def pursue(left, W, cfg):
    f, before = np.zeros(len(W)), None
    for _ in range(cfg['max_iterations'] or W.shape[1]):
        best = np.argmax(W @ left)
        value = max(0.0, W[best] @ left)
        f[best] += value
        left = left - value * W[best]
        support = f != 0
        if cfg['stop_on_duplicate_support'] and before is not None and (support == before).all():
            break
        if cfg['residual_threshold'] > 0 and np.linalg.norm(left) < cfg['residual_threshold']:
            break
        before = support
    return f


def saelens(folder, x):
    cfg = json.load(open(os.path.join(folder, 'cfg.json')))
    t = safetensors(os.path.join(folder, 'sae_weights.safetensors'))
    arch, back = cfg['architecture'], lambda y: y
    assert cfg['metadata']['sae_lens_version'].startswith('6.')
    used = {'W_dec', 'b_dec'} if arch == 'matching_pursuit' else {'W_enc', 'W_dec', 'b_dec'}
    assert 'W_enc' not in used or t['W_enc'].shape == (cfg['d_in'], cfg['d_sae'])
    assert t['W_dec'].shape == (cfg['d_sae'], cfg.get('d_out', cfg['d_in']))
    h = x
    if cfg['normalize_activations'] == 'layer_norm':
        mu, std = x.mean(1, keepdims=True), x.std(1, ddof=1, keepdims=True)
        h, back = (x - mu) / (std + 1e-5), lambda y: y * std + mu
    elif cfg['normalize_activations'] == 'constant_norm_rescale':
        c = np.sqrt(x.shape[1]) / np.linalg.norm(x, axis=1, keepdims=True)
        h, back = x * c, lambda y: y / c
    if cfg['apply_b_dec_to_input']:
        h = h - t['b_dec']
    norms = np.ones(cfg['d_sae'])
    if arch == 'matching_pursuit':
        f = np.array([pursue(row, t['W_dec'], cfg) for row in h])
    elif arch == 'gated':
        used |= {'b_gate', 'r_mag', 'b_mag'}
        f = gated(h, t['W_enc'], t['b_gate'], t['r_mag'], t['b_mag'])
    else:
        used |= {'b_enc'}
        z = h @ t['W_enc'] + t['b_enc']
        if cfg.get('rescale_acts_by_decoder_norm'):
            norms = np.linalg.norm(t['W_dec'], axis=1)
            z = z * norms
        if arch in ('standard', 'transcoder', 'skip_transcoder'):
            f = relu(z)
        elif arch == 'topk':
            f = relu(keep(z, cfg['k']))
        elif arch == 'abstopk':
            f = keep(np.abs(z), cfg['k']) * np.sign(z)
        else:
            used |= {'threshold'}
            assert arch in ('jumprelu', 'jumprelu_transcoder', 'jumprelu_skip_transcoder'), arch
            f = relu(z) * (z > t['threshold'])
    y = back((f / norms) @ t['W_dec'] + t['b_dec'])
    if 'skip' in arch:
        used |= {'W_skip'}
        y = y + x @ t['W_skip'].T
    assert set(t) == used, (arch, set(t))
    return f, y


def sparsify(folder, x):
    cfg = json.load(open(os.path.join(folder, 'cfg.json')))
    t = safetensors(os.path.join(folder, 'sae.safetensors'))
    assert set(t) == {'encoder.weight', 'encoder.bias', 'W_dec', 'b_dec'} | ({'W_skip'} if cfg['skip_connection'] else set())
    z = relu((x if cfg['transcode'] else x - t['b_dec']) @ t['encoder.weight'].T + t['encoder.bias'])
    if cfg['activation'] == 'topk':
        f = keep(z, cfg['k'])
    else:
        groups = z.reshape(len(x), cfg['k'], -1)
        f = np.where(np.arange(groups.shape[2]) == groups.argmax(2)[..., None], groups, 0).reshape(z.shape)
    y = f @ t['W_dec'] + t['b_dec']
    return f, y + x @ t['W_skip'].T if cfg['skip_connection'] else y


def dictionary_learning(folder, x):
    cls = json.load(open(os.path.join(folder, 'config.json')))['trainer']['dict_class']
    t = {k: v.numpy().astype('float64') for k, v in torch.load(os.path.join(folder, 'ae.pt'), map_location='cpu').items()}
    lin = lambda v: v @ t['encoder.weight'].T + t['encoder.bias']
    out = lambda f, b: f @ t['decoder.weight'].T + b
    if cls == 'AutoEncoder':
        f = relu(lin(x - t['bias']))
        return f, out(f, t['bias'])
    if cls == 'AutoEncoderNew':
        f = relu(lin(x))
        return f, out(f, t['decoder.bias'])
    if cls == 'GatedAutoEncoder':
        f = gated(x - t['decoder_bias'], t['encoder.weight'].T, t['gate_bias'], t['r_mag'], t['mag_bias'])
        return f, out(f, t['decoder_bias'])
    if cls == 'AutoEncoderTopK':
        f = keep(relu(lin(x - t['b_dec'])), int(t['k']))
        return f, out(f, t['b_dec'])
    if cls == 'BatchTopKSAE':
        f = relu(lin(x - t['b_dec']))
        f = f * (f > t['threshold'])
        return f, out(f, t['b_dec'])
    assert cls == 'JumpReluAutoEncoder', cls
    z = x @ t['W_enc'] + t['b_enc']
    f = relu(z) * (z > t['threshold'])
    return f, f @ t['W_dec'] + t['b_dec']


job = json.load(sys.stdin)
readers = {'saelens': saelens, 'sparsify': sparsify, 'dictionary_learning': dictionary_learning}
results = []
for layout, folder in job['saes']:
    f, y = readers[layout](folder, np.array(job['x'], 'float32').astype('float64'))
    results.append({'f': f.tolist(), 'y': y.tolist()})
json.dump(results, sys.stdout)
