"""A language model of Llama's architecture trained on stories.txt, in files as transformers saves them, with what it must
give: ids of its SentencePiece-like tokenizer by plain loops, activations and logits in float64 by numpy from
modeling_llama.py's definitions (nothing of the training code is used for them), and a greedy continuation.

Run: /usr/bin/python3 test/goldens/llama.py  (numpy 1.24, torch 1.13; two minutes) -> test/goldens/llama/
"""

import collections
import json
import math
import os
import struct

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, 'llama')
VOCAB, D, HEADS, KV, MLP, LAYERS, CONTEXT = 400, 32, 4, 2, 64, 2, 128
DH, EPS, BASE = D // HEADS, 1e-5, 10000.0
os.makedirs(OUT, exist_ok=True)
text = open(os.path.join(HERE, 'stories.txt'), encoding='utf8').read()
stories = [s for s in text.strip().split('\n\n')]

# -- Tokenizer --------------------------------------------------------------------------------------------------------

special = ['<unk>', '<s>', '</s>']
vocab = special + [f'<0x{b:02X}>' for b in range(256)]
words = collections.Counter('\u2581' + w for s in stories for w in s.split(' '))
vocab += sorted(set(''.join(words)))
split = {w: list(w) for w in words}
merges = []
while len(vocab) < VOCAB:
    pairs = collections.Counter()
    for w, n in words.items():
        for pair in zip(split[w], split[w][1:]):
            pairs[pair] += n
    (a, b), _ = min(pairs.items(), key=lambda e: (-e[1], e[0]))
    merges.append((a, b))
    if a + b not in vocab:
        vocab.append(a + b)
    for w, parts in split.items():
        i, joined = 0, []
        while i < len(parts):
            both = parts[i : i + 2] == [a, b]
            joined.append(a + b if both else parts[i])
            i += 2 if both else 1
        split[w] = joined
ids_of = {token: i for i, token in enumerate(vocab)}
rank = {pair: i for i, pair in enumerate(merges)}


def encode(text):
    """Ids without <s>: characters, or their bytes where the vocabulary lacks them, merged by rank."""
    if text == '':
        return []
    parts = []
    for c in '\u2581' + text.replace(' ', '\u2581'):
        parts += [c] if c in ids_of else [f'<0x{b:02X}>' for b in c.encode()]
    while True:
        best = min(range(len(parts) - 1), key=lambda i: rank.get((parts[i], parts[i + 1]), math.inf), default=None)
        if best is None or (parts[best], parts[best + 1]) not in rank:
            return [ids_of[p] for p in parts]
        parts[best : best + 2] = [parts[best] + parts[best + 1]]


def added(i, content):
    flags = {'single_word': False, 'lstrip': False, 'rstrip': False, 'normalized': False, 'special': True}
    return {'id': i, 'content': content, **flags}


def template(*names):
    out = []
    for i, name in enumerate(names):
        out += [{'SpecialToken': {'id': '<s>', 'type_id': i}}, {'Sequence': {'id': name, 'type_id': i}}]
    return out


def write(name, value):
    with open(os.path.join(OUT, name), 'w', encoding='utf8') as f:
        json.dump(value, f, ensure_ascii=False)


