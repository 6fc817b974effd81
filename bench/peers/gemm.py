"""Peer of bench/gemm.ts: numpy's float32 product. Prints the best GFLOP/s of each size as JSON."""
import json
import sys
import time

import numpy as np

out = []
rng = np.random.default_rng(0)
for m, n, k, trans_a in json.loads(sys.argv[1]):
    a = rng.standard_normal((k, m) if trans_a else (m, k), dtype=np.float32)
    b = rng.standard_normal((k, n), dtype=np.float32)
    left = a.T if trans_a else a
    best = float("inf")
    for _ in range(int(sys.argv[2])):
        start = time.perf_counter()
        left @ b
        best = min(best, time.perf_counter() - start)
    out.append(2 * m * n * k / best / 1e9)
print(json.dumps(out))
