"""umap-learn with a seed on the rows of FOLDER/x.f32; trustworthiness of its layout, of FOLDER/y.f32 and of
FOLDER/z.f32. Prints JSON."""
import json
import sys
import time
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import umap
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

folder, n, d, epochs = sys.argv[1], *(int(a) for a in sys.argv[2:5])
x = np.fromfile(f"{folder}/x.f32", np.float32).reshape(n, d)
ours = np.fromfile(f"{folder}/y.f32", np.float32).reshape(n, 2)
def fit():
    started = time.perf_counter()
    layout = umap.UMAP(n_neighbors=15, min_dist=0.1, n_epochs=epochs, random_state=0).fit_transform(x)
    return time.perf_counter() - started, layout


# The first call is what a fresh process gives, as ours is measured; the second has numba's compilation behind it.
seconds, theirs = fit()
warm, _ = fit()
sample = slice(0, 4096)
near = lambda a: set_of(NearestNeighbors(n_neighbors=15).fit(a[sample]).kneighbors(return_distance=False))
set_of = lambda rows: [set(row) for row in rows]
truth = near(x)
recall = lambda y: float(np.mean([len(a & b) / len(a) for a, b in zip(near(y), truth)]))
trust = lambda y: float(trustworthiness(x[sample], y[sample], n_neighbors=15))
atlas = np.fromfile(f"{folder}/z.f32", np.float32).reshape(n, 2)
print(json.dumps({"trustAtlas": trust(atlas), "recallAtlas": recall(atlas), "seconds": seconds, "warm": warm, "trustOurs": trust(ours), "trustPeer": trust(theirs), "recallOurs": recall(ours), "recallPeer": recall(theirs), "version": umap.__version__}))
