"""Similarity scores by numpy, scipy and scikit-learn: /usr/bin/python3 test/goldens/similarity.py"""
import json
import os
import numpy as np
from scipy.stats import spearmanr
from sklearn.cross_decomposition import CCA
from sklearn.neighbors import NearestNeighbors

rng = np.random.default_rng(0)
n, dx, dy = 60, 8, 6
x = (rng.normal(size=(n, dx)) * np.array([4, 3, 2, 1, 1, 0.5, 0.1, 0.02])).astype(np.float32)
y = (x[:, :5] @ rng.normal(size=(5, dy)) + 0.8 * rng.normal(size=(n, dy)) + 3).astype(np.float32)
y[:, 4] = 2.5  # a column without variance
order = rng.permutation(n)  # one fixed shuffle of the pairing


def basis(m, keep=None):
    u, s, _ = np.linalg.svd(m - m.mean(0), full_matrices=False)
    k = int((s > 1e-6 * s[0]).sum())
    if keep is not None:
        k = int(np.searchsorted(np.cumsum(s**2) / (s**2).sum(), keep) + 1)
    return u[:, :k]


def correlations(u, v):
    return np.linalg.svd(u.T @ v, compute_uv=False)


def pwcca(x, y):
    u, v = basis(x), basis(y)
    a, rho, _ = np.linalg.svd(u.T @ v)
    h = u @ a[:, : len(rho)]
    w = np.abs(h.T @ (x - x.mean(0))).sum(1)
    return float((w * rho).sum() / w.sum())


def rsa(x, y):
    iu = np.triu_indices(len(x), 1)
    return float(spearmanr(np.corrcoef(x)[iu], np.corrcoef(y)[iu])[0])


def cka(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    return float(np.linalg.norm(x.T @ y) ** 2 / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y))


def hsic1(k, l):
    """Song et al. 2012, equation 5, from the kernels themselves."""
    m = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))
    one = np.ones(m)
    return (np.trace(k @ l) + one @ k @ one * (one @ l @ one) / (m - 1) / (m - 2) - 2 / (m - 2) * (one @ k @ l @ one)) / (m * (m - 3))


def cka_debiased(x, y):
    k, l = x @ x.T, y @ y.T
    return float(hsic1(k, l) / np.sqrt(hsic1(k, k) * hsic1(l, l)))


def jaccard(x, y, k=10):
    sets = []
    for m in (x, y):
        ids = NearestNeighbors(n_neighbors=k, metric="cosine").fit(m).kneighbors(None, return_distance=False)
        sets.append([set(r) for r in ids.tolist()])
    return float(np.mean([len(a & b) / len(a | b) for a, b in zip(*sets)]))


def scores(x, y):
    x, y = x.astype(np.float64), y.astype(np.float64)
    return {
        "svcca": float(correlations(basis(x, 0.99), basis(y, 0.99)).mean()),
        "svcca-published": float(abs(np.corrcoef(basis(x)[:, 0], basis(y)[:, 0])[0, 1])),
        "cca": float(correlations(basis(x), basis(y)).mean()),
        "pwcca": pwcca(x, y),
        "rsa": rsa(x, y),
        "cka": cka(x, y),
        "cka-debiased": cka_debiased(x, y),
        "jaccard": jaccard(x, y),
    }


# scikit-learn's CCA, an independent algorithm, agrees on the first correlations.
model = CCA(n_components=2, max_iter=20000, tol=1e-12).fit(x.astype(np.float64), np.delete(y, 4, 1).astype(np.float64))
xs, ys = model.transform(x.astype(np.float64), np.delete(y, 4, 1).astype(np.float64))
sk = [abs(np.corrcoef(xs[:, i], ys[:, i])[0, 1]) for i in range(2)]
assert np.allclose(sk, correlations(basis(x.astype(np.float64)), basis(y.astype(np.float64)))[:2], atol=1e-6), sk

out = dict(n=n, dx=dx, dy=dy, x=x.astype(float).ravel().tolist(), y=y.astype(float).ravel().tolist(), order=order.tolist(),
           kx=basis(x.astype(np.float64), 0.99).shape[1], ky=basis(y.astype(np.float64), 0.99).shape[1],
           paired=scores(x, y), shuffled=scores(x, y[order]))
json.dump(out, open(os.path.join(os.path.dirname(__file__), "similarity.json"), "w"))
