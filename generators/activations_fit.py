#!/usr/bin/env python3
"""Fits the polynomials of activations.h and prints them as C++ arrays.

Each is the minimax polynomial (Remez exchange, 60 digits) of a smooth function g on an interval,
lowest degree first, under a weight that turns its error into the relative error of the value it
becomes part of. The coefficients are then rounded one by one, lowest first, and those that are left
are fitted again, so that they make up for it. The error printed is of the rounded polynomial.
Run it with mpmath installed: python3 activations_fit.py
"""

import struct

from mpmath import cos, erfc, exp, log, lu_solve, matrix, mp, mpf, pi, sqrt

mp.dps = 60


def chebyshev_points(low, high, count):
    low, high = mpf(low), mpf(high)
    return [
        (low + high) / 2 - (high - low) / 2 * cos(pi * i / (count - 1)) for i in range(count)
    ]


def horner(coefficients, x):
    result = mpf(0)
    for c in reversed(coefficients):
        result = result * x + c
    return result


def remez(g, weight, degree, low, high):
    """The polynomial p of that degree with the least max |weight (p - g)| on [low, high]."""
    count = degree + 2
    nodes = chebyshev_points(low, high, count)
    grid = chebyshev_points(low, high, 40 * count + 1)
    values = [(g(x), weight(x)) for x in grid]
    for _ in range(30):
        system = matrix(count, count)
        right = matrix(count, 1)
        for i, x in enumerate(nodes):
            for j in range(degree + 1):
                system[i, j] = x**j
            system[i, degree + 1] = (-1) ** i / weight(x)
            right[i] = g(x)
        solution = lu_solve(system, right)
        coefficients = [solution[j] for j in range(degree + 1)]
        levelled = abs(solution[degree + 1])
        errors = [w * (horner(coefficients, x) - v) for x, (v, w) in zip(grid, values)]
        # One extremum per run of equal sign; keep `count` neighbours around the largest.
        extrema = []
        for x, e in zip(grid, errors):
            if extrema and (e >= 0) == (extrema[-1][1] >= 0):
                if abs(e) > abs(extrema[-1][1]):
                    extrema[-1] = (x, e)
            else:
                extrema.append((x, e))
        while len(extrema) > count:
            extrema.pop(0 if abs(extrema[0][1]) < abs(extrema[-1][1]) else -1)
        if len(extrema) < count or max(abs(e) for e in errors) < levelled * mpf("1.01"):
            break
        nodes = [x for x, _ in extrema]
    return coefficients


def rounded(coefficients, number, weight, low, high):
    """The coefficients as numbers of the type that `number` rounds to."""
    grid = chebyshev_points(low, high, 8 * len(coefficients))
    result = list(coefficients)
    for done in range(len(result)):
        lost = number(result[done]) - result[done]
        result[done] = mpf(number(result[done]))
        left = len(result) - done - 1
        if left == 0:
            break
        # Least squares: the change of those left that cancels lost * x^done.
        system = matrix(len(grid), left)
        right = matrix(len(grid), 1)
        for i, x in enumerate(grid):
            for j in range(left):
                system[i, j] = weight(x) * x ** (done + 1 + j)
            right[i] = -weight(x) * lost * x**done
        change = lu_solve(system, right)
        for j in range(left):
            result[done + 1 + j] += change[j]
    return result


def float32(x):
    return struct.unpack("f", struct.pack("f", float(x)))[0]


def show(name, number, degree, g, weight, low, high):
    coefficients = rounded(remez(g, weight, degree, low, high), number, weight, low, high)
    grid = chebyshev_points(low, high, 500)
    worst = max(abs(weight(x) * (horner(coefficients, x) - g(x))) for x in grid)
    print(f"// {name}, {number.__name__}: error 2^{float(log(worst, 2)):.1f}")
    for c in coefficients:
        print(f"    {float(c).hex()},")


def exp_tail(number, degree, slack):
    """P in exp(r) = 1 + r + r^2 P(r), |r| <= ln(2)/2 + slack, weighted as expm1's relative error."""

    def p(r):
        total, term = mpf(0), mpf(1) / 2
        for k in range(40):
            total += term
            term *= r / (k + 3)
        return total

    limit = log(mpf(2)) / 2 + slack
    show("exp", number, degree, p, lambda r: mpf("0.01") + abs(r), -limit, limit)


def log_tail(number, degree):
    """L in log((1 + s) / (1 - s)) = 2s + s z L(z), z = s^2 <= 1/9."""

    def l(z):
        return sum(2 * z**k / (2 * k + 3) for k in range(70))

    show("log", number, degree, l, lambda z: mpf("0.01") + z, 0, mpf(1) / 9)


def normal_tail(number, degree, largest):
    """G in erfc(y / sqrt(2)) / 2 = exp(-y^2 / 2) w G(s), w = 1 / (y + 4), s = 1 - 8w."""

    def g(s):
        y = 8 / (1 - s) - 4
        return erfc(y / sqrt(mpf(2))) / 2 * exp(y * y / 2) * (y + 4)

    end = 1 - mpf(8) / (largest + 4)
    show("normal tail", number, degree, g, lambda s: 1 / g(s), -1, end)


if __name__ == "__main__":
    exp_tail(float32, 5, 0.06)
    exp_tail(float, 10, 0.001)
    log_tail(float32, 4)
    log_tail(float, 9)
    normal_tail(float32, 10, 15)
    normal_tail(float, 23, 39)
