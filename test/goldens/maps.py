"""Goldens of PCA, the fuzzy graph, trustworthiness and curve parameters: scikit-learn, scipy and umap-learn.
Run: /usr/bin/python3 test/goldens/maps.py > test/goldens/maps.json"""
import json
import warnings
warnings.filterwarnings("ignore")
import numpy as np
import sklearn, umap
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from umap.umap_ import find_ab_params, fuzzy_simplicial_set
from numbers_alike import lcg

n, d = 60, 12
x = (lcg(n * d, 7).reshape(n, d) + 2 * (np.arange(n) % 3)[:, None] * (np.arange(d) % 2)).astype(np.float32)
pca = PCA(2).fit(x.astype(np.float64))
layout = pca.transform(x.astype(np.float64)).astype(np.float32)
out = {"versions": {"sklearn": sklearn.__version__, "umap": umap.__version__, "numpy": np.__version__}, "n": n, "d": d}
out["pca"] = {"ratio": pca.explained_variance_ratio_.tolist(), "variance": pca.explained_variance_.tolist(),
              "coordinates": pca.transform(x.astype(np.float64)).ravel().round(8).tolist()}
for metric in ("euclidean", "cosine"):
    graph = fuzzy_simplicial_set(x, 10, np.random.RandomState(0), metric)[0].tocoo()
    keep = graph.row < graph.col
    order = np.lexsort((graph.col[keep], graph.row[keep]))
    out["graph_" + metric] = {k: np.asarray(v)[keep][order].round(6).tolist() for k, v in
                              (("head", graph.row), ("tail", graph.col), ("weight", graph.data.astype(np.float64)))}
    out["trust_" + metric] = [trustworthiness(x, layout, n_neighbors=k, metric=metric) for k in (3, 5, 10)]
out["ab"] = [[s, m, *map(float, find_ab_params(s, m))] for s, m in ((1.0, 0.1), (1.0, 0.01), (1.5, 0.5))]
print(json.dumps(out))
