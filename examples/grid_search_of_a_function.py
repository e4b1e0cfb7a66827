"""
Searching a grid, and descending instead
========================================

    python examples/grid_search_of_a_function.py

A grid needs no gradient and cannot be caught in a local minimum that is wider than its cells,
but its points multiply with every dimension. Going from coarse to fine saves digits, not
dimensions. Descent pays for its steps alone.
"""

# %%
# One function of two numbers, three ways.
import numpy as np
from scipy.optimize import brute, minimize

from skgd.landscapes import Quadratic, Rosenbrock
from skgd.solvers import AGD, LBFGS


def count(function):
    """Return the function, and a list that grows with every call."""
    calls = []

    def counted(x):
        calls.append(1)
        return function(x)

    return counted, calls


def coarse_to_fine(function, ranges, cells, rounds):
    """Search a grid, then a grid around the best point, and so on."""
    ranges = np.array(ranges, dtype=float)
    for _ in range(rounds):
        best = np.atleast_1d(brute(function, list(map(tuple, ranges)), Ns=cells, finish=None))
        width = (ranges[:, 1] - ranges[:, 0]) / (cells - 1)
        ranges = np.stack([best - width, best + width], axis=1)
    return best


valley = Rosenbrock()
print("Rosenbrock               calls    value")
f, calls = count(valley)
best = brute(f, list(map(tuple, valley.bounds)), Ns=100, finish=None)
print(f"grid 100 x 100         {len(calls):7d}  {valley(best):.1e}")
f, calls = count(valley)
best = coarse_to_fine(f, valley.bounds, 10, 8)
print(f"coarse to fine         {len(calls):7d}  {valley(best):.1e}")
for method in (AGD(), LBFGS()):
    found = minimize(valley, [-1.2, 1.0], jac=valley.gradient, method=method)
    name = type(method).__name__
    print(f"{name:22s} {found.nfev + found.njev:7d}  {found.fun:.1e}")

# %%
# What a tenth of a unit costs as the dimension grows, on a bowl whose minimum is off the grid.
dims = [1, 2, 3, 4, 5]
costs = {"grid of 11": [], "coarse to fine": [], "LBFGS": []}
for dim in dims:
    bowl = Quadratic(condition=10.0, dim=dim, rotation=0.5)
    off = np.full(dim, 0.123)

    def shifted(x, bowl=bowl, off=off):
        return float(bowl(np.atleast_1d(x) - off))

    ranges = [(-1.0, 1.0)] * dim
    if dim <= 4:
        f, calls = count(shifted)
        brute(f, ranges, Ns=11, finish=None)
        costs["grid of 11"].append(len(calls))
    f, calls = count(shifted)
    coarse_to_fine(f, ranges, 5, 3)
    costs["coarse to fine"].append(len(calls))
    found = minimize(shifted, np.full(dim, -1.0), method=LBFGS())  # by differences
    costs["LBFGS"].append(found.nfev)
costs["grid of 11"].append(11**5)  # known without doing it
print("\nCalls by dimension  " + "".join(f"{dim:9d}" for dim in dims))
for name, found in costs.items():
    print(f"{name:20s}" + "".join(f"{calls:9d}" for calls in found))

# %%
# The same in a picture.
try:
    import matplotlib.pyplot as plt
except ImportError:
    plt = None

if plt is not None:
    fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    for name, found in costs.items():
        ax.semilogy(dims, found, "o-", label=name)
    ax.legend()
    ax.set(title="Calls of the function", xlabel="dimension", xticks=dims)
