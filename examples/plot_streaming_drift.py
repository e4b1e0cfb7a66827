"""
A stream that drifts
====================

What the columns mean turns over in the middle of the stream. Every batch is predicted before it is
learnt, which is the honest figure of a stream. Rates that fall with every step (``adagrad``)
forget slowly; ``auto``, which weighs several rates by what each has predicted, follows.
"""

# %%
import numpy as np
from matplotlib import pyplot as plt

from skgd import GDClassifier
from skgd.streaming import ArrayBatches, fit_stream

rng = np.random.default_rng(0)
n = 20_000
X = rng.standard_normal((n, 5)) * [1, 10, 100, 0.1, 1]
before, after = np.array([1, 0.2, 0.01, 0, -1]), np.array([-1, 0.2, -0.02, 10, 0])
eta = np.where(np.arange(n) < n // 2, X @ before, X @ after)
y = (eta + rng.logistic(size=n) > 0).astype(int)

# %%
fig, ax = plt.subplots(layout="constrained")
for solver, style in (("auto", "-"), ("sgd", "--"), ("adagrad", ":")):
    est = GDClassifier(solver=solver, random_state=0)
    fit_stream(est, ArrayBatches(X, y, batch_size=100), classes=[0, 1])
    ahead = est.history_["progressive"]
    smooth = np.convolve(ahead[1:], np.ones(10) / 10, mode="valid")
    label = f"{solver}: mean {np.nanmean(ahead):.3f}"
    ax.plot(est.history_["rows"][10:], smooth, style, label=label)
ax.axvline(n // 2, color="0.5", linewidth=0.8)
ax.set(xlabel="rows learnt", ylabel="log loss of a batch before it is learnt")
ax.legend(frameon=False)
