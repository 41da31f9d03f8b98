#!/usr/bin/env python3
"""Re-creates the coefficients of src/ops/elementary.rs. Needs mpmath and numpy.

Weighted least squares at 100 Chebyshev nodes, which is nearly minimax. The coefficients are rounded to f32 one by
one, lowest order first, and the others fitted anew each time, so that they take up the rounding. Prints them,
lowest order first, and the largest relative error of the rounded polynomial.
"""

import mpmath as mp
import numpy as np

mp.mp.dps = 50


def fit(name, f, scale, lo, hi, n):
    """The polynomial of degree n on [lo, hi] that makes (f − polynomial)·scale small."""
    nodes = [(lo + hi) / 2 - (hi - lo) / 2 * mp.cos(mp.pi * (i + mp.mpf(1) / 2) / 100) for i in range(100)]
    rest, done = [f(x) * scale(x) for x in nodes], []
    for i in range(n + 1):
        basis = mp.matrix([[x**j * scale(x) for j in range(i, n + 1)] for x in nodes])
        c = np.float32(float(mp.lu_solve(basis.T * basis, basis.T * mp.matrix(rest))[0]))
        done.append(c)
        rest = [r - mp.mpf(float(c)) * x**i * scale(x) for r, x in zip(rest, nodes)]
    points = [lo + (hi - lo) * (i + mp.mpf(1) / 3) / 4000 for i in range(4000)] + [lo, hi]
    error = max(abs(scale(x) * (f(x) - mp.polyval([mp.mpf(float(c)) for c in done[::-1]], x))) for x in points)
    print(name, ", ".join(str(c) for c in done), "| largest error", mp.nstr(error, 3))


# EXP: (eʳ − 1 − r)/r² for |r| ≤ ln 2/2 and a little, in the relative error of eʳ.
half = mp.log(2) / 2 * (1 + mp.mpf(2) ** -13)
fit("EXP", lambda r: (mp.expm1(r) - r) / r**2, lambda r: r**2 * mp.exp(-r), -half, half, 4)

# NEAR: R(a) = Φ(−a)·exp(a²/2) in a − 1 for 0 ≤ a ≤ 2; FAR: a·R(a) in 1/a − 9/32 for 2 ≤ a ≤ 13.28. Both in the
# relative error. The centres were chosen among the short fractions for the smallest error after rounding.
R = lambda a: mp.ncdf(-a) * mp.exp(a**2 / 2)
fit("NEAR", lambda w: R(1 + w), lambda w: 1 / R(1 + w), mp.mpf(-1), mp.mpf(1), 10)
C = mp.mpf(9) / 32
H = lambda y: R(1 / (C + y)) / (C + y)
fit("FAR", H, lambda y: 1 / H(y), 1 / mp.mpf("13.28") - C, mp.mpf(1) / 2 - C, 9)
