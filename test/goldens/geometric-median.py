"""Geometric medians by a general minimiser: golden input of src/kernel/sae/bDecInit.ts.

Run: /usr/bin/python3 test/goldens/geometric-median.py  (numpy 1.24, scipy 1.10) -> test/goldens/geometric-median.json
"""

import json
import os

import numpy as np
from scipy.optimize import minimize

random = np.random.default_rng(0)


def median(x):
    x = x.astype('float64')
    cost = lambda y: np.sqrt(((x - y) ** 2).sum(1)).sum()
    best = min((minimize(cost, start, method='Nelder-Mead', options={'xatol': 1e-10, 'fatol': 1e-12, 'maxiter': 40000, 'maxfev': 40000, 'adaptive': True})
                for start in (x.mean(0), np.median(x, 0))), key=lambda found: found.fun)
    return best.x, best.fun


def case(name, x):
    x = np.asarray(x, 'float32')
    at, cost = median(x)
    return {'name': name, 'x': x.tolist(), 'median': at.tolist(), 'cost': cost}


skewed = random.exponential(1, (40, 3)) + 5
far = random.normal(0, 1, (30, 2))
far[:4] += 1000
CASES = [
    case('normal rows', random.normal(0, 1, (50, 3))),
    case('skewed rows', skewed),
    case('outliers a thousand spreads away', far),
    case('rows on a line, an even number', [[0, 0], [1, 1], [2, 2], [9, 9]]),
    case('one row three times of five', [[1, 2], [1, 2], [1, 2], [7, 0], [-4, 8]]),
    case('one row', [[3, -1]]),
    case('small values', 1e-6 * random.normal(0, 1, (20, 2))),
    case('fewer rows than dimensions', random.normal(0, 1, (3, 5))),
]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'geometric-median.json'), 'w') as out:
    json.dump({'cases': CASES}, out)
    out.write('\n')
print([(c['name'], c['cost']) for c in CASES])
