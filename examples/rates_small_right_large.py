"""
A rate too small, right and too large
=====================================

    python examples/rates_small_right_large.py

On a bowl with curvatures from 1 to L, gradient descent multiplies the distance along each axis
by ``1 - rate * curvature`` in every step. Below ``2 / L`` every factor is smaller than one in
size and the run converges; above, the steepest axis grows without end. The best rate is
``2 / (1 + L)``.
"""

# %%
# Four rates on one bowl, forty steps each.
from scipy.optimize import minimize

from skgd.landscapes import Quadratic
from skgd.solvers import GD

bowl = Quadratic(condition=10.0)
start = [1.8, 0.9]
rates = {"too small": 0.01, "right": 2 / 11, "nearly too large": 0.199, "too large": 0.205}
runs = {}
print("rate                       last value  message")
for name, rate in rates.items():
    runs[name] = found = minimize(
        bowl,
        start,
        jac=bowl.gradient,
        method=GD(learning_rate=rate, max_iter=40),
        options={"return_path": True},
    )
    print(f"{name:17s} {rate:6.3f}  {found.fun:12.3e}  {found.message}")

# %%
# The rate that nobody has to choose: gradient descent that measures the curvature.
found = minimize(bowl, start, jac=bowl.gradient, method=GD())
print(f"{'found by GD()':17s}         {found.fun:12.3e}  {found.nit} steps")

# %%
# The paths, where matplotlib is installed.
try:
    import matplotlib.pyplot as plt
except ImportError:
    plt = None

if plt is not None:
    import numpy as np

    x, y = np.meshgrid(np.linspace(-2, 2, 200), np.linspace(-1.2, 1.2, 200))
    values = bowl(np.stack([x, y], axis=-1))
    fig, axes = plt.subplots(2, 2, figsize=(9, 6), sharex=True, sharey=True, layout="constrained")
    for ax, (name, found) in zip(axes.flat, runs.items(), strict=True):
        ax.contour(x, y, values, levels=np.geomspace(0.05, 8, 10), colors="0.75", linewidths=0.8)
        ax.plot(*found.path.T, "o-", color="tab:blue", markersize=3, linewidth=1)
        ax.plot(0, 0, "*", color="tab:red", markersize=12)
        ax.set(title=f"{name}: rate {rates[name]:.3f}", xlim=(-2, 2), ylim=(-1.2, 1.2))
