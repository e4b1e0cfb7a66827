"""
Clipping against outliers
=========================

One row in a hundred has a target a thousand times too large. Its gradient throws the
coefficients far off at every visit. A bound on the length of a gradient (``clip_norm``) keeps
steps sane; a loss that is flat far away (``huber``) removes the cause.
"""

# %%
import numpy as np
from matplotlib import pyplot as plt

from skgd import GDRegressor

rng = np.random.default_rng(0)
X = rng.standard_normal((1000, 2))
true = np.array([2.0, -1.0])
y = X @ true + 0.1 * rng.standard_normal(1000)
y[::100] *= 1000.0

options = {"solver": "sgd", "batch_size": 1, "eta0": 0.01, "max_iter": 15, "tol": None}
fits = {
    "squared error": GDRegressor(**options, random_state=0),
    "squared error, clip_norm=1": GDRegressor(**options, clip_norm=1.0, random_state=0),
    "huber": GDRegressor("huber", **options, epsilon=0.5, random_state=0),
}
fig, ax = plt.subplots(layout="constrained")
for (name, est), style in zip(fits.items(), ("-", "--", ":"), strict=True):
    off = []
    est.set_callbacks(lambda event, off=off: off.append(np.linalg.norm(event.coef - true)))
    est.fit(X, y)
    ax.semilogy(range(1, len(off) + 1), off, style, label=name)
ax.set_xlabel("pass")
ax.set_ylabel("distance from the true coefficients")
ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
