"""Goldens of paired tests: scipy. Run: /usr/bin/python3 test/goldens/paired-tests.py > test/goldens/paired-tests.json"""
import json
import warnings
warnings.filterwarnings("ignore")
import numpy as np
import scipy
from scipy import stats

rng = np.random.default_rng(5)
out = {"versions": {"scipy": scipy.__version__, "numpy": np.__version__}, "paired": [], "normal": [], "student": []}
for n, shift in ((2, 1.0), (5, 0.3), (12, 0.8), (40, 0.2), (50, -0.4), (51, 0.2), (120, 0.15)):
    d = (rng.normal(size=n) + shift).round(6)
    t = stats.ttest_1samp(d, 0)
    mode = "exact" if n <= 50 else "approx"
    out["paired"].append({"d": d.tolist(), "t": float(t.statistic), "p": float(t.pvalue),
                          "wilcoxon": float(stats.wilcoxon(d, mode=mode).pvalue)})
ties = rng.integers(-3, 5, size=90).astype(float)
out["ties"] = {"d": ties.tolist(), "wilcoxon": float(stats.wilcoxon(ties, mode="approx").pvalue)}
for z in (0.0, 0.1, 1.0, 1.96, 2.8, 3.0, 5.0, 12.0):
    out["normal"].append([z, float(2 * stats.norm.sf(z))])
for t, df in ((0.0, 3), (1.2, 1), (2.5, 7), (-3.1, 31), (12.0, 63), (40.0, 5), (0.01, 500)):
    out["student"].append([t, df, float(2 * stats.t.sf(abs(t), df))])
a = rng.integers(0, 9, size=30).astype(float)
b = a + rng.normal(size=30).round(0)
out["spearman"] = {"a": a.tolist(), "b": b.tolist(), "rho": float(stats.spearmanr(a, b).correlation)}
# Benjamini and Hochberg by their definition: min over j >= i of p(j) m / j, capped at 1.
p = rng.uniform(size=15) ** 3
order = np.argsort(p)
m = len(p)
q = np.empty(m)
for rank, i in enumerate(order):
    q[i] = min(1.0, min(p[order[j]] * m / (j + 1) for j in range(rank, m)))
out["bh"] = {"p": p.tolist(), "q": q.tolist()}
print(json.dumps(out))
