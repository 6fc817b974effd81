"""Goldens of the Mapper pipeline: scikit-learn's DBSCAN, AgglomerativeClustering and Isomap, KeplerMapper 2's cover and
map restated, giotto-tda's FirstSimpleGap restated on scipy's linkage, and HDBSCAN written from its definition with scipy.

    /usr/bin/python3 test/goldens/mapper.py
"""
import itertools
import json
import pathlib
import warnings

import numpy as np
import sklearn
from scipy.cluster.hierarchy import linkage
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist
from sklearn.cluster import DBSCAN, AgglomerativeClustering
from sklearn.manifold import Isomap

warnings.filterwarnings("ignore")
rng = np.random.default_rng(7)


def rounded(x):
    return np.round(np.asarray(x, dtype=np.float32), 4).astype(np.float32)


def listed(x):
    return [round(float(v), 7) for v in np.asarray(x).ravel()]


def groups(rows, cols, count, noise):
    centres = rng.normal(size=(count, cols))
    return rounded(centres[rng.integers(0, count, rows)] + noise * rng.normal(size=(rows, cols)))


blobs = groups(160, 6, 5, 0.35)
line = rounded(np.c_[np.arange(40) * 0.25, np.zeros(40)])  # steps of exactly eps, borders and ties
grid = np.array(list(itertools.product(range(6), range(6))), dtype=np.float32)
axes = np.vstack([np.eye(5), np.eye(5), 2 * np.eye(5), np.zeros((2, 5)), -np.eye(5)]).astype(np.float32)
moon = rounded(
    np.vstack([
        np.c_[np.cos(np.linspace(0, np.pi, 70)), np.sin(np.linspace(0, np.pi, 70))],
        np.c_[1 - np.cos(np.linspace(0, np.pi, 70)), 0.4 - np.sin(np.linspace(0, np.pi, 70))],
    ])
    + 0.06 * rng.normal(size=(140, 2))
)
data = {"blobs": blobs, "line": line, "grid": grid, "axes": axes, "moon": moon}

dbscan = []
for name, metric, eps, min_samples in [
    ("blobs", "euclidean", 1.0, 5),
    ("blobs", "euclidean", 0.7, 3),
    ("blobs", "cosine", 0.1, 5),
    ("blobs", "cosine", 0.03, 4),
    ("line", "euclidean", 0.25, 3),
    ("line", "euclidean", 0.25, 2),
    ("line", "euclidean", 0.24, 2),
    ("grid", "euclidean", 1.0, 4),
    ("grid", "euclidean", 1.0, 5),
    ("axes", "cosine", 0.5, 2),
    ("axes", "cosine", 0.5, 3),
    ("moon", "euclidean", 0.2, 4),
    ("moon", "euclidean", 0.15, 6),
]:
    x = data[name].astype(np.float64)
    labels = DBSCAN(eps=eps, min_samples=min_samples, metric=metric).fit_predict(x)
    dbscan.append({"data": name, "metric": metric, "eps": eps, "minSamples": min_samples, "labels": labels.tolist()})


def first_gap(heights, gap):
    rises = np.ediff1d(heights, to_begin=heights[0])
    found = np.flatnonzero(rises >= gap * heights[-1])
    return len(heights) + 1 - found[0] if found.size else 1


