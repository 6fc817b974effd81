"""Peer of bench/device.ts: the same work in PyTorch on the GPU that it finds ("cpu" as the second argument: on the CPU).
Prints JSON: the device's name, and the seconds of the fastest run of each piece of work, or why there is none."""
import json
import sys
import time

import torch
import torch.nn.functional as F

torch.manual_seed(0)
# Plain float32 products, as the graphs have them.
torch.backends.cuda.matmul.allow_tf32 = False
if torch.cuda.is_available():
    device, name = "cuda", torch.cuda.get_device_name(0)
    synchronize = torch.cuda.synchronize
elif torch.backends.mps.is_available():
    device, name = "mps", "Apple GPU"
    synchronize = torch.mps.synchronize
elif sys.argv[2:] == ["cpu"]:
    device, name = "cpu", "the CPU"
    synchronize = lambda: None
else:
    print(json.dumps({"why": f"PyTorch {torch.__version__} finds no GPU here"}))
    sys.exit()

randn = lambda *shape: torch.randn(*shape, device=device)


def product(n):
    a, b = randn(n, n), randn(n, n)
    return lambda: a @ b


def encoding(rows, d, f, k):
    """Rows go up, values and indices come back, as in a saved store."""
    x, w, bias = torch.randn(rows, d), randn(d, f) * 0.1, randn(f)

    def run():
        values, indices = (x.to(device) @ w + bias).relu().topk(k)
        return values.cpu(), indices.cpu()

    return run


def training(batch, d, f, k, steps):
    w_dec = F.normalize(randn(f, d), dim=-1).requires_grad_()
    w_enc = w_dec.detach().T.clone().contiguous().requires_grad_()
    b_enc, b_dec = torch.zeros(f, device=device, requires_grad=True), torch.zeros(d, device=device, requires_grad=True)
    optimizer = torch.optim.Adam([w_enc, b_enc, w_dec, b_dec], lr=1e-3)
    rows = torch.randn(batch, d)

    def run():
        for _ in range(steps):
            x = rows.to(device)
            values, indices = ((x - b_dec) @ w_enc + b_enc).topk(k)
            acts = torch.zeros(batch, f, device=device).scatter(1, indices, values.relu())
            loss = (acts @ w_dec + b_dec - x).pow(2).sum(-1).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([w_enc, b_enc, w_dec, b_dec], 1.0)
            optimizer.step()
            loss.item()

    return run


def attend(q, k, v):
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=device).triu(1)
    return scores.masked_fill(mask, float("-inf")).softmax(-1) @ v


def forward(layers, d, heads, mlp, sequences, context):
    """A GPT-2 stack to the end of its residual stream, which comes back."""
    blocks = [(randn(d, 3 * d) * 0.02, randn(d, d) * 0.02, randn(d, mlp) * 0.02, randn(mlp, d) * 0.02) for _ in range(layers)]
    start = torch.randn(sequences, context, d)

    @torch.no_grad()
    def run():
        x = start.to(device)
        for qkv, out, up, down in blocks:
            q, k, v = (t.view(sequences, context, heads, d // heads).transpose(1, 2) for t in (F.layer_norm(x, (d,)) @ qkv).split(d, -1))
            z = attend(q, k, v)
            x = x + z.transpose(1, 2).reshape(sequences, context, d) @ out
            x = x + F.gelu(F.layer_norm(x, (d,)) @ up, approximate="tanh") @ down
        return x.cpu()

    return run


def neighbours(rows, d, k):
    x = F.normalize(torch.randn(rows, d), dim=-1)

    def run():
        there = x.to(device)
        return [part.cpu() for first in range(0, rows, 4096) for part in (there[first : first + 4096] @ there.T).topk(k + 1)]

    return run


WORK = {make.__name__: make for make in (product, encoding, training, forward, neighbours)}
seconds = []
for kind, *sizes in json.loads(sys.argv[1]):
    run = WORK[kind](*sizes)
    run()
    best = float("inf")
    for _ in range(3):
        synchronize()
        begun = time.perf_counter()
        run()
        synchronize()
        best = min(best, time.perf_counter() - begun)
    seconds.append(best)
print(json.dumps({"name": f"PyTorch {torch.__version__} on {name}", "seconds": seconds}))
