"""
A rate too small, right, too large
==================================

Gradient descent on two coefficients of a valley. Below some rate it crawls, above another it
diverges, and between them lie few decades.
"""

# %%
import warnings

import numpy as np
from matplotlib import pyplot as plt

from skgd import GDRegressor
from skgd.inspection import DescentPathDisplay, LearningRateDisplay

warnings.simplefilter("ignore")  # divergence is told, and here it is meant
rng = np.random.default_rng(0)
X = rng.standard_normal((400, 2)) * [1.0, 4.0]
y = X @ [2.0, 1.0] + 0.1 * rng.standard_normal(400)

# %%
# Where F stands after five steps, for rates over twelve decades.
LearningRateDisplay.from_estimator(GDRegressor(solver="gd"), X, y, passes=5)

# %%
# The ways themselves. The curvature of the steep direction is 16, so that steps of more than
# 2 / 16 jump ever higher up the other side: the run is sent back to its best point, and warns.
fig, axes = plt.subplots(1, 3, figsize=(9, 3.4), layout="constrained", sharey=True)
for ax, rate in zip(axes, (0.005, 0.05, 0.115), strict=True):
    est = GDRegressor(solver="gd", eta0=rate, max_iter=25, tol=None)
    limits = {"xlim": (-0.5, 2.5), "ylim": (-1.0, 2.5)}
    DescentPathDisplay.from_estimator({f"rate {rate}": est}, X, y, ax=ax, **limits)
    ax.set_xlabel("first coefficient")
    ax.set_ylabel("second coefficient" if rate == 0.005 else "")
