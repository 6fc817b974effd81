"""One shuffle of corrected SVCCA in numpy: float64, U of both sides once, a product and its singular values a run.

Prints seconds for both sides' bases and the mean seconds of a run.
"""
import json
import sys
import time
import numpy as np

pairs, width_x, width_y, runs = map(int, sys.argv[1:5])
rng = np.random.default_rng(1)
shared = rng.standard_normal((pairs, 64))


def side(d):
    x = rng.standard_normal((pairs, d))
    x[:, :64] += shared
    return x / np.sqrt(1 + np.arange(d) / 32)


def basis(x):
    u, s, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    k = int(np.searchsorted(np.cumsum(s**2) / np.sum(s**2), 0.99)) + 1
    return u[:, :k]


x, y = side(width_x), side(width_y)
start = time.perf_counter()
ux, uy = basis(x), basis(y)
prepare = time.perf_counter() - start
start = time.perf_counter()
for _ in range(runs):
    np.linalg.svd(ux.T @ uy[rng.permutation(pairs)], compute_uv=False).mean()
print(json.dumps({"prepare": prepare, "run": (time.perf_counter() - start) / runs}))
