"""
Convex, and not
===============

F of a linear model with a convex loss and penalty is a bowl: wherever a descent begins, it ends in
the same place, and a certificate can say how near that is. A function with two valleys has no such
promise: the start decides.
"""

# %%
import numpy as np
from matplotlib import pyplot as plt
from scipy.optimize import minimize

from skgd import GDRegressor
from skgd.inspection import DescentPathDisplay
from skgd.landscapes import Himmelblau
from skgd.solvers import GD

rng = np.random.default_rng(0)
X = rng.standard_normal((300, 2)) @ [[1.0, 0.6], [0.0, 0.8]]
y = X @ [2.0, -1.0] + 0.3 * rng.standard_normal(300)
starts = [(-4.0, -4.0), (4.0, -3.5), (-3.5, 4.0), (4.5, 2.0)]

# %%
# Huber regression from four starts: one end.
fig, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
paths = {}
for start in starts:
    path = [start]
    est = GDRegressor("huber", epsilon=0.5, solver="gd", tol=1e-6)
    est.set_callbacks(lambda event, path=path: path.append(event.coef))
    est.fit(X, y, coef_init=start, intercept_init=0.0)
    paths[f"from {start}"] = np.array(path)
    print(f"from {start}: {est.coef_.round(3)}, at most {est.optimality_:.0e} of the way left")


def value(w):
    off = np.abs(X @ w - y)
    return np.mean(np.where(off < 0.5, off**2 / 2, 0.5 * off - 0.125))


limits = {"xlim": (-5, 5), "ylim": (-5, 5)}
DescentPathDisplay.from_function(value, paths, ax=axes[0], **limits)

# %%
# Himmelblau's function from the same starts: four ends, all of them minima.
valleys = Himmelblau()
paths = {}
for start in starts:
    found = minimize(
        valleys, start, jac=valleys.gradient, method=GD(max_iter=200), options={"return_path": True}
    )
    paths[f"from {start}"] = found.path
    print(f"from {start}: {found.x.round(3)}, value {found.fun:.1e}")
DescentPathDisplay.from_function(valleys, paths, ax=axes[1], **limits)
