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


def centred(x):
    return x - x.mean(axis=0)


def gram(x):
    return x.T @ x


def repeated(rows, distinct, times):
    """Columns that repeat in runs, centred."""
    return gram(centred(np.repeat(hashed(rows, distinct), times, axis=1)))


def repeated_rows(distinct, times, cols):
    return gram(centred(np.repeat(hashed(distinct, cols), times, axis=0)))


def low_rank(size, rank):
    x = hashed(size, rank)
    return x @ x.T


def zero_blocks(size):
    """Zeros around a block of low rank, and one of entries near 1e-20."""
    a = np.zeros((size, size))
    a[10:20, 10:20] = low_rank(10, 3)
    a[30:36, 30:36] = 1e-20 * low_rank(6, 6)
    return a


def hilbert_of(size):
    return 1 / (np.arange(size)[:, None] + np.arange(size)[None, :] + 1)


# linalg.test.ts builds the same matrices; the largest eigenvalues are enough where the rest are zero.
families = {
    "repeated 60 28 10": repeated(60, 28, 10),
    "repeated 60 5 56": repeated(60, 5, 56),
    "repeated 6 1 64": repeated(6, 1, 64),
    "repeated 300 64 2": repeated(300, 64, 2),
    "repeatedRows 4 25 96": repeated_rows(4, 25, 96),
    "repeatedRows 30 3 200": repeated_rows(30, 3, 200),
    "lowRank 100 1": low_rank(100, 1),
    "lowRank 333 7": low_rank(333, 7),
    "zeroBlocks 40": zero_blocks(40),
    "hilbert 100": hilbert_of(100),
    "hilbert 300": hilbert_of(300),
    "repeated 40 32 64": repeated(40, 32, 64),
}
golden = {
    "families": {name: np.linalg.eigvalsh(a)[::-1][:40].tolist() for name, a in families.items()},
    "numpy": np.__version__,
    "symmetric40": np.linalg.eigvalsh(symmetric)[::-1].tolist(),
    "hilbert12": np.linalg.svd(hilbert, compute_uv=False).tolist(),
    "tall50x20": np.linalg.svd(hashed(50, 20), compute_uv=False).tolist(),
    "wide20x50": np.linalg.svd(hashed(20, 50), compute_uv=False).tolist(),
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(golden, indent=1) + "\n")
