"""
Momentum in a valley
====================

Two columns that nearly say the same make a long valley. Plain descent zigzags or crawls along
its floor; a heavy ball gathers speed there, and Nesterov's look-ahead brakes before the turn.
"""

# %%
import numpy as np

from skgd import GDRegressor
from skgd.inspection import DescentPathDisplay, LossCurveDisplay
from skgd.solvers import Momentum, Nesterov

rng = np.random.default_rng(1)
common = rng.standard_normal(500)
X = np.column_stack([common + 0.25 * rng.standard_normal(500) for _ in range(2)])
y = X @ [3.0, -1.0] + 0.1 * rng.standard_normal(500)
options = {"eta0": 0.1, "batch_size": 500, "max_iter": 60, "tol": None, "alpha": 1e-6}
fits = {
    "plain": GDRegressor(solver="sgd", **options),
    "momentum 0.9": GDRegressor(solver=Momentum(0.9), **options),
    "Nesterov 0.9": GDRegressor(solver=Nesterov(0.9), **options),
}
DescentPathDisplay.from_estimator(fits, X, y)

# %%
for est in fits.values():
    est.fit(X, y)
best = GDRegressor(alpha=1e-6, tol=1e-12).fit(X, y).loss_curve_[-1]
LossCurveDisplay.from_estimators(fits, optimum=best, gap=True)
