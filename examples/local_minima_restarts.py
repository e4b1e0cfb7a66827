"""
Local minima and restarts
=========================

    python examples/local_minima_restarts.py

Descent finds the minimum of the basin that it starts in. Where there are several, many starts
find several, and the best of them is the answer: it costs one descent a start, which is cheap,
and promises nothing where basins are many, as Rastrigin's function shows.
"""

# %%
# Which of Himmelblau's four minima does a start lead to?
import numpy as np
from scipy.optimize import minimize

from skgd.landscapes import Himmelblau, Rastrigin
from skgd.solvers import LBFGS

hills = Himmelblau()
side = np.linspace(-5, 5, 41)
starts = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
rng = np.random.default_rng(0)
some = rng.choice(starts, 200, replace=False)
ends = np.array([minimize(hills, x, jac=hills.gradient, method=LBFGS()).x for x in some])
basin = np.linalg.norm(ends[:, None] - hills.minima, axis=2).argmin(axis=1)
print("Himmelblau, 200 starts")
for k, x in enumerate(hills.minima):
    print(f"({x[0]:6.3f}, {x[1]:6.3f})  {np.mean(basin == k):4.0%} of the starts")

# %%
# The best of many descents on Rastrigin's function, which has 11 minima a dimension.
best = {}
print("\nRastrigin, best value of so many starts")
print("dimension      1     10    100")
for dim in (1, 2, 5):
    dents = Rastrigin(dim)
    values = []
    for _ in range(100):
        x = rng.uniform(*dents.bounds.T)
        values.append(minimize(dents, x, jac=dents.gradient, method=LBFGS()).fun)
    best[dim] = found = np.minimum.accumulate(values)
    print(f"{dim:<9d} {found[0]:6.2f} {found[9]:6.2f} {found[99]:6.2f}")

# %%
# Basins, and what a further start is worth.
try:
    import matplotlib.pyplot as plt
except ImportError:
    plt = None

if plt is not None:
    x, y = np.meshgrid(np.linspace(-5, 5, 200), np.linspace(-5, 5, 200))
    height = hills(np.stack([x, y], axis=-1))
    fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    left.contour(x, y, height, levels=np.geomspace(1, 500, 12), colors="0.8", linewidths=0.8)
    left.scatter(*some.T, c=basin, cmap="tab10", vmax=9, s=14)
    for k, point in enumerate(hills.minima):
        left.plot(*point, "*", color=plt.get_cmap("tab10")(k), markersize=16, markeredgecolor="k")
    left.set(title="Starts, coloured by where they end", aspect="equal")
    for dim, found in best.items():
        right.step(np.arange(1, 101), found, where="post", label=f"dimension {dim}")
    right.legend()
    right.set(title="Rastrigin: best value so far", xlabel="starts", xscale="log")