space = {'type': 'Replace', 'pattern': {'String': ' '}, 'content': '\u2581'}
back = {'type': 'Replace', 'pattern': {'String': '\u2581'}, 'content': ' '}
write('tokenizer.json', {
    'version': '1.0', 'truncation': None, 'padding': None,
    'added_tokens': [added(i, token) for i, token in enumerate(special)],
    'normalizer': {'type': 'Sequence', 'normalizers': [{'type': 'Prepend', 'prepend': '\u2581'}, space]},
    'pre_tokenizer': None,
    'post_processor': {
        'type': 'TemplateProcessing', 'single': template('A'), 'pair': template('A', 'B'),
        'special_tokens': {'<s>': {'id': '<s>', 'ids': [1], 'tokens': ['<s>']}},
    },
    'decoder': {'type': 'Sequence', 'decoders': [
        back, {'type': 'ByteFallback'}, {'type': 'Fuse'}, {'type': 'Strip', 'content': ' ', 'start': 1, 'stop': 0},
    ]},
    'model': {
        'type': 'BPE', 'dropout': None, 'unk_token': '<unk>', 'continuing_subword_prefix': None,
        'end_of_word_suffix': None, 'fuse_unk': True, 'byte_fallback': True, 'vocab': ids_of,
        'merges': [f'{a} {b}' for a, b in merges],
    },
})
write('tokenizer_config.json', {
    'tokenizer_class': 'LlamaTokenizerFast', 'add_bos_token': True, 'add_eos_token': False, 'bos_token': '<s>',
    'eos_token': '</s>', 'unk_token': '<unk>', 'legacy': False, 'model_max_length': CONTEXT,
})
write('config.json', {
    'architectures': ['LlamaForCausalLM'], 'model_type': 'llama', 'hidden_size': D, 'intermediate_size': MLP,
    'num_hidden_layers': LAYERS, 'num_attention_heads': HEADS, 'num_key_value_heads': KV, 'vocab_size': VOCAB,
    'max_position_embeddings': CONTEXT, 'rms_norm_eps': EPS, 'rope_theta': BASE, 'hidden_act': 'silu',
    'attention_bias': False, 'mlp_bias': False, 'tie_word_embeddings': True, 'bos_token_id': 1, 'eos_token_id': 2,
    'torch_dtype': 'float32',
})
write('tokens-expected.json', [{'text': t, 'ids': [1] + encode(t)} for t in [
    'Once upon a time, there was a girl named Lily.',
    'The king and the queen had a café — naïve? 日本',
    '  two  spaces\nand\ttabs',
    'she he it',
    '',
    stories[3],
]])

# -- Training ---------------------------------------------------------------------------------------------------------

torch.manual_seed(0)
torch.set_num_threads(1)
SHAPES = {'model.embed_tokens.weight': (VOCAB, D), 'model.norm.weight': (D,)}
for layer in range(LAYERS):
    at = f'model.layers.{layer}.'
    SHAPES.update({
        at + 'input_layernorm.weight': (D,), at + 'post_attention_layernorm.weight': (D,),
        at + 'self_attn.q_proj.weight': (HEADS * DH, D), at + 'self_attn.k_proj.weight': (KV * DH, D),
        at + 'self_attn.v_proj.weight': (KV * DH, D), at + 'self_attn.o_proj.weight': (D, HEADS * DH),
        at + 'mlp.gate_proj.weight': (MLP, D), at + 'mlp.up_proj.weight': (MLP, D), at + 'mlp.down_proj.weight': (D, MLP),
    })
params = {
    name: nn.Parameter(torch.ones(shape) if len(shape) == 1 else torch.randn(shape) * (0.3 if 'embed' in name else shape[1] ** -0.5))
    for name, shape in SHAPES.items()
}
t = torch.arange(CONTEXT).float()[:, None] * BASE ** (-torch.arange(0, DH, 2).float() / DH)
COS, SIN = torch.cat([t, t], 1).cos(), torch.cat([t, t], 1).sin()


