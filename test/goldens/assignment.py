"""Optimal assignments by scipy.optimize.linear_sum_assignment. Run: /usr/bin/python3 test/goldens/assignment.py"""
import json
import pathlib

import numpy as np
from scipy.optimize import linear_sum_assignment

rng = np.random.default_rng(11)
cases = []
for rows, cols, kind in [
    (1, 1, "normal"), (5, 5, "normal"), (7, 12, "normal"), (12, 7, "normal"), (30, 30, "ties"), (20, 45, "ties"),
    (40, 40, "cosine"), (25, 60, "cosine"), (16, 16, "equal"), (10, 10, "huge"),
]:
    if kind == "normal":
        m = rng.normal(size=(rows, cols))
    elif kind == "ties":
        m = rng.integers(0, 4, size=(rows, cols)).astype(float)
    elif kind == "cosine":
        a, b = rng.normal(size=(rows, 8)), rng.normal(size=(cols, 8))
        m = (a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T
    elif kind == "equal":
        m = np.full((rows, cols), 0.1)
    else:
        m = rng.normal(size=(rows, cols)) * 10.0 ** rng.integers(-8, 9, size=(rows, cols))
    m = np.round(m, 6)
    low = linear_sum_assignment(m)
    high = linear_sum_assignment(m, maximize=True)
    cases.append({
        "kind": kind, "rows": rows, "cols": cols, "entries": m.ravel().tolist(),
        "minimum": float(m[low].sum()), "maximum": float(m[high].sum()), "columns": low[1].tolist(), "assigned": low[0].tolist(),
    })
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps({"cases": cases}) + "\n")
print(path, path.stat().st_size)
