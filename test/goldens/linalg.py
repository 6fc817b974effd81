"""Golden eigenvalues and singular values by numpy (LAPACK). Run: /usr/bin/python3 test/goldens/linalg.py"""
import json
import pathlib

import numpy as np


def hashed(rows, cols):
    """The matrix that linalg.test.ts builds too: exact in float64, no generator shared."""
    i, j = np.meshgrid(np.arange(rows), np.arange(cols), indexing="ij")
    return ((i * 7919 + j * 104729 + i * j * 31) % 1009) / 1009 - 0.5


square = hashed(40, 40)
symmetric = (square + square.T) / 2
n = 12
hilbert = 1 / (np.arange(n)[:, None] + np.arange(n)[None, :] + 1)
golden = {
    "numpy": np.__version__,
    "symmetric40": np.linalg.eigvalsh(symmetric)[::-1].tolist(),
    "hilbert12": np.linalg.svd(hilbert, compute_uv=False).tolist(),
    "tall50x20": np.linalg.svd(hashed(50, 20), compute_uv=False).tolist(),
    "wide20x50": np.linalg.svd(hashed(20, 50), compute_uv=False).tolist(),
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(golden, indent=1) + "\n")
