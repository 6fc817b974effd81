"""Samples of a world of sparse features in numpy, the vectorised way: masks from uniform numbers (or from normals of a
one-factor-per-block copula), uniform magnitudes, one float32 product. Prints seconds of wall clock and of CPU.

synthetic.py SAMPLES FEATURES DIM L0 BATCH BLOCK LATENT   (BLOCK 0 = independent)
"""
import json
import sys
import time

import numpy as np
from scipy.stats import norm

samples, features, dim = (int(a) for a in sys.argv[1:4])
l0 = float(sys.argv[4])
batch, block = int(sys.argv[5]), int(sys.argv[6])
latent = float(sys.argv[7])
rng = np.random.default_rng(0)
directions = rng.standard_normal((features, dim), dtype=np.float32)
directions /= np.linalg.norm(directions, axis=1, keepdims=True)
p = np.full(features, l0 / features, dtype=np.float32)
threshold = norm.isf(p).astype(np.float32)
loading, rest = np.float32(np.sqrt(latent)), np.float32(np.sqrt(1 - latent))


def draw(n):
    if block == 0:
        mask = rng.random((n, features), dtype=np.float32) < p
    else:
        factors = np.repeat(rng.standard_normal((n, features // block), dtype=np.float32), block, axis=1)
        mask = loading * factors + rest * rng.standard_normal((n, features), dtype=np.float32) > threshold
    codes = np.where(mask, rng.random((n, features), dtype=np.float32), np.float32(0))
    return codes @ directions, np.nonzero(mask)


draw(batch)
wall, cpu = time.perf_counter(), time.process_time()
firings = 0
for first in range(0, samples, batch):
    x, where = draw(min(batch, samples - first))
    firings += len(where[0])
print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "l0": firings / samples}))
