"""Best curve parameters a and b of UMAP by scipy, from many starts, over settings of spread and min_dist.
Run: /usr/bin/python3 test/goldens/umap-curve.py > test/goldens/umap-curve.json"""
import json
import numpy as np
import scipy
from scipy.optimize import least_squares

RATIOS = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.8, 0.9, 0.99, 1)
SPREADS = (0.01, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 100)


def best(spread, min_dist):
    x = np.linspace(0, spread * 3, 300)
    y = np.where(x < min_dist, 1.0, np.exp(-(x - min_dist) / spread))

    def errors(p):
        return 1 / (1 + np.exp(p[0]) * (x / spread) ** (2 * p[1])) - y

    fits = [least_squares(errors, (np.log(a), b), bounds=((-30, 1e-6), (30, 50)), xtol=1e-14, ftol=1e-14, gtol=1e-14)
            for a in (0.05, 0.5, 2, 8) for b in (0.3, 1, 2, 5)]
    fit = min(fits, key=lambda f: f.cost)
    a, b = np.exp(fit.x[0]) * spread ** (-2 * fit.x[1]), fit.x[1]
    return [spread, min_dist, float(a), float(b), float(np.sqrt(2 * fit.cost / 300))]


print(json.dumps({"scipy": scipy.__version__, "numpy": np.__version__,
                  "fits": [best(s, s * r) for s in SPREADS for r in RATIOS]}))
