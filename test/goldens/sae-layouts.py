"""SAE files of every layout and architecture, as their libraries lay them out, with f and x-hat by plain loops in float64:
golden input of src/kernel/sae/load.ts. Each reference is the definition of the library's own encode, from its weights as
they lie in the file; nothing is shared with the reader.

Run: /usr/bin/python3 test/goldens/sae-layouts.py  (numpy 1.24, torch 1.13) -> test/goldens/sae-layouts.json
"""

import base64
import io
import json
import math
import os
import pickle
import struct
import zipfile

import numpy as np
import torch

D, F, O, N = 6, 12, 5, 4
CASES = []


def b64(data):
    return base64.b64encode(data).decode()


def safetensors(tensors):
    names = {np.dtype('float32'): 'F32', np.dtype('float64'): 'F64', np.dtype('int32'): 'I32'}
    header, body = {}, b''
    for name, a in tensors.items():
        a = np.ascontiguousarray(a) if np.ndim(a) else np.asarray(a)
        raw = a.tobytes()
        header[name] = {'dtype': names[a.dtype], 'shape': list(a.shape), 'data_offsets': [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    return struct.pack('<Q', len(text)) + text + body


def npz(tensors):
    out = io.BytesIO()
    np.savez(out, **tensors)
    return out.getvalue()


def pt(tensors):
    out = io.BytesIO()
    torch.save({k: torch.tensor(v) for k, v in tensors.items()}, out)
    return out.getvalue()


def npy(a):
    out = io.BytesIO()
    np.save(out, a)
    return out.getvalue()


def jsonb(value):
    return json.dumps(value).encode()


r = np.random.RandomState(7)


def rnd(*shape, scale=1.0):
    return (scale * r.randn(*shape)).astype('float32')


def make(out=D):
    return {'We': rnd(D, F), 'be': rnd(F, scale=.5), 'Wd': rnd(F, out), 'bd': rnd(out, scale=.5)}


X = rnd(N, D, scale=1.5) + np.float32(.3)


# --- definitions, one token and one feature at a time ---------------------------------------------------------------

def pre(x, We, be, sub=None):
    z = []
    for f in range(We.shape[1]):
        s = float(be[f])
        for j in range(We.shape[0]):
            s += (float(x[j]) - (float(sub[j]) if sub is not None else 0.0)) * float(We[j, f])
        z.append(s)
    return z


def relu(v):
    return v if v > 0 else 0.0


def topk(z, k):
    order = sorted(range(len(z)), key=lambda i: (-z[i], i))[:k]
    return [relu(z[i]) if i in order else 0.0 for i in range(len(z))]


def abstopk(z, k):
    order = sorted(range(len(z)), key=lambda i: (-abs(z[i]), i))[:k]
    return [z[i] if i in order else 0.0 for i in range(len(z))]


def groupmax(z, k):
    size = len(z) // k
    out = [0.0] * len(z)
    for g in range(k):
        best = max(range(g * size, (g + 1) * size), key=lambda i: (relu(z[i]), -i))
        out[best] = relu(z[best])
    return out


def jump(z, theta):
    return [relu(v) if v > float(t) else 0.0 for v, t in zip(z, theta)]


def gated(x, We, b_gate, r_mag, b_mag, sub):
    zero = [0.0] * We.shape[1]
    base = pre(x, We, zero, sub)
    out = []
    for f, p in enumerate(base):
        on = p + float(b_gate[f]) > 0
        out.append(relu(p * math.exp(float(r_mag[f])) + float(b_mag[f])) if on else 0.0)
    return out


def dec(f, Wd, bd):
    return [float(bd[j]) + sum(f[i] * float(Wd[i, j]) for i in range(len(f))) for j in range(Wd.shape[1])]


def skip(y, W, x):
    """W [d_out, d_in]"""
    return [v + sum(float(W[j, i]) * float(x[i]) for i in range(len(x))) for j, v in enumerate(y)]


def norms(Wd):
    return [math.sqrt(sum(float(v) ** 2 for v in row)) for row in Wd]


def case(name, files, load, encode, decode, config, options=None):
    f = [encode(x) for x in X]
    y = [decode(v, x) for v, x in zip(f, X)]
    CASES.append({'name': name, 'files': {k: b64(v) for k, v in files.items()}, 'load': load, 'options': options or {},
                  'config': config, 'f': f, 'y': y})


# --- SAELens --------------------------------------------------------------------------------------------------------

def lens(arch, tensors, v6=True, **cfg):
    base = {'d_in': D, 'd_sae': F, 'dtype': 'float32', 'device': 'cuda', 'apply_b_dec_to_input': True}
    if v6:
        base.update({'normalize_activations': 'none', 'reshape_activations': 'none', 'architecture': arch,
                     'metadata': {'model_name': 'tiny', 'hook_name': 'blocks.0.hook_mlp_out', 'sae_lens_version': '6.18.0',
                                  'prepend_bos': True, 'hook_name_out': None}})
    else:
        base.update({'hook_name': 'blocks.0.hook_mlp_out', 'model_name': 'tiny', 'hook_layer': 0, 'prepend_bos': True,
                     'sae_lens_training_version': '3.20.0', 'finetuning_scaling_factor': False, 'lr': 1e-4,
                     'dtype': 'torch.float32', 'normalize_activations': 'none'})
        if arch:
            base['architecture'] = arch
    base.update(cfg)
    return {'cfg.json': jsonb(base), 'sae_weights.safetensors': safetensors(tensors)}


def four(w):
    return {'W_enc': w['We'], 'b_enc': w['be'], 'W_dec': w['Wd'], 'b_dec': w['bd']}


w = make()
plain = lambda v, x, w=w: dec(v, w['Wd'], w['bd'])
case('SAELens 6 standard', lens('standard', four(w)), '.', lambda x, w=w: [relu(v) for v in pre(x, w['We'], w['be'], w['bd'])],
     plain, {'architecture': 'standard', 'applyBDecToInput': True, 'hookName': 'blocks.0.hook_mlp_out', 'modelName': 'tiny'})
case('SAELens 6 standard without b_dec', lens('standard', four(w), apply_b_dec_to_input=False), '.',
     lambda x, w=w: [relu(v) for v in pre(x, w['We'], w['be'])], plain, {'applyBDecToInput': False})
case('SAELens before 6 tanh-relu', lens(None, four(w), v6=False, activation_fn_str='tanh-relu'), '.',
     lambda x, w=w: [math.tanh(relu(v)) for v in pre(x, w['We'], w['be'], w['bd'])], plain,
     {'architecture': 'standard', 'activation': 'tanh-relu'})
case('SAELens 6 topk', lens('topk', four(w), k=3, rescale_acts_by_decoder_norm=False), 'sae_weights.safetensors',
     lambda x, w=w: topk(pre(x, w['We'], w['be'], w['bd']), 3), plain, {'architecture': 'topk', 'k': 3})
n = norms(w['Wd'])
resc = lambda x, w=w, n=n: [v * m for v, m in zip(pre(x, w['We'], w['be'], w['bd']), n)]
undo = lambda v, x, w=w, n=n: dec([a / m for a, m in zip(v, n)], w['Wd'], w['bd'])
case('SAELens 6 topk rescaled', lens('topk', four(w), k=3, rescale_acts_by_decoder_norm=True), '.',
     lambda x: topk(resc(x), 3), undo, {'architecture': 'topk', 'rescaleActsByDecoderNorm': True})
case('SAELens before 6 topk', lens('standard', four(w), v6=False, activation_fn='topk', activation_fn_kwargs={'k': 2}), '.',
     lambda x, w=w: topk(pre(x, w['We'], w['be'], w['bd']), 2), plain, {'architecture': 'topk', 'k': 2})
case('SAELens abstopk', lens('abstopk', four(w), k=3), '.',
     lambda x, w=w: abstopk(pre(x, w['We'], w['be'], w['bd']), 3), plain, {'architecture': 'abstopk', 'k': 3})
g = {'W_enc': w['We'], 'W_dec': w['Wd'], 'b_dec': w['bd'], 'b_gate': rnd(F), 'b_mag': rnd(F), 'r_mag': rnd(F, scale=.4)}
for tag, v6 in (('6', True), ('before 6', False)):
    case('SAELens %s gated' % tag, lens('gated', g, v6=v6), '.',
         lambda x: gated(x, g['W_enc'], g['b_gate'], g['r_mag'], g['b_mag'], g['b_dec']), plain, {'architecture': 'gated'})
theta = np.abs(rnd(F))
for tag, v6 in (('6', True), ('before 6', False)):
    case('SAELens %s jumprelu' % tag, lens('jumprelu', {**four(w), 'threshold': theta}, v6=v6), '.',
         lambda x, w=w: jump(pre(x, w['We'], w['be'], w['bd']), theta), plain, {'architecture': 'jumprelu'})
case('SAELens jumprelu by log_jumprelu_threshold', lens('jumprelu', {**four(w), 'log_jumprelu_threshold': np.log(theta)}), '.',
     lambda x, w=w: jump(pre(x, w['We'], w['be'], w['bd']), np.exp(np.log(theta).astype('float64'))), plain,
     {'architecture': 'jumprelu'})
for arch in ('batchtopk', 'matryoshka_batchtopk'):
    extra = {'matryoshka_widths': [4, 12]} if arch[0] == 'm' else {}
    t = {**four(w), 'topk_threshold': np.array(.8, 'float64')}
    case('SAELens checkpoint %s' % arch, lens(arch, t, k=3.0 if False else 3, topk_threshold_lr=.01, rescale_acts_by_decoder_norm=False, **extra),
         '.', lambda x, w=w: jump(pre(x, w['We'], w['be'], w['bd']), [.8] * F), plain, {'architecture': arch, 'k': 3})
case('SAELens checkpoint batchtopk rescaled',
     lens('batchtopk', {**four(w), 'topk_threshold': np.array(.8, 'float64')}, k=3, rescale_acts_by_decoder_norm=True), '.',
     lambda x: jump(resc(x), [.8] * F), undo, {'rescaleActsByDecoderNorm': True})

t = make(O)
tw = {'W_enc': t['We'], 'b_enc': t['be'], 'W_dec': t['Wd'], 'b_dec': t['bd']}
S = rnd(O, D)
trans = lambda v, x: dec(v, t['Wd'], t['bd'])
skipped = lambda v, x: skip(dec(v, t['Wd'], t['bd']), S, x)
zrelu = lambda x: [relu(v) for v in pre(x, t['We'], t['be'])]
zjump = lambda x: jump(pre(x, t['We'], t['be']), theta)
tc = dict(d_out=O, apply_b_dec_to_input=False)
case('SAELens transcoder', lens('transcoder', tw, **tc), '.', zrelu, trans, {'architecture': 'transcoder', 'dOut': O, 'transcoder': True})
case('SAELens skip_transcoder', lens('skip_transcoder', {**tw, 'W_skip': S}, **tc), '.', zrelu, skipped, {'architecture': 'skip_transcoder'})
case('SAELens jumprelu_transcoder', lens('jumprelu_transcoder', {**tw, 'threshold': theta}, **tc), '.', zjump, trans,
     {'architecture': 'jumprelu_transcoder'})
case('SAELens jumprelu_skip_transcoder', lens('jumprelu_skip_transcoder', {**tw, 'threshold': theta, 'W_skip': S}, **tc), '.',
     zjump, skipped, {'architecture': 'jumprelu_skip_transcoder'})


def layer_norm(x):
    m = sum(map(float, x)) / D
    std = math.sqrt(sum((float(v) - m) ** 2 for v in x) / (D - 1))
    return [(float(v) - m) / (std + 1e-5) for v in x], m, std


case('SAELens layer_norm', lens('standard', four(w), normalize_activations='layer_norm'), '.',
     lambda x, w=w: [relu(v) for v in pre(layer_norm(x)[0], w['We'], w['be'], w['bd'])],
     lambda v, x, w=w: [a * layer_norm(x)[2] + layer_norm(x)[1] for a in dec(v, w['Wd'], w['bd'])], {'normalizeActivations': 'layer_norm'})
const = lambda x: math.sqrt(D) / math.sqrt(sum(float(v) ** 2 for v in x))
case('SAELens constant_norm_rescale', lens('standard', four(w), normalize_activations='constant_norm_rescale'), '.',
     lambda x, w=w: [relu(v) for v in pre([float(a) * const(x) for a in x], w['We'], w['be'], w['bd'])],
     lambda v, x, w=w: [a / const(x) for a in dec(v, w['Wd'], w['bd'])], {'normalizeActivations': 'constant_norm_rescale'})
s = 1.75
scaled = lambda x, w=w: [relu(v) for v in pre([s * float(a) for a in x], w['We'], w['be'], w['bd'])]
unscaled = lambda v, x, w=w: [a / s for a in dec(v, w['Wd'], w['bd'])]
case('SAELens checkpoint with its scale', {**lens('standard', four(w), normalize_activations='expected_average_only_in'),
     'activation_scaler.json': jsonb({'scaling_factor': s})}, '.', scaled, unscaled, {'normalizeActivations': 'none'})
case('SAELens before 6 with normScalingFactor', lens('standard', four(w), v6=False, normalize_activations=True), '.', scaled, unscaled,
     {'normalizeActivations': 'none'}, {'normScalingFactor': s})
sf = np.abs(rnd(F)) + np.float32(.5)
case('SAELens before 6 scaling_factor', lens('standard', {**four(w), 'scaling_factor': sf}, v6=False, finetuning_scaling_factor=True), '.',
     lambda x, w=w: [relu(v) for v in pre(x, w['We'], w['be'], w['bd'])],
     lambda v, x, w=w: dec([a * float(q) for a, q in zip(v, sf)], w['Wd'], w['bd']), {'architecture': 'standard'})

# --- sparsify -------------------------------------------------------------------------------------------------------

w = make()
st = {'encoder.weight': w['We'].T, 'encoder.bias': w['be'], 'W_dec': w['Wd'], 'b_dec': w['bd']}
Wsk = rnd(D, D)


def sp(tensors, **cfg):
    base = {'activation': 'topk', 'expansion_factor': 2, 'normalize_decoder': True, 'num_latents': F, 'k': 3, 'multi_topk': False,
            'skip_connection': False, 'transcode': False, 'd_in': D}
    base.update(cfg)
    base = {k: v for k, v in base.items() if v is not None}
    return lambda folder: {folder + '/cfg.json': jsonb(base), folder + '/sae.safetensors': safetensors(tensors)}


plain = lambda v, x, w=w: dec(v, w['Wd'], w['bd'])
sub = lambda x, w=w: pre(x, w['We'], w['be'], w['bd'])
case('sparsify topk', sp(st)('layers.3'), 'layers.3', lambda x: topk(sub(x), 3), plain,
     {'architecture': 'topk', 'k': 3, 'hookName': 'blocks.3.hook_resid_post'})
case('sparsify num_latents 0, multi_topk, of a seed', sp(st, num_latents=0, multi_topk=True, activation=None)('h.1.mlp/seed2'),
     'h.1.mlp/seed2', lambda x: topk(sub(x), 3), plain, {'architecture': 'topk', 'hookName': 'blocks.1.hook_mlp_out'})
case('sparsify groupmax', sp(st, activation='groupmax', k=4)('layers.0'), 'layers.0/sae.safetensors', lambda x: groupmax(sub(x), 4), plain,
     {'architecture': 'groupmax', 'k': 4})
case('sparsify signed', sp(st, activation=None, signed=True)('layers.0'), 'layers.0', lambda x: abstopk(sub(x), 3), plain,
     {'architecture': 'abstopk'})
case('sparsify skip_connection', sp({**st, 'W_skip': Wsk}, skip_connection=True)('layers.0'), 'layers.0', lambda x: topk(sub(x), 3),
     lambda v, x, w=w: skip(dec(v, w['Wd'], w['bd']), Wsk, x), {'architecture': 'topk'})
raw = lambda x, w=w: pre(x, w['We'], w['be'])
case('sparsify transcode', sp(st, transcode=True)('layers.0.mlp'), 'layers.0.mlp', lambda x: topk(raw(x), 3), plain,
     {'architecture': 'topk', 'transcoder': True, 'applyBDecToInput': False, 'hookName': ''})
case('sparsify transcode with skip', sp({**st, 'W_skip': Wsk}, transcode=True, skip_connection=True)('layers.0.mlp'), 'layers.0.mlp',
     lambda x: topk(raw(x), 3), lambda v, x, w=w: skip(dec(v, w['Wd'], w['bd']), Wsk, x), {'transcoder': True})
case('sparsify without a config', {'sae.safetensors': safetensors(st)}, 'sae.safetensors', lambda x: topk(sub(x), 2), plain,
     {'architecture': 'topk', 'k': 2}, {'k': 2})

# --- Gemma Scope ----------------------------------------------------------------------------------------------------

gs = {**four(w), 'threshold': theta}
rawjump = lambda x: jump(raw(x), theta)
case('Gemma Scope', {'layer_12/width_16k/average_l0_82/params.npz': npz(gs)}, 'layer_12/width_16k/average_l0_82', rawjump, plain,
     {'architecture': 'jumprelu', 'applyBDecToInput': False})
case('Gemma Scope in lower case', {'params.npz': npz({k.replace('W_', 'w_'): v for k, v in gs.items()})}, 'params.npz', rawjump, plain,
     {'architecture': 'jumprelu'})
root = math.sqrt(D)
case('Gemma Scope embedding', {'embedding/width_4k/average_l0_5/params.npz': npz(gs)}, 'embedding/width_4k/average_l0_5',
     lambda x: jump(pre([float(a) / root for a in x], w['We'], w['be']), theta),
     lambda v, x, w=w: [root * (a - float(b)) + float(b) for a, b in zip(dec(v, w['Wd'], w['bd']), w['bd'])], {'architecture': 'jumprelu'})
low = {'w_enc': w['We'], 'b_enc': w['be'], 'w_dec': w['Wd'], 'b_dec': w['bd'], 'threshold': theta}
case('Gemma Scope 2', {'params.safetensors': safetensors(low), 'config.json': jsonb(
    {'hf_hook_point_in': 'model.layers.9.output', 'hf_hook_point_out': 'model.layers.9.output', 'width': F, 'model_name': 'google/gemma-3',
     'architecture': 'jump_relu', 'l0': 10, 'affine_connection': False, 'type': 'sae'})}, '.', rawjump, plain,
     {'architecture': 'jumprelu', 'applyBDecToInput': False, 'hookName': 'blocks.9.hook_resid_post'})
A = rnd(D, O)
low2 = {'w_enc': t['We'], 'b_enc': t['be'], 'w_dec': t['Wd'], 'b_dec': t['bd'], 'threshold': theta, 'affine_skip_connection': A}
case('Gemma Scope 2 transcoder with affine skip', {'params.safetensors': safetensors(low2)}, 'params.safetensors', zjump,
     lambda v, x: skip(trans(v, x), A.T, x), {'architecture': 'jumprelu_skip_transcoder', 'transcoder': True})
low3 = {k: v for k, v in low2.items() if k != 'affine_skip_connection'}
case('Gemma Scope 2 transcoder', {'params.safetensors': safetensors(low3)}, '.', zjump, trans, {'architecture': 'jumprelu_transcoder'})

# --- dictionary_learning --------------------------------------------------------------------------------------------

lin = {'encoder.weight': w['We'].T.copy(), 'encoder.bias': w['be'], 'decoder.weight': w['Wd'].T.copy()}
tr = {'activation_dim': D, 'dict_size': F, 'lr': 1e-4, 'trainer_class': 'X', 'layer': 3, 'lm_name': 'tiny', 'submodule_name': 'resid_post_layer_3'}


def dl(cls, tensors, **more):
    return {'ae.pt': pt(tensors), 'config.json': jsonb({'trainer': {**tr, 'dict_class': cls, **more}, 'buffer': {'ctx_len': 128, 'io': 'out'}})}


kth = {'k': np.array(3, 'int32'), 'threshold': np.array(.7, 'float32')}
relus = lambda x: [relu(v) for v in sub(x)]
t7 = [float(np.float32(.7))] * F
classes = [
    ('AutoEncoder', {**lin, 'bias': w['bd']}, relus, True, 'standard', {}),
    ('AutoEncoderNew', {**lin, 'decoder.bias': w['bd']}, lambda x: [relu(v) for v in raw(x)], 'options', 'standard',
     {'architecture': 'standard', 'applyBDecToInput': False}),
    ('GatedAutoEncoder', {'decoder_bias': w['bd'], 'encoder.weight': lin['encoder.weight'], 'r_mag': g['r_mag'], 'gate_bias': g['b_gate'],
                          'mag_bias': g['b_mag'], 'decoder.weight': lin['decoder.weight']},
     lambda x, w=w: gated(x, w['We'], g['b_gate'], g['r_mag'], g['b_mag'], w['bd']), True, 'gated', {}),
    ('AutoEncoderTopK', {**lin, 'b_dec': w['bd'], **kth}, lambda x: topk(sub(x), 3), True, 'topk', {'architecture': 'topk'}),
    ('BatchTopKSAE', {**lin, 'b_dec': w['bd'], **kth}, lambda x: jump(sub(x), t7), True, 'batchtopk', {'architecture': 'batchtopk'}),
    ('JumpReluAutoEncoder', {**four(w), 'threshold': theta}, rawjump, True, 'jumprelu', {}),
    ('MatryoshkaBatchTopKSAE', {**four(w), **kth, 'group_sizes': np.array([4, 8], 'int32')}, lambda x: jump(sub(x), t7), True,
     'matryoshka_batchtopk', {}),
]
for cls, tensors, enc, bare, arch, options in classes:
    case('dictionary_learning ' + cls, dl(cls, tensors), '.', enc, plain,
         {'architecture': arch, 'hookName': 'blocks.3.hook_resid_post', 'modelName': 'tiny'})
    case('dictionary_learning %s without a config' % cls, {'some.pt': pt(tensors)}, 'some.pt', enc, plain, {'architecture': arch}, options)
case('dictionary_learning checkpoint', {'config.json': jsonb({'trainer': {**tr, 'dict_class': 'JumpReluAutoEncoder'}}),
     'checkpoints/ae_500.pt': pt({**four(w), 'threshold': theta})}, 'checkpoints/ae_500.pt', rawjump, plain, {'architecture': 'jumprelu'})

# --- Llama Scope: s, decoder norms and threshold as its library applies them -------------------------------------------

avg = 4.5
sc = math.sqrt(D) / avg
hp = {'d_model': D, 'd_sae': F, 'expansion_factor': 2, 'hook_point_in': 'blocks.2.hook_resid_post', 'hook_point_out': 'blocks.2.hook_resid_post',
      'act_fn': 'jumprelu', 'jump_relu_threshold': .9, 'norm_activation': 'dataset-wise', 'use_decoder_bias': True,
      'dataset_average_activation_norm': {'in': avg, 'out': avg}, 'apply_decoder_bias_to_pre_encoder': False,
      'sparsity_include_decoder_norm': True, 'top_k': 3, 'use_glu_encoder': False, 'sae_type': 'sae', 'device': 'cuda'}
ll = {**lin, 'decoder.bias': w['bd']}
nn = norms(w['Wd'])
# In units of unscaled activations: z/s times the decoder norm against the threshold; reported times s.
lf = lambda x: [s_ if s_ / sc > .9 else 0.0 for s_ in [relu(v) * m for v, m in zip(pre([sc * float(a) for a in x], w['We'], w['be']), nn)]]
case('Llama Scope', {'hyperparams.json': jsonb(hp), 'checkpoints/final.safetensors': safetensors(ll)}, '.', lf,
     lambda v, x, w=w: [a / sc for a in dec([q / m for q, m in zip(v, nn)], w['Wd'], w['bd'])],
     {'architecture': 'jumprelu', 'applyBDecToInput': False, 'k': 3, 'hookName': 'blocks.2.hook_resid_post'})
lg = lambda x: [q if q / sc > .9 else 0.0 for q in [relu(v) for v in pre([sc * float(a) for a in x], w['We'], w['be'])]]
case('Llama Scope without decoder norms', {'hyperparams.json': jsonb({**hp, 'sparsity_include_decoder_norm': False, 'act_fn': 'topk'}),
     'checkpoints/final.safetensors': safetensors(ll)}, 'checkpoints/final.safetensors', lg,
     lambda v, x, w=w: [a / sc for a in dec(v, w['Wd'], w['bd'])], {'architecture': 'jumprelu'})

# --- others ---------------------------------------------------------------------------------------------------------

qw = {'W_enc': w['We'].T.copy(), 'b_enc': w['be'], 'W_dec': w['Wd'].T.copy(), 'b_dec': w['bd']}
case('Qwen-Scope', {'W64K-L0_3/layer7.sae.pt': pt(qw)}, 'W64K-L0_3/layer7.sae.pt', lambda x: topk(raw(x), 3), plain,
     {'architecture': 'topk', 'k': 3, 'applyBDecToInput': False, 'hookName': 'blocks.7.hook_resid_post'})
case('pre_bias', {'sae_12_3.pt': pt({'pre_bias': w['bd'], 'encoder_bias': w['be'], 'encoder_weights': w['We'], 'decoder_weights': w['Wd']})},
     'sae_12_3.pt', lambda x: topk(sub(x), 3), plain, {'architecture': 'topk', 'k': 3})
case('nn.Linear names', {'a.safetensors': safetensors({**lin, 'b_dec': w['bd']})}, 'a.safetensors', relus, plain, {'applyBDecToInput': True},
     {'architecture': 'standard', 'applyBDecToInput': True})
case('state dict', {'a.npz': npz(four(w))}, 'a.npz', lambda x: topk(sub(x), 3), plain, {'architecture': 'topk'}, {'k': 3})
case('state dict with threshold', {'a.safetensors': safetensors(gs)}, 'a.safetensors', lambda x: jump(sub(x), theta), plain,
     {'architecture': 'jumprelu'}, {'applyBDecToInput': True})
case('by a map, turned by shapes', {'a.pt': pt({'model.up': w['We'].T.copy(), 'model.up_bias': w['be'], 'model.down': w['Wd'].T.copy(), 'model.centre': w['bd']})},
     'a.pt', relus, plain, {'architecture': 'standard'},
     {'architecture': 'standard', 'map': {'W_enc': 'model.up', 'b_enc': 'model.up_bias', 'W_dec': 'model.down', 'b_dec': 'model.centre'}})


def pursue(x, W, b, threshold, most, once):
    """SAELens's matching pursuit of one token, in plain loops; b = None: b_dec takes no part."""
    left = [float(x[j]) - (float(b[j]) if b is not None else 0.0) for j in range(len(x))]
    f, before = [0.0] * len(W), []
    for _ in range(most):
        score = [relu(sum(a * float(v) for a, v in zip(left, row))) for row in W]
        best = max(range(len(W)), key=lambda i: (score[i], -i))
        f[best] += score[best]
        left = [a - score[best] * float(v) for a, v in zip(left, W[best])]
        support = [i for i in range(len(W)) if f[i] != 0]
        if (once and support == before) or (threshold > 0 and math.sqrt(sum(a * a for a in left)) < threshold):
            break
        before = support
    return f


# Drawn of a generator of its own, so that the cases above stay as they are.
own = np.random.RandomState(11)
MP = own.randn(F, D).astype('float32')
MP /= np.linalg.norm(MP, axis=1, keepdims=True)
mb = own.randn(D).astype('float32') * np.float32(.5)
case('SAELens matching_pursuit', lens('matching_pursuit', {'W_dec': MP, 'b_dec': mb}, residual_threshold=.8, max_iterations=None,
     stop_on_duplicate_support=True), '.', lambda x: pursue(x, MP, mb, .8, D, True), lambda v, x: dec(v, MP, mb),
     {'architecture': 'matching_pursuit', 'pursuit': {'residualThreshold': .8, 'maxIterations': None, 'stopOnDuplicateSupport': True}})
case('SAELens matching_pursuit past duplicates', lens('matching_pursuit', {'W_dec': MP, 'b_dec': mb}, residual_threshold=0,
     max_iterations=9, stop_on_duplicate_support=False, apply_b_dec_to_input=False), '.', lambda x: pursue(x, MP, None, 0, 9, False),
     lambda v, x: dec(v, MP, np.zeros(D)), {'architecture': 'matching_pursuit', 'applyBDecToInput': True})

DECODERS = {
    'W_dec.npy': npy(np.asfortranarray(w['Wd'])),
    'a.npz': npz({'W_dec': w['Wd'].astype('float64')}),
    'a.safetensors': safetensors({'W_dec': w['Wd'], 'b_dec': w['bd']}),
    'a.pt': pt({'decoder.weight': w['Wd'].T.copy()}),
    'b.pt': (lambda o: (torch.save(torch.tensor(w['Wd']), o), o.getvalue())[1])(io.BytesIO()),
    'old.pt': (lambda o: (torch.save(torch.tensor(w['Wd']), o, _use_new_zipfile_serialization=False), o.getvalue())[1])(io.BytesIO()),
    'a.pkl': pickle.dumps(w['Wd']),
    'torch.pkl': pickle.dumps(torch.tensor(w['Wd'])),
    'scalars.pkl': pickle.dumps({'W_dec': w['Wd'], 'd_sae': F}),
    'p2.pkl': pickle.dumps({'W_dec': w['Wd']}, protocol=2),
    'p5.pkl': pickle.dumps(np.asfortranarray(w['Wd']), protocol=4),
}

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'sae-layouts.json'), 'w') as out:
    json.dump({'x': X.tolist(), 'cases': CASES, 'decoder': w['Wd'].tolist(),
               'decoders': {k: b64(v) for k, v in DECODERS.items()}}, out)
    out.write('\n')
print(len(CASES), 'cases')
