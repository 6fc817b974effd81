"""umap-sheet.json: how well umap-learn keeps the neighbours of a bent sheet, a graph in one piece.
/usr/bin/python3 test/goldens/umap-sheet.py"""
import json
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
import numpy as np
import umap
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

ROWS, COLUMNS, EPOCHS, K = 6_000, 12, 200, 15
fraction = lambda e: np.modf(np.abs(np.sin(e * 12.9898) * 43758.5453))[0]
u, v = fraction(2.0 * np.arange(ROWS) + 1), fraction(2.0 * np.arange(ROWS) + 2)
x = np.empty((ROWS, COLUMNS))
for j in range(COLUMNS):
    a, b, phase = (fraction(3.0 * j + c + 100_000) for c in range(3))
    x[:, j] = np.sin(4 * (2 * a - 1) * u + 4 * (2 * b - 1) * v + 6 * phase)
x = x.astype(np.float32)
y = umap.UMAP(n_neighbors=15, min_dist=0.1, n_epochs=EPOCHS, random_state=0).fit_transform(x)
near = lambda rows: [set(r) for r in NearestNeighbors(n_neighbors=K).fit(rows).kneighbors(return_distance=False)]
recall = float(np.mean([len(a & b) / K for a, b in zip(near(x), near(y))]))
golden = {
    "umap-learn": umap.__version__,
    "rows": ROWS,
    "columns": COLUMNS,
    "epochs": EPOCHS,
    "k": K,
    "sum": float(np.abs(x).sum(dtype=np.float64)),
    "trustworthiness": float(trustworthiness(x, y, n_neighbors=K)),
    "recall": recall,
}
Path(__file__).with_suffix(".json").write_text(json.dumps(golden, indent=1) + "\n")
print(golden)
