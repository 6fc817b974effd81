"""Mapper as KeplerMapper 2 does it, without its package: PCA(2) and DBSCAN of scikit-learn, cubes by its rule.

Reads float32 points, runs fit_transform and map `repeats` + 1 times, prints the best wall seconds of each, the best CPU
seconds (all threads) of both together, and the nodes as a hash of their members.
"""
import hashlib
import itertools
import json
import sys
import time
import warnings

import numpy as np
import sklearn
from sklearn.cluster import DBSCAN
from sklearn.decomposition import PCA

warnings.filterwarnings("ignore")
path, rows, cols, cubes, overlap, eps, min_samples, repeats, lens_path = sys.argv[1:10]
rows, cols, cubes, min_samples, repeats = int(rows), int(cols), int(cubes), int(min_samples), int(repeats)
overlap, eps = float(overlap), float(eps)
x = np.fromfile(path, dtype=np.float32).reshape(rows, cols)


def mapper(x, lens):
    ids = np.arange(rows)
    low, high = lens.min(0), lens.max(0)
    spread = high - low
    inner = ((cubes - 1) / cubes) * spread
    inset = (spread - inner) / 2
    radius = spread / (2 * cubes * (1 - overlap))
    centres = itertools.product(*[np.linspace(b + r, c - r, num=cubes) for b, c, r in zip(low, high, inset)])
    nodes = {}
    number = 0
    x = np.c_[ids, x]
    for centre in centres:
        inside = ids[np.all((lens >= centre - radius) & (lens <= centre + radius), axis=1)]
        if len(inside) == 0:
            continue
        if len(inside) >= min_samples:
            labels = DBSCAN(eps=eps, min_samples=min_samples, metric="cosine").fit_predict(x[inside][:, 1:])
            for i, label in zip(inside, labels):
                if label != -1:
                    nodes.setdefault(f"cube{number}_cluster{label}", []).append(int(i))
        number += 1
    edges = [(a, b) for a, b in itertools.combinations(nodes, 2) if set(nodes[a]) & set(nodes[b])]
    return nodes, edges


best = {"lens": float("inf"), "map": float("inf"), "cpu": float("inf")}
for _ in range(repeats + 1):
    start, cpu = time.perf_counter(), time.process_time()
    PCA(n_components=2, random_state=0).fit_transform(x)
    best["lens"] = min(best["lens"], time.perf_counter() - start)
    cpu = time.process_time() - cpu
    # Both sides cover the same lens, so that their nodes can be compared.
    lens = np.fromfile(lens_path, dtype=np.float64).reshape(rows, 2)
    start, before = time.perf_counter(), time.process_time()
    nodes, edges = mapper(x, lens)
    best["map"] = min(best["map"], time.perf_counter() - start)
    best["cpu"] = min(best["cpu"], cpu + time.process_time() - before)
text = ";".join(sorted(f"{name}:{' '.join(map(str, ids))}" for name, ids in nodes.items()))
print(json.dumps({**best, "nodes": len(nodes), "edges": len(edges), "sha256": hashlib.sha256(text.encode()).hexdigest(),
                  "sklearn": sklearn.__version__}))
