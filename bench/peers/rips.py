"""Peer: gudhi's Vietoris-Rips persistence, cut at the same enclosing radius. argv: file (float32), points, dims, maxDim."""
import json
import sys
import time

import gudhi
import numpy as np

file, n, d, max_dim = sys.argv[1], *map(int, sys.argv[2:5])
x = np.fromfile(file, dtype=np.float32).reshape(n, d).astype(float)
square = np.sqrt(np.maximum(((x[:, None] - x[None]) ** 2).sum(-1), 0)) if n * n * d < 2e8 else None
distances = square if square is not None else np.array([np.linalg.norm(x - row, axis=1) for row in x])
start = time.perf_counter()
tree = gudhi.RipsComplex(distance_matrix=distances, max_edge_length=distances.max(1).min()).create_simplex_tree(
    max_dimension=max_dim + 1
)
tree.compute_persistence(homology_coeff_field=2)
seconds = time.perf_counter() - start
bars = [len(tree.persistence_intervals_in_dimension(k)) for k in range(max_dim + 1)]
print(json.dumps({"seconds": seconds, "bars": bars, "gudhi": gudhi.__version__}))
