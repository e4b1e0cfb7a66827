"""
Intervals by quantiles
======================

Two fits of the quantile loss, at 5 % and at 95 %, make an interval that nine of ten new targets
should fall into, also where the spread is not the same everywhere.
"""

# %%
import numpy as np
from matplotlib import pyplot as plt
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer

from skgd import GDRegressor
from skgd.losses import Quantile

rng = np.random.default_rng(0)


def draw(n):
    x = rng.uniform(0, 10, (n, 1))
    return x, np.sin(x[:, 0]) + 0.3 * x[:, 0] + (0.1 + 0.08 * x[:, 0]) * rng.standard_normal(n)


X, y = draw(3_000)
X_new, y_new = draw(3_000)
models = {
    q: make_pipeline(SplineTransformer(n_knots=10), GDRegressor(Quantile(q), alpha=1e-6)).fit(X, y)
    for q in (0.05, 0.5, 0.95)
}
low, middle, high = (model.predict(X_new) for model in models.values())
print(f"inside: {np.mean((y_new > low) & (y_new < high)):.1%} of new rows")
for q, model in models.items():
    print(f"quantile {q}: {model[-1].solver_!r}, gap {model[-1].optimality_:.0e}")

# %%
fig, ax = plt.subplots(layout="constrained")
order = X_new[:, 0].argsort()
ax.plot(X_new[:, 0], y_new, ".", color="0.7", markersize=2, label="new rows")
ax.fill_between(X_new[order, 0], low[order], high[order], alpha=0.25, label="5 % to 95 %")
ax.plot(X_new[order, 0], middle[order], label="median")
ax.set(xlabel="x", ylabel="y")
ax.legend(frameon=False, loc="upper left")
