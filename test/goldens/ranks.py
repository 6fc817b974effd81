"""Goldens of ranks and correlations: scipy. Run: /usr/bin/python3 test/goldens/ranks.py > test/goldens/ranks.json"""
import json
import warnings
warnings.filterwarnings("ignore")
import numpy as np
import scipy
from scipy import stats

rng = np.random.default_rng(9)
out = {"versions": {"scipy": scipy.__version__, "numpy": np.__version__}, "cases": []}
for n, levels in ((2, 9), (3, 2), (7, 3), (40, 4), (101, 50), (64, 1000)):
    a = rng.integers(0, levels, size=n) * 0.1
    b = (a + rng.normal(size=n)).round(3)
    for scale in (1.0, 1e-9, 1e12):
        x = a * scale
        nan = lambda v: None if np.isnan(v) else float(v)
        out["cases"].append({
            "a": x.tolist(), "b": b.tolist(), "ranks": stats.rankdata(x).tolist(),
            "pearson": nan(stats.pearsonr(x, b)[0]), "spearman": nan(stats.spearmanr(x, b)[0]),
            "mean": float(np.mean(x)), "std": float(np.std(x)), "median": float(np.median(x)),
        })
print(json.dumps(out))
