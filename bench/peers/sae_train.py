"""Steps of topk SAE training in PyTorch with autograd, as SAELens 6 computes them. Prints JSON: median seconds a step."""
import json
import os
import sys
import time

import torch

d, f, k, batch, repeats = (int(x) for x in sys.argv[1:])
torch.set_num_threads(os.cpu_count())
torch.manual_seed(0)
W_dec = torch.nn.functional.normalize(torch.rand(f, d) * 2 - 1, dim=-1) * 0.1
W_enc = W_dec.T.clone().contiguous().requires_grad_()
W_dec.requires_grad_()
b_enc, b_dec = torch.zeros(f, requires_grad=True), torch.zeros(d, requires_grad=True)
params = [W_enc, b_enc, W_dec, b_dec]
optimizer = torch.optim.Adam(params, lr=3e-4)
x = torch.randn(batch, d)
times = []
for _ in range(repeats + 1):
    start = time.perf_counter()
    norm = W_dec.norm(dim=-1)
    top = (((x - b_dec) @ W_enc + b_enc) * norm).topk(k, dim=-1, sorted=False)
    acts = torch.zeros(batch, f).scatter(-1, top.indices, top.values.relu())
    loss = ((acts * (1 / norm)) @ W_dec + b_dec - x).pow(2).sum(-1).mean()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    optimizer.step()
    times.append(time.perf_counter() - start)
print(json.dumps({"seconds": sorted(times[1:])[repeats // 2]}))
