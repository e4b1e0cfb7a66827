"""
A saddle, and the noise that leaves it
======================================

    python examples/saddle_and_noise.py

On the ridge of a saddle the gradient points straight at the saddle point, and descent without
noise comes to rest there although lower points are all around. Any noise in the gradient, as a
stochastic method has it, is multiplied step by step along the direction that falls.
"""

# %%
# What kind of point is it? The second derivative tells.
import numpy as np
from scipy.optimize import minimize

from skgd.landscapes import MonkeySaddle, Saddle, classify_point
from skgd.solvers import SGD

saddle = Saddle()
kind, direction = classify_point(saddle.hessian([0.0, 0.0]))
print(f"Saddle at the origin: {kind}, escapes along {np.abs(direction)}")
kind, _ = classify_point(MonkeySaddle().hessian([0.0, 0.0]))
print(f"MonkeySaddle at the origin: {kind} to second order")

# %%
# One start on the ridge, noise of several sizes.
start = [1.0, 0.0]
runs = {}
print("\nnoise    steps to leave  end")
for noise in (0.0, 1e-6, 1e-3, 1e-1):
    found = minimize(
        saddle,
        start,
        jac=saddle.gradient,
        method=SGD(learning_rate=0.05, max_iter=200),
        options={"noise": noise, "random_state": 0, "return_path": True},
    )
    runs[noise] = found.path
    gone = np.flatnonzero(np.abs(found.path[:, 1]) > 1)
    left = f"{gone[0]:d}" if len(gone) else "never"
    print(f"{noise:<7g}  {left:>14s}  {np.array2string(found.x, precision=2)}")

# %%
# The same paths over the saddle, where matplotlib is installed.
try:
    import matplotlib.pyplot as plt
except ImportError:
    plt = None

if plt is not None:
    x, y = np.meshgrid(np.linspace(-1.5, 1.5, 200), np.linspace(-1.5, 1.5, 200))
    values = saddle(np.stack([x, y], axis=-1))
    fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    lines = left.contour(x, y, values, levels=np.linspace(-2, 2, 17), cmap="coolwarm", alpha=0.6)
    fig.colorbar(lines, ax=left, label="value")
    for noise, path in runs.items():
        left.plot(*path.T, ".-", markersize=4, linewidth=1, label=f"noise {noise:g}")
        right.semilogy(np.maximum(np.abs(path[:, 1]), 1e-8), label=f"noise {noise:g}")
    left.legend()
    left.set(title="Paths from the ridge", xlim=(-1.5, 1.5), ylim=(-1.5, 1.5))
    right.axhline(1.0, color="0.7", linewidth=0.8)
    right.legend()
    right.set(title="Distance from the ridge", xlabel="step", ylim=(3e-9, 10), xlim=(0, 200))
