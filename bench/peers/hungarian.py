"""Peer: scipy's linear_sum_assignment, largest total. argv: file (float64, square), n."""
import json
import sys
import time

import numpy as np
import scipy
from scipy.optimize import linear_sum_assignment

file, n = sys.argv[1], int(sys.argv[2])
matrix = np.fromfile(file, dtype=np.float64).reshape(n, n)
seconds = np.inf
for _ in range(3):
    start = time.perf_counter()
    rows, cols = linear_sum_assignment(matrix, maximize=True)
    seconds = min(seconds, time.perf_counter() - start)
print(json.dumps({"seconds": seconds, "total": float(matrix[rows, cols].sum()), "scipy": scipy.__version__}))