agglomerative = []
for name, metric, how in itertools.product(["blobs", "moon"], ["euclidean", "cosine"], ["single", "complete", "average"]):
    x = data[name].astype(np.float64)
    for n in [1, 3, 7]:
        labels = AgglomerativeClustering(n_clusters=n, affinity=metric, linkage=how).fit_predict(x)
        agglomerative.append({"data": name, "metric": metric, "linkage": how, "nClusters": n, "labels": labels.tolist()})
    merges = linkage(x, how, metric=metric)
    for share in [0.2, 0.5]:
        t = float(round(share * merges[-1, 2], 6))
        labels = AgglomerativeClustering(n_clusters=None, distance_threshold=t, affinity=metric, linkage=how).fit_predict(x)
        agglomerative.append({"data": name, "metric": metric, "linkage": how, "distanceThreshold": t, "labels": labels.tolist()})
    for gap in [0.05, 0.1, 0.3]:
        n = first_gap(merges[:, 2], gap)
        labels = np.arange(len(x))
        names = {i: {i} for i in range(len(x))}
        for e in range(len(x) - n):
            names[len(x) + e] = names.pop(int(merges[e, 0])) | names.pop(int(merges[e, 1]))
        for members in names.values():
            labels[list(members)] = min(members)
        agglomerative.append({"data": name, "metric": metric, "linkage": how, "gap": gap, "labels": labels.tolist()})


def hdbscan(x, metric, min_cluster_size, min_samples, allow_single=False):
    """From Campello, Moulavi and Sander 2013, recursively; core distance counts the point itself."""
    d = cdist(x, x, metric)
    core = np.sort(d, axis=1)[:, min_samples - 1]
    reach = np.maximum(np.maximum(d, core[:, None]), core[None, :])
    tree = minimum_spanning_tree(csr_matrix(np.triu(reach, 1))).tocoo()
    edges = sorted(zip(tree.data, tree.row, tree.col))

    def parts(points, edges):
        """Components of `points` under `edges`."""
        parent = {p: p for p in points}

        def root(p):
            while parent[p] != p:
                p = parent[p]
            return p

        for _, a, b in edges:
            parent[root(a)] = root(b)
        out = {}
        for p in points:
            out.setdefault(root(p), []).append(p)
        return list(out.values())

    clusters = []  # (points, birth, exits {point: lambda}, children)

    def grow(points, edges, birth):
        exits, children = {}, []
        current, left = points, edges
        while True:
            weight, rest = left[-1][0], left[:-1]
            lam = 1 / weight
            inside = parts(current, rest)
            big = [p for p in inside if len(p) >= min_cluster_size]
            stay = big[0] if len(big) == 1 else []
            for p in current:
                if p not in stay:
                    exits[p] = lam
            if len(big) > 1:
                for p in big:
                    members = set(p)
                    children.append(grow(p, [e for e in rest if e[1] in members], lam))
            if len(big) != 1:
                break
            members = set(stay)
            current, left = stay, [e for e in rest if e[1] in members]
        stability = sum(lam - birth for lam in exits.values())
        clusters.append((points, exits, children, stability))
        return len(clusters) - 1

    top = grow(list(range(len(x))), edges, 0.0)

    def choose(c):
        """Best clusters at or below c, and their stability."""
        _, _, children, own = clusters[c]
        below = [choose(k) for k in children]
        total = sum(s for _, s in below)
        if c == top and not allow_single:
            return [k for ks, _ in below for k in ks], total
        if children and total > own:
            return [k for ks, _ in below for k in ks], total
        return [c], own

    labels = np.full(len(x), -1)
    for n, c in enumerate(choose(top)[0]):
        points, exits, _, _ = clusters[c]
        last = max(exits.values())
        for p in points:
            if c != top or exits[p] >= last:
                labels[p] = n
    return labels


hdb = []
for name, metric, size, samples in [
    ("blobs", "euclidean", 5, 5),
    ("blobs", "euclidean", 10, 3),
    ("blobs", "cosine", 5, 5),
    ("blobs", "cosine", 4, 2),
    ("moon", "euclidean", 5, 5),
    ("moon", "euclidean", 20, 4),
    ("moon", "euclidean", 3, 3),
]:
    labels = hdbscan(data[name].astype(np.float64), metric, size, samples)
    hdb.append({"data": name, "metric": metric, "minClusterSize": size, "minSamples": samples, "labels": labels.tolist()})


