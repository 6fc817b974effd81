"""Dense float64 Pearson between sparse random features, by numpy: /usr/bin/python3 test/goldens/pearson.py"""
import json
import os
import numpy as np

rng = np.random.default_rng(0)
N, FA, FB = 300, 13, 17
shared = rng.random((N, 6)) * (rng.random((N, 6)) < 0.15)
mix = lambda f, extra: np.concatenate([shared @ (rng.random((6, f - extra)) < 0.4), rng.random((N, extra))], 1)
a = (mix(FA, 4) + 0.2 * rng.random((N, FA))) * (rng.random((N, FA)) < 0.3)
b = (mix(FB, 5) + 0.2 * rng.random((N, FB))) * (rng.random((N, FB)) < 0.3)
a, b = a.astype(np.float32), b.astype(np.float32)
a[:, 3] = 0  # dead
b[:, 5] = 0
b[:, 6] = 1.5  # fires always, with one value
a[:, 7] = a[:, 2]  # ties
b[:, 8] = 0
b[4, 8] = 0.25  # one firing
a[:, 9] = 3 + 0.01 * rng.random(N).astype(np.float32)  # fires always, little variance
with np.errstate(invalid="ignore", divide="ignore"):
    r = np.corrcoef(a.astype(np.float64).T, b.astype(np.float64).T)[:FA, FA:]
out = dict(tokens=N, featuresA=FA, featuresB=FB, a=a.astype(np.float64).ravel().tolist(), b=b.astype(np.float64).ravel().tolist(),
           r=[[None if not np.isfinite(v) else v for v in row] for row in r.tolist()])
json.dump(out, open(os.path.join(os.path.dirname(__file__), "pearson.json"), "w"))
