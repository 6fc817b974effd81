"""Numbers that golden scripts and TypeScript tests draw alike (test/kit/numbers.ts)."""
import numpy as np

def lcg(n, seed):
    """The same numbers in Python and TypeScript: a 32-bit linear congruential generator."""
    out, s = np.empty(n), seed
    for i in range(n):
        s = (1664525 * s + 1013904223) % 2**32
        out[i] = s / 2**32
    return out
