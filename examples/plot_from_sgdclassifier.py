"""
From SGDClassifier, line by line
================================

The same code with another import runs as it did. What it gains: rates and scales that need no
care, a stop at a known distance from the optimum, a loss curve, and other solvers.
"""

# %%
import warnings

from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import SGDClassifier

from skgd import GDClassifier, summary
from skgd.inspection import LossCurveDisplay

X, y = load_breast_cancer(return_X_y=True)  # raw columns, from 1e-3 to 4e3

# %%
# Before. On raw columns the defaults end anywhere, without a word.
for seed in range(3):
    old = SGDClassifier(loss="log_loss", random_state=seed).fit(X, y)
    score, largest = old.score(X, y), abs(old.coef_).max()
    print(f"SGDClassifier, seed {seed}: accuracy {score:.3f}, coef_ up to {largest:.0f}")

# %%
# After: the import changes, and ``loss="log_loss"`` is the default.
new = GDClassifier(loss="log_loss", random_state=0).fit(X, y)
print(summary(new))

# %%
# Parameters keep their names and meaning: ``penalty``, ``alpha``, ``l1_ratio``, ``max_iter``,
# ``tol``, ``eta0``, ``learning_rate``, ``power_t``, ``average``, ``early_stopping``,
# ``class_weight`` and the others. To take the very steps of SGDClassifier, ask for its solver
# and its schedule.
options = {"solver": "sgd", "max_iter": 30, "tol": None, "random_state": 0}
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    steps = GDClassifier(learning_rate="optimal", **options).fit(X, y)

# %%
# What each pass left is recorded; with the least F known, so is the way that is left.
fits = {
    "as SGDClassifier": steps,
    "sgd, rate from the data": GDClassifier(**options),
    "adam": GDClassifier(solver="adam", max_iter=30, tol=None, random_state=0),
    "the default": new,
}
for name in ("sgd, rate from the data", "adam"):
    fits[name].fit(X, y)
best = GDClassifier(tol=1e-12).fit(X, y).loss_curve_[-1]
LossCurveDisplay.from_estimators(fits, optimum=best, gap=True)
