"""Dense float32 correlation argmax as the notebooks do it: z-scores, blocked product on a tuned OpenBLAS, argmax.

Reads a/b .indptr .indices .values from a folder, correlates the first `columns` features of B with all of A, writes the
best A of each as best.bin, and prints seconds for the z-scores and for product and argmax of these columns.
"""
import json
import sys
import time
import numpy as np

folder, tokens, features, columns = sys.argv[1], *map(int, sys.argv[2:5])
BLOCK = 512


def dense(side, count):
    indptr = np.fromfile(f"{folder}/{side}.indptr", dtype=np.uint32)
    indices = np.fromfile(f"{folder}/{side}.indices", dtype=np.uint16)
    values = np.fromfile(f"{folder}/{side}.values", dtype=np.float32)
    out = np.zeros((tokens, count), dtype=np.float32)
    rows = np.repeat(np.arange(tokens), np.diff(indptr.astype(np.int64)))
    keep = indices < count
    out[rows[keep], indices[keep]] = values[keep]
    return out


def z_score(x):
    for c in range(0, x.shape[1], BLOCK):
        part = x[:, c : c + BLOCK]
        part -= part.mean(0)
        part /= part.std(0) + 1e-8


a, b = dense("a", features), dense("b", columns)
start = time.perf_counter()
z_score(a)
z_a = time.perf_counter() - start
start = time.perf_counter()
z_score(b)
z_b = time.perf_counter() - start
best = np.empty(columns, dtype=np.int32)
start = time.perf_counter()
for c in range(0, columns, BLOCK):
    r = b[:, c : c + BLOCK].T @ a
    best[c : c + BLOCK] = r.argmax(1)
product = time.perf_counter() - start
best.tofile(f"{folder}/best.bin")
print(json.dumps({"z_a": z_a, "z_b": z_b, "product": product, "numpy": np.__version__}))
