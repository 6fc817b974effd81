"""Goldens of layouts regularised towards pairs: umap-learn's AlignedUMAP, and what pairs weigh.
Run: /usr/bin/python3 test/goldens/aligned.py > test/goldens/aligned.json"""
import json
import warnings
warnings.filterwarnings("ignore")
import numpy as np
import umap
from umap.umap_ import fuzzy_simplicial_set
from numbers_alike import lcg

# Six clusters in 8 dimensions, and the same turned (coordinates backwards, every second with its sign changed) with
# noise; the last fourth of the rows has no pair.
n, d = 160, 8
x = 1.4 * (lcg(n * d, 31) - 0.5).reshape(n, d)
x[np.arange(n), np.arange(n) % 6] += 3
y = x[:, ::-1] * np.where(np.arange(d) % 2, -1, 1) + 0.6 * (lcg(n * d, 32) - 0.5).reshape(n, d)
x, y = x.astype(np.float32), y.astype(np.float32)
paired = 3 * n // 4

def graph(rows, k=15):
    squares = ((rows[:, None].astype(float) - rows[None].astype(float)) ** 2).sum(2)
    near = np.argsort(squares, axis=1, kind="stable")[:, :k]
    far = np.sqrt(np.take_along_axis(squares, near, 1)).astype(np.float32)
    return fuzzy_simplicial_set(rows, k, np.random.RandomState(0), "euclidean", knn_indices=near.astype(np.int32), knn_dists=far)[0].tocsr()

graphs = [graph(x), graph(y)]
def alike(a, b):
    """Jaccard of the paired neighbours of i in a and in b. Sets of Python: build_neighborhood_similarities of umap-learn
    0.5.3, whose definition this is, gives values above 1."""
    out = []
    for i in range(paired):
        p, q = ({int(j) for j in g[i].indices if j < paired} for g in (a, b))
        out.append(len(p & q) / len(p | q) if p | q else 1.0)
    return out

def apart(a, b):
    spread = np.sqrt(((a - a.mean(0)) ** 2).sum(1).mean())
    far = lambda i, j: float(np.linalg.norm(a[i] - b[j], axis=1).mean() / spread)
    i, held = np.arange(paired), np.arange(paired, n)
    return {"pulled": far(i, i), "rest": far(held, held)}

# Its random_state changes nothing beyond the start.
model = umap.AlignedUMAP(n_neighbors=15, random_state=0, n_epochs=500).fit([x, y], relations=[{i: i for i in range(paired)}])

print(json.dumps({
    "versions": {"umap": umap.__version__, "numpy": np.__version__},
    "n": n, "d": d, "paired": paired,
    "alike": {"aToB": alike(*graphs), "bToA": alike(*graphs[::-1])},
    "apart": apart(*[np.asarray(e) for e in model.embeddings_]),
}))