def forward(ids):
    def norm(x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * params[name]

    def turned(x):
        half = torch.cat([-x[..., DH // 2 :], x[..., : DH // 2]], -1)
        return x * COS[: x.shape[2]] + half * SIN[: x.shape[2]]

    B, T = ids.shape
    x = params['model.embed_tokens.weight'][ids]
    mask = torch.full((T, T), -math.inf).triu(1)
    for layer in range(LAYERS):
        at = f'model.layers.{layer}.'
        h = norm(x, at + 'input_layernorm.weight')
        q, k, v = ((h @ params[f'{at}self_attn.{p}_proj.weight'].t()).view(B, T, -1, DH).transpose(1, 2) for p in 'qkv')
        q, k = turned(q), turned(k)
        k, v = (z.repeat_interleave(HEADS // KV, 1) for z in (k, v))
        z = F.softmax(q @ k.transpose(2, 3) / math.sqrt(DH) + mask, -1) @ v
        x = x + z.transpose(1, 2).reshape(B, T, -1) @ params[at + 'self_attn.o_proj.weight'].t()
        h = norm(x, at + 'post_attention_layernorm.weight')
        gated = F.silu(h @ params[at + 'mlp.gate_proj.weight'].t()) * (h @ params[at + 'mlp.up_proj.weight'].t())
        x = x + gated @ params[at + 'mlp.down_proj.weight'].t()
    return norm(x, 'model.norm.weight') @ params['model.embed_tokens.weight'].t()


data = torch.tensor([i for s in stories for i in [1] + encode(s)])
STEPS, BATCH, LENGTH = 600, 16, 48
optimizer = torch.optim.AdamW(params.values(), lr=1e-2, betas=(0.9, 0.98), weight_decay=0.01)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=STEPS)
for step in range(STEPS):
    starts = torch.randint(len(data) - LENGTH - 1, (BATCH,))
    rows = torch.stack([data[s : s + LENGTH + 1] for s in starts])
    loss = F.cross_entropy(forward(rows[:, :-1]).reshape(-1, VOCAB), rows[:, 1:].reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(step, round(loss.item(), 3), flush=True)

# -- What it must give, in float64 ------------------------------------------------------------------------------------

weights = {name: p.detach().numpy().astype(np.float32) for name, p in params.items()}
W = {name: w.astype(np.float64) for name, w in weights.items()}


def reference(ids):
    def rms(x, w):
        return np.stack([row / math.sqrt((row * row).mean() + EPS) * w for row in x])

    def rotate(row, position):
        out = np.empty(DH)
        for i in range(DH // 2):
            angle = position * BASE ** (-2 * i / DH)
            a, b = row[i], row[i + DH // 2]
            out[i] = a * math.cos(angle) - b * math.sin(angle)
            out[i + DH // 2] = b * math.cos(angle) + a * math.sin(angle)
        return out

    T, found = len(ids), {}
    x = W['model.embed_tokens.weight'][ids]
    found['hook_embed'] = x
    for layer in range(LAYERS):
        at, hook = f'model.layers.{layer}.', f'blocks.{layer}.'
        found[hook + 'hook_resid_pre'] = x
        h = rms(x, W[at + 'input_layernorm.weight'])
        q, k, v = (h @ W[f'{at}self_attn.{p}_proj.weight'].T for p in 'qkv')
        z = np.zeros((T, HEADS * DH))
        for head in range(HEADS):
            own, group = slice(head * DH, head * DH + DH), head // (HEADS // KV)
            shared = slice(group * DH, group * DH + DH)
            keys = [rotate(k[s, shared], s) for s in range(T)]
            for i in range(T):
                query = rotate(q[i, own], i)
                scores = np.array([query @ keys[s] / math.sqrt(DH) for s in range(i + 1)])
                p = np.exp(scores - scores.max())
                z[i, own] = (p / p.sum()) @ v[: i + 1, shared]
        out = z @ W[at + 'self_attn.o_proj.weight'].T
        found[hook + 'hook_attn_out'] = out
        x = x + out
        found[hook + 'hook_resid_mid'] = x
        h = rms(x, W[at + 'post_attention_layernorm.weight'])
        gate = h @ W[at + 'mlp.gate_proj.weight'].T
        out = (gate / (1 + np.exp(-gate)) * (h @ W[at + 'mlp.up_proj.weight'].T)) @ W[at + 'mlp.down_proj.weight'].T
        found[hook + 'hook_mlp_out'] = out
        x = x + out
        found[hook + 'hook_resid_post'] = x
    found['logits'] = rms(x, W['model.norm.weight']) @ W['model.embed_tokens.weight'].T
    return found


def safetensors(name, tensors):
    kinds = {np.dtype('float32'): 'F32', np.dtype('float64'): 'F64', np.dtype('int64'): 'I64'}
    header, body = {}, b''
    for key, a in tensors.items():
        raw = np.ascontiguousarray(a).tobytes()
        header[key] = {'dtype': kinds[a.dtype], 'shape': list(a.shape), 'data_offsets': [len(body), len(body) + len(raw)]}
        body += raw
    head = json.dumps(header).encode()
    head += b' ' * (-len(head) % 8)
    with open(os.path.join(OUT, name), 'wb') as f:
        f.write(struct.pack('<Q', len(head)) + head + body)


safetensors('model.safetensors', weights)
ids = [1] + encode(stories[0])[:15]
safetensors('expected.safetensors', {'ids': np.array(ids, np.int64), **reference(ids)})
prompt = 'Once upon a time'
out, closest = [1] + encode(prompt), math.inf
start = len(out)
for _ in range(30):
    logits = np.sort(last := reference(out)['logits'][-1])
    closest = min(closest, logits[-1] - logits[-2])
    out.append(int(last.argmax()))
pieces = ''.join(vocab[i] for i in out[start:]).replace('\u2581', ' ')
print(f'least lead of a greedy token {closest:.4f}:', prompt + pieces)
write('greedy.json', {'prompt': prompt, 'tokens': 30, 'text': pieces})
