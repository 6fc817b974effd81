"""GPT-Neo block in PyTorch, as Hugging Face transformers computes it, timed up to the MLP's output. Prints JSON."""
import json
import os
import sys
import time

import torch
import torch.nn.functional as F

b, t, d, heads, m, vocab, repeats = (int(x) for x in sys.argv[1:])
torch.set_num_threads(os.cpu_count())
torch.manual_seed(0)
randn = lambda *shape: torch.randn(*shape) * 0.02
wte, wpe = randn(vocab, d), randn(2048, d)
ln1, ln2 = (torch.ones(d), torch.zeros(d)), (torch.ones(d), torch.zeros(d))
wq, wk, wv, wo, bo = randn(d, d), randn(d, d), randn(d, d), randn(d, d), torch.zeros(d)
w1, b1, w2, b2 = randn(m, d), torch.zeros(m), randn(d, m), torch.zeros(d)
mask = torch.full((t, t), float("-inf")).triu(1)
ids = torch.randint(0, vocab, (b, t))


def forward():
    x = wte[ids] + wpe[:t]
    n = F.layer_norm(x, (d,), *ln1)
    q, k, v = (F.linear(n, w).view(b, t, heads, d // heads).transpose(1, 2) for w in (wq, wk, wv))
    pattern = torch.softmax(q @ k.transpose(-1, -2) + mask, -1)  # GPT-Neo does not scale
    x = x + F.linear((pattern @ v).transpose(1, 2).reshape(b, t, d), wo, bo)
    n = F.layer_norm(x, (d,), *ln2)
    return F.linear(F.gelu(F.linear(n, w1, b1), approximate="tanh"), w2, b2)


with torch.no_grad():
    forward()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        forward()
        times.append(time.perf_counter() - start)
print(json.dumps({"seconds": min(times), "threads": torch.get_num_threads(), "torch": torch.__version__}))
