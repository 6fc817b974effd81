"""Crosscoders of two sides by PyTorch autograd in float64: test/goldens/crosscoder.json.

The sides have weights of their own here; src/kernel/crosscoder trains them as one joined SAE. Numbers come from a small
generator that the test has too. Run: python3 test/goldens/crosscoder.py
"""
import json
import pathlib
import torch

WIDTHS, FEATURES, BATCH, STEPS, LR = (5, 4), 12, 24, 200, 5e-3
BETAS, EPS, CLIP = (0.9, 0.999), 1e-8, 1.0


class Draws:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (1664525 * self.state + 1013904223) % 2**32
        return self.state / 2**32 - 0.5

    def tensor(self, *shape):
        n = 1
        for s in shape:
            n *= s
        return torch.tensor([self.next() for _ in range(n)], dtype=torch.float64).reshape(shape)


def case(name, dedicated, l1=None, k=None):
    draws = Draws(7)
    joined_dec = draws.tensor(FEATURES, sum(WIDTHS))
    masks, first = [torch.ones(FEATURES, 1, dtype=torch.float64) for _ in WIDTHS], 0
    for m, n in enumerate(dedicated):
        for other, mask in enumerate(masks):
            if other != m:
                mask[first:first + n] = 0
        first += n
    kept = torch.cat([part * mask for part, mask in zip(joined_dec.split(WIDTHS, dim=1), masks)], dim=1)
    joined_dec = kept * (joined_dec.norm(dim=1) / kept.norm(dim=1)).unsqueeze(1)
    dec, enc = [], []
    for part, mask in zip(joined_dec.split(WIDTHS, dim=1), masks):
        dec.append((part * mask).clone().requires_grad_())
        enc.append((part * mask).T.clone().requires_grad_())
    b_enc = torch.zeros(FEATURES, dtype=torch.float64, requires_grad=True)
    b_dec = [torch.zeros(w, dtype=torch.float64, requires_grad=True) for w in WIDTHS]
    parameters = [*enc, *dec, b_enc, *b_dec]
    adam = torch.optim.Adam(parameters, lr=LR, betas=BETAS, eps=EPS)
    losses = []
    for _ in range(STEPS):
        xs = draws.tensor(BATCH, sum(WIDTHS)).split(WIDTHS, dim=1)
        z = b_enc + sum((x - b) @ w for x, b, w in zip(xs, b_dec, enc))
        side_norms = [w.norm(dim=1) for w in dec]
        if k is None:
            f = z.relu()
            penalty = l1 * (f * sum(side_norms)).sum(dim=1).mean()
        else:
            scaled = z * torch.sqrt(sum(n**2 for n in side_norms)).detach()
            f = torch.zeros_like(z).scatter(1, scaled.topk(k).indices, 1.0) * z.relu()
            penalty = 0.0
        loss = penalty + sum(((f @ w + b - x) ** 2).sum(dim=1).mean() for x, w, b in zip(xs, dec, b_dec))
        adam.zero_grad()
        loss.backward()
        with torch.no_grad():
            for w, v, mask in zip(enc, dec, masks):
                w.grad *= mask.T
                v.grad *= mask
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        adam.step()
        losses.append(loss.item())
    end = torch.cat([
        torch.cat([w.detach().T for w in enc], dim=1).flatten(),
        torch.cat([w.detach() for w in dec], dim=1).flatten(),
        b_enc.detach(), *[b.detach() for b in b_dec],
    ])
    return {"name": name, "dedicated": list(dedicated), "l1": l1, "k": k, "losses": losses, "end": end.tolist()}


cases = [
    case("standard", (0, 0), l1=0.05),
    case("standard with dedicated features", (2, 3), l1=0.05),
    case("topk with dedicated features", (3, 2), k=4),
]
out = {"widths": WIDTHS, "features": FEATURES, "batch": BATCH, "steps": STEPS, "lr": LR, "cases": cases}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out) + "\n")
