"""Values of the normal distribution in one and two dimensions, by scipy: test/goldens/worlds.json."""
import json
import os

import numpy as np
from scipy.integrate import quad
from scipy.stats import norm


def upper(h, k, r):
    if abs(r) == 1:
        return norm.sf(max(h, k)) if r > 0 else max(0.0, norm.sf(h) - norm.cdf(k))
    s = np.sqrt(1 - r * r)
    edge = min(max(k / r, h), h + 14) if r else h
    value, _ = quad(lambda x: norm.pdf(x) * norm.sf((k - r * x) / s), h, h + 14, epsabs=1e-16, epsrel=1e-13, limit=4000, points=[edge])
    return value


cases = [(h, k, r) for h in (-1.5, 0.0, 1.0, 2.3, 3.1) for k in (-0.4, 0.0, 2.3, 2.5) for r in (-0.999, -0.93, -0.5, 0.0, 0.3, 0.89, 0.91, 0.99, 0.9999, 1.0)]
out = {
    "bivariate": [[h, k, r, upper(h, k, r)] for h, k, r in cases],
    "cdf": [[x, norm.cdf(x)] for x in (-30.0, -8.0, -7.2, -5.0, -3.0, -1.0, -0.1, 0.0, 0.5, 2.0, 6.0)],
    "quantile": [[p, norm.ppf(p)] for p in (1e-300, 1e-12, 1e-5, 0.001, 0.02, 0.0749, 0.0751, 0.3, 0.5, 0.8, 0.99, 0.99999)],
}
with open(os.path.join(os.path.dirname(__file__), "worlds.json"), "w") as f:
    json.dump(out, f)
