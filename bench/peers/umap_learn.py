"""umap-learn with a seed on the rows of FOLDER/x.f32; trustworthiness of its layout and of FOLDER/y.f32. Prints JSON."""
import json
import sys
import time
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import umap
from sklearn.manifold import trustworthiness

folder, n, d, epochs = sys.argv[1], *(int(a) for a in sys.argv[2:5])
x = np.fromfile(f"{folder}/x.f32", np.float32).reshape(n, d)
ours = np.fromfile(f"{folder}/y.f32", np.float32).reshape(n, 2)
# Compiled once on a small piece: numba's compilation is not what is measured.
umap.UMAP(n_neighbors=15, n_epochs=10, random_state=0).fit_transform(x[:4200])
started = time.perf_counter()
theirs = umap.UMAP(n_neighbors=15, min_dist=0.1, n_epochs=epochs, random_state=0).fit_transform(x)
seconds = time.perf_counter() - started
sample = slice(0, 4096)
trust = lambda y: float(trustworthiness(x[sample], y[sample], n_neighbors=15))
print(json.dumps({"seconds": seconds, "trustOurs": trust(ours), "trustPeer": trust(theirs), "version": umap.__version__}))
