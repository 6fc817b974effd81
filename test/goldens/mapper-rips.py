"""Golden Vietoris-Rips barcodes by gudhi. Run: /usr/bin/python3 test/goldens/mapper-rips.py"""
import json
import pathlib

import gudhi
import numpy as np

rng = np.random.default_rng(5)


def barcodes(distances):
    tree = gudhi.RipsComplex(distance_matrix=distances).create_simplex_tree(max_dimension=3)
    tree.compute_persistence(homology_coeff_field=2)
    return [
        [[b, d if np.isfinite(d) else None] for b, d in sorted(map(tuple, tree.persistence_intervals_in_dimension(k)))]
        for k in range(3)
    ]


def euclid(x):
    return np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1))


cases = {}


def add(name, x=None, distances=None):
    distances = euclid(x) if distances is None else distances
    cases[name] = {"n": len(distances), "distances": distances[np.tril_indices(len(distances), -1)].tolist(),
                   "bars": barcodes(distances)}


add("uniform cube", rng.random((24, 3)).round(4))
add("normal in 8 dimensions", rng.normal(size=(22, 8)).round(4))
t = 2 * np.pi * np.arange(20) / 20
add("noisy circle", (np.c_[np.cos(t), np.sin(t)] + rng.normal(0, 0.05, (20, 2))).round(4))
s = rng.normal(size=(28, 3))
add("sphere", (s / np.linalg.norm(s, axis=1, keepdims=True)).round(4))
add("ties: a grid", np.array([[i, j] for i in range(5) for j in range(5)], float))
add("ties: cross-polytope", np.array([[s if i == k else 0 for k in range(3)] for i in range(3) for s in (-1, 1)], float))
d = rng.integers(1, 6, size=(18, 18)).astype(float)
d = np.tril(d, -1) + np.tril(d, -1).T
add("no metric, small integers", distances=d)
add("equal points", np.repeat(rng.random((7, 2)).round(3), 2, axis=0))
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps({"gudhi": gudhi.__version__, "cases": cases}) + "\n")
print({k: [len(b) for b in v["bars"]] for k, v in cases.items()})
