"""Orthogonal Procrustes and principal angles by scipy, on rows of a linear congruential generator that the test repeats.

/usr/bin/python3 test/goldens/spans.py > test/goldens/spans.json
"""

import json

import numpy as np
from scipy.linalg import orthogonal_procrustes, subspace_angles


def rows(seed, n, d):
    state = seed
    out = []
    for _ in range(n * d):
        state = (1103515245 * state + 12345) % 2**31
        out.append(np.float32(state / 2**30 - 1))
    return np.array(out, dtype=np.float64).reshape(n, d)


procrustes = []
for seed, n, d in [(1, 12, 5), (2, 5, 5), (3, 40, 8)]:
    y, x = rows(seed, n, d), rows(seed + 100, n, d)
    rotation, _ = orthogonal_procrustes(y, x)
    procrustes.append({"seed": seed, "n": n, "d": d, "rotation": rotation.ravel().tolist()})

angles = []
for seed, p, q, d in [(4, 3, 3, 7), (5, 2, 4, 6), (6, 4, 4, 5)]:
    a, b = rows(seed, p, d), rows(seed + 100, q, d)
    cos = np.cos(subspace_angles(a.T, b.T))
    angles.append({"seed": seed, "p": p, "q": q, "d": d, "meanSquare": float(np.mean(cos**2))})

print(json.dumps({"procrustes": procrustes, "angles": angles}))
