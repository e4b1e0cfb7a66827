"""
Momentum in a valley
====================

    python examples/momentum_in_a_valley.py

In a long, narrow valley the steep walls hold the rate of gradient descent down, and along the
floor it creeps. Momentum adds up what gradients agree on: the same rate goes further. The last
rows are methods that choose their steps themselves; two of them find the two curvatures of this
valley, and with these the bottom, in as many steps.
"""

# %%
# The same valley, a hundred times longer than wide, for everybody.
from scipy.optimize import minimize

from skgd.landscapes import Quadratic
from skgd.solvers import AGD, GD, LBFGS, Momentum, Nesterov

valley = Quadratic(condition=100.0, rotation=0.3)
start = [-1.6, 0.9]
rate = 1 / 100  # one over the largest curvature
methods = {
    "gradient descent": GD(learning_rate=rate),
    "heavy ball": Momentum(momentum=0.8, learning_rate=rate),
    "Nesterov": Nesterov(momentum=0.8, learning_rate=rate),
    "GD()": GD(),
    "AGD()": AGD(),
    "LBFGS()": LBFGS(),
}
runs = {}
print("method            steps  value after 60 steps")
for name, method in methods.items():
    runs[name] = found = minimize(
        valley,
        start,
        jac=valley.gradient,
        method=method,
        options={"return_path": True, "maxiter": 2000},
    )
    after = found.path_fun[min(60, found.nit)]
    print(f"{name:17s} {found.nit:5d}  {after:.2e}")

# %%
# Paths of the first sixty steps, and the values.
try:
    import matplotlib.pyplot as plt
except ImportError:
    plt = None

if plt is not None:
    import numpy as np

    x, y = np.meshgrid(np.linspace(-2, 1, 200), np.linspace(-1.6, 1.2, 200))
    values = valley(np.stack([x, y], axis=-1))
    fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    left.contour(x, y, values, levels=np.geomspace(0.05, 100, 12), colors="0.8", linewidths=0.8)
    for name in ("gradient descent", "heavy ball", "Nesterov"):
        left.plot(*runs[name].path[:60].T, ".-", linewidth=1, markersize=4, label=name)
    left.plot(0, 0, "*", color="black", markersize=12)
    left.set(xlim=(-2, 1), ylim=(-1.6, 1.2))
    left.legend()
    left.set(title="Sixty steps with one rate")
    for name, found in runs.items():
        right.semilogy(np.maximum(found.path_fun, 1e-16), label=name)
    right.legend()
    right.set(title="Value above the minimum", xlabel="step", xlim=(0, 200), ylim=(1e-12, None))
