"""Steps of SAE training in PyTorch with autograd, as SAELens 6 computes them. Prints JSON: median seconds a step."""
import json
import os
import sys
import time

import torch

d, f, k, batch, repeats = (int(x) for x in sys.argv[1:6])
architecture, bias = sys.argv[6], float(sys.argv[7])
torch.set_num_threads(os.cpu_count())
torch.manual_seed(0)
W_dec = torch.nn.functional.normalize(torch.rand(f, d) * 2 - 1, dim=-1) * 0.1
W_enc = W_dec.T.clone().contiguous().requires_grad_()
W_dec.requires_grad_()
b_enc, b_dec = torch.full((f,), bias, requires_grad=True), torch.zeros(d, requires_grad=True)
log_threshold = torch.full((f,), 0.01).log().requires_grad_()
params = [W_enc, b_enc, W_dec, b_dec] + ([log_threshold] if architecture == "jumprelu" else [])
optimizer = torch.optim.Adam(params, lr=0.0)
x = torch.randn(batch, d)
WIDTH = 0.01


class Jump(torch.autograd.Function):
    """z where it is above θ, with the rectangle's gradient for θ."""

    @staticmethod
    def forward(ctx, z, theta):
        ctx.save_for_backward(z, theta)
        return z * (z > theta)

    @staticmethod
    def backward(ctx, grad):
        z, theta = ctx.saved_tensors
        band = ((z - theta).abs() < WIDTH / 2).to(z)
        return (z > theta) * grad, (-(theta / WIDTH) * band * grad).sum(0)


class Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, theta):
        ctx.save_for_backward(z, theta)
        return (z > theta).to(z)

    @staticmethod
    def backward(ctx, grad):
        z, theta = ctx.saved_tensors
        band = ((z - theta).abs() < WIDTH / 2).to(z)
        return None, (-(1 / WIDTH) * band * grad).sum(0)


def squared(error):
    return error.pow(2).sum(-1).mean()


def loss_of():
    z = (x - b_dec) @ W_enc + b_enc
    norm = W_dec.norm(dim=-1)
    if architecture == "standard":
        acts = z.relu()
        return squared(acts @ W_dec + b_dec - x) + (acts * norm).sum(-1).mean()
    if architecture == "jumprelu":
        theta = log_threshold.exp()
        return squared(Jump.apply(z, theta) @ W_dec + b_dec - x) + Step.apply(z, theta).sum(-1).mean()
    if architecture == "topk":
        top = (z * norm).topk(k, dim=-1, sorted=False)
        acts = torch.zeros(batch, f).scatter(-1, top.indices, top.values.relu())
    else:
        flat = (z * norm).relu().flatten()
        top = flat.topk(k * batch, sorted=False)
        acts = torch.zeros_like(flat).scatter(-1, top.indices, top.values).reshape(batch, f)
    acts = acts * (1 / norm)
    loss = squared(acts @ W_dec + b_dec - x)
    if architecture == "matryoshka_batchtopk":
        for width in (f // 8, f // 4, f // 2):
            loss = loss + squared(acts[:, :width] @ W_dec[:width] + b_dec - x)
    return loss


times = []
for _ in range(repeats + 1):
    start = time.perf_counter()
    loss = loss_of()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    optimizer.step()
    times.append(time.perf_counter() - start)
print(json.dumps({"seconds": sorted(times[1:])[repeats // 2]}))
