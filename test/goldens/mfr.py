"""Mutual feature regularization by PyTorch autograd in float64: test/goldens/mfr.json.

Two tied TopK SAEs with one batch sequence, pulled together by 1 − MMCS. Numbers come from a small generator that the test
has too. Run: python3 test/goldens/mfr.py
"""
import json
import math
import pathlib
import torch
from numbers_alike import lcg
from scipy.optimize import linear_sum_assignment

D, FEATURES, K, BATCH, STEPS, LR, COUPLING, WARM_UP = 8, 12, 3, 32, 200, 5e-3, 0.3, 40


def drawn(numbers, *shape):
    """The next of the numbers, as a tensor around zero."""
    taken = [next(numbers) - 0.5 for _ in range(math.prod(shape))]
    return torch.tensor(taken, dtype=torch.float64).reshape(shape)


def case(kind):
    numbers = iter(lcg(2 * FEATURES * D + STEPS * BATCH * D, 11))
    saes = [drawn(numbers, FEATURES, D).requires_grad_() for _ in range(2)]
    adam = torch.optim.Adam(saes, lr=LR)
    rows = []
    for t in range(STEPS):
        x = drawn(numbers, BATCH, D)
        weight = COUPLING if t >= WARM_UP else COUPLING * (1 - math.cos(math.pi * t / WARM_UP)) / 2
        units = [e / e.norm(dim=1, keepdim=True) for e in saes]
        mse = []
        for e, unit in zip(saes, units):
            z = x @ e.T
            f = torch.zeros_like(z).scatter(1, z.topk(K).indices, 1.0) * z.relu()
            mse.append(((f @ unit - x) ** 2).mean())
        c = units[0] @ units[1].T
        if kind == "max":
            mmcs = c.max(dim=1).values.mean()
        else:
            i, j = linear_sum_assignment(c.detach().numpy(), maximize=True)
            mmcs = c[i, j].mean()
        adam.zero_grad()
        (sum(mse) + weight * (1 - mmcs)).backward()
        adam.step()
        rows.append([*[m.item() for m in mse], mmcs.item()])
    return {"kind": kind, "rows": rows, "saes": [e.detach().flatten().tolist() for e in saes]}


sizes = {"d": D, "features": FEATURES, "k": K, "batch": BATCH, "steps": STEPS, "lr": LR, "coupling": COUPLING, "warmUp": WARM_UP}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps({**sizes, "cases": [case("max"), case("hungarian")]}))
