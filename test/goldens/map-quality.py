"""Goldens of new points in a layout, of neighbours and graphs of sparse rows by cosine, and of trust and continuity by
point: umap-learn, scikit-learn, scipy and numpy.
Run: /usr/bin/python3 test/goldens/map-quality.py > test/goldens/map-quality.json"""
import json
import warnings
warnings.filterwarnings("ignore")
import numpy as np
import scipy.sparse, sklearn, umap
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors
from umap.umap_ import fuzzy_simplicial_set
from numbers_alike import lcg

def nearest(distances, k):
    """Ids of the k nearest of each row; equal distances in order of id."""
    return np.argsort(distances, axis=1, kind="stable")[:, :k]

def squares(a, b):
    return ((a[:, None].astype(float) - b[None].astype(float)) ** 2).sum(2)

out = {"versions": {"sklearn": sklearn.__version__, "umap": umap.__version__, "numpy": np.__version__, "scipy": scipy.__version__}}

# Three bent sheets in 12 dimensions; the last fourth is new to the layout.
n, d, held = 320, 12, 80
u, v = 3 * lcg(n, 11), 3 * lcg(n, 12)
j = np.arange(d)[None]
x = np.sin((0.3 * j + 0.5) * u[:, None] + 2 * (np.arange(n) % 3)[:, None]) + np.cos((0.2 * j + 0.4) * v[:, None] + j)
x = (x + 0.1 * lcg(n * d, 13).reshape(n, d)).astype(np.float32)
train, new = x[:-held], x[-held:]
theirs = {"recall": [], "own": []}
for seed in range(3):
    model = umap.UMAP(n_neighbors=15, random_state=seed).fit(train)
    placed = model.transform(new)
    for name, rows, places in (("recall", new, placed), ("own", train, model.embedding_)):
        k = 10 if name == "recall" else 11
        a, b = nearest(squares(rows, train), k), nearest(squares(places, model.embedding_), k)
        theirs[name].append(float(np.mean([len(set(p) & set(q)) / k for p, q in zip(a, b)])))
out["transform"] = {"n": n, "d": d, "held": held, **theirs}

# Features × tokens: sparse, two features that never fire, some that never fire together.
features, tokens = 40, 300
dense = lcg(features * tokens, 21).reshape(features, tokens)
dense = np.where(dense > 0.85, 8 * (dense - 0.85), 0).astype(np.float32)
dense[::5, 150:] = 0
dense[1::5, :150] = 0
dense[[7, 23]] = 0
live = np.flatnonzero(dense.any(1))
rows = scipy.sparse.csr_matrix(dense[live])
distances, ids = NearestNeighbors(n_neighbors=10, metric="cosine", algorithm="brute").fit(rows).kneighbors()
# On these neighbours, the row itself first: umap-learn's own search is approximate.
first, own = np.zeros((len(live), 1)), np.arange(len(live))[:, None]
graph = fuzzy_simplicial_set(rows, 8, np.random.RandomState(0), "cosine", knn_indices=np.hstack([own, ids[:, :7]]),
                             knn_dists=np.hstack([first, distances[:, :7]]).astype(np.float32))[0].tocoo()
keep = graph.row < graph.col
order = np.lexsort((graph.col[keep], graph.row[keep]))
out["sparse"] = {"features": features, "tokens": tokens, "distances": distances.ravel().round(7).tolist(),
                 "head": graph.row[keep][order].tolist(), "tail": graph.col[keep][order].tolist(),
                 "weight": graph.data[keep][order].astype(float).round(6).tolist()}

# Trust and continuity by point.
n, d, k = 60, 12, 5
x = (lcg(n * d, 7).reshape(n, d) + 2 * (np.arange(n) % 3)[:, None] * (np.arange(d) % 2)).astype(np.float32)
y = lcg(2 * n, 31).reshape(n, 2).astype(np.float32)
y[:, 0] += np.arange(n) % 3

def points(from_, to):
    """1 - 2 / (k (2n - 3k - 1)) times the sum over the k nearest in `to` of max(0, rank in `from_` - k)."""
    a, b = from_.copy(), to.copy()
    np.fill_diagonal(a, np.inf), np.fill_diagonal(b, np.inf)
    ranks = np.argsort(np.argsort(a, axis=1, kind="stable"), axis=1) + 1
    return 1 - 2 / (k * (2 * n - 3 * k - 1)) * np.maximum(0, np.take_along_axis(ranks, nearest(b, k), 1) - k).sum(1)

unit = x.astype(float) / np.linalg.norm(x.astype(float), axis=1)[:, None]
data = {"euclidean": squares(x, x), "cosine": 1 - unit @ unit.T}
places = squares(y, y)
out["quality"] = {"k": k, "y": y.ravel().tolist()}
for metric, distances in data.items():
    out["quality"][metric] = {"trust": points(distances, places).round(9).tolist(), "continuity": points(places, distances).round(9).tolist(),
                              "trustworthiness": trustworthiness(x, y, n_neighbors=k, metric=metric)}
out["quality"]["euclidean"]["continuityMean"] = trustworthiness(y, x, n_neighbors=k)
print(json.dumps(out))