def kepler_cover(lens, cubes, overlap):
    """Members of the cubes that hold any, in KeplerMapper's order."""
    low, high = lens.min(0), lens.max(0)
    cubes, overlap = np.broadcast_to(cubes, low.shape), np.broadcast_to(overlap, low.shape)
    ranges = high - low
    inset = (ranges - ((cubes - 1) / cubes) * ranges) / 2
    radius = ranges / (2 * cubes * (1 - overlap))
    centres = [np.linspace(b + r, c - r, num=n) for b, c, n, r in zip(low, high, cubes, inset)]
    out = []
    for centre in itertools.product(*centres):
        inside = np.all((lens >= np.array(centre) - radius) & (lens <= np.array(centre) + radius), axis=1)
        if inside.any():
            out.append(np.flatnonzero(inside).tolist())
    return out


def kepler_map(x, lens, cubes, overlap, eps, min_samples, metric):
    nodes = {}
    for number, inside in enumerate(kepler_cover(lens, cubes, overlap)):
        if len(inside) < min_samples:
            continue
        labels = DBSCAN(eps=eps, min_samples=min_samples, metric=metric).fit_predict(x[inside])
        for i, label in zip(inside, labels):
            if label != -1:
                nodes.setdefault(f"cube{number}_cluster{label}", []).append(i)
    links = {}
    for a, b in itertools.combinations(nodes, 2):
        if set(nodes[a]) & set(nodes[b]):
            links.setdefault(a, []).append(b)
    return {"nodes": nodes, "links": links}


lattice = np.array(list(itertools.product(np.linspace(0, 1, 11), [0.0, 0.1, 0.5, 1.0])))  # values on the bounds
covers = []
for lens, cubes, overlap in [
    (lattice, 10, 0.1),
    (lattice, [5, 4], [0.5, 0.25]),
    (lattice[:, :1], 10, 0.2),
    (blobs[:, :2].astype(np.float64), 7, 0.3),
    (blobs[:, :3].astype(np.float64), [3, 2, 4], 0.4),
]:
    covers.append({"lens": [float(v) for v in lens.ravel()], "dims": lens.shape[1], "cubes": cubes, "overlap": overlap,
                   "elements": kepler_cover(lens, cubes, overlap)})
maps = []
for name, cubes, overlap, eps, samples, metric in [
    ("blobs", 4, 0.3, 0.1, 3, "cosine"),
    ("blobs", [5, 3], 0.5, 1.0, 4, "euclidean"),
    ("moon", 8, 0.25, 0.25, 3, "euclidean"),
]:
    x = data[name].astype(np.float64)
    maps.append({"data": name, "cubes": cubes, "overlap": overlap, "eps": eps, "minSamples": samples, "metric": metric,
                 **kepler_map(x, x[:, :2], cubes, overlap, eps, samples, metric)})

isomaps = []
t = np.linspace(0, 3 * np.pi, 90)
roll = rounded(np.c_[t * np.cos(t), t * np.sin(t), rng.random(90) * 6])
apart = rounded(np.vstack([rng.normal(size=(25, 3)), rng.normal(size=(20, 3)) + 30, rng.normal(size=(10, 3)) - 40]))
data["roll"], data["apart"] = roll, apart
for name, k, components in [("roll", 6, 2), ("blobs", 5, 3), ("apart", 4, 2)]:
    y = Isomap(n_neighbors=k, n_components=components, eigen_solver="dense").fit_transform(data[name].astype(np.float64))
    isomaps.append({"data": name, "nNeighbors": k, "components": components, "values": listed(y)})

out = {
    "sklearn": sklearn.__version__,
    "data": {k: {"rows": v.shape[0], "cols": v.shape[1], "values": [round(float(u), 4) for u in v.ravel()]} for k, v in data.items()},
    "dbscan": dbscan,
    "agglomerative": agglomerative,
    "hdbscan": hdb,
    "covers": covers,
    "maps": maps,
    "isomap": isomaps,
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
