"""
Going on from a checkpoint
==========================

Stop a fit by a time limit, and go on from its checkpoint as if nothing had happened.
"""

import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import skgd
from skgd.callbacks import Checkpoint

X, y = load_digits(return_X_y=True)
make = lambda: skgd.GDClassifier(solver="saga", max_iter=40, tol=None, random_state=0)  # noqa: E731
whole = make().fit(X, y)

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "digits.checkpoint"
    # As a machine that goes down after the 15th pass would leave it.
    make().set_callbacks(Checkpoint(path, every=5), lambda event: event.iteration == 17).fit(X, y)
    est = skgd.load_checkpoint(path)
    print(f"the file: {path.stat().st_size / 1e3:.0f} kB, accuracy {est.score(X, y):.3f}")
    est.fit(X, y)

print(skgd.summary(est))
print("the same bits as in one go:", np.array_equal(est.coef_, whole.coef_))

# %%
# F of both runs, where matplotlib is installed: they lie on one line.
try:
    import matplotlib.pyplot as plt
except ImportError:
    plt = None

if plt is not None:
    from skgd.inspection import LossCurveDisplay

    shown = LossCurveDisplay.from_estimators({"in one go": whole, "resumed": est})
    shown.ax_.axvline(15, color="0.5", linewidth=0.8)
    shown.ax_.annotate("checkpoint", (15.5, 0.9), xycoords=("data", "axes fraction"), color="0.4")
