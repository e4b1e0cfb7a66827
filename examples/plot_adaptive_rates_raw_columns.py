"""
Adaptive rates on raw columns
=============================

Columns in grams and in tonnes. A single rate in these units is too large for one coefficient or
too small for the others; rates for each coefficient, as AdaGrad and Adam have, do better. Left to
itself (``eta0="auto"``) every solver sees the columns centred and scaled, and none of this matters.
"""

# %%
import warnings

from sklearn.datasets import load_wine

from skgd import GDClassifier
from skgd.inspection import LossCurveDisplay

warnings.simplefilter("ignore")
X, y = load_wine(return_X_y=True)
spread = X.std(axis=0)
print(f"deviations of the columns from {spread.min():.2f} to {spread.max():.0f}")

# %%
# With a rate of the user's the textbook's recurrence is followed in the columns as they are.
options = {"max_iter": 60, "tol": None, "random_state": 0, "alpha": 1e-3}
given = {
    "sgd, rate 1e-6": GDClassifier(solver="sgd", eta0=1e-6, **options),
    "adagrad, rate 0.1": GDClassifier(solver="adagrad", eta0=0.1, **options),
    "adam, rate 0.01": GDClassifier(solver="adam", eta0=0.01, **options),
}
for est in given.values():
    est.fit(X, y)
LossCurveDisplay.from_estimators(given)

# %%
# Without one, on the same raw columns: all are where the optimum is within a few passes.
auto = {name: GDClassifier(solver=name, **options).fit(X, y) for name in ("sgd", "adagrad", "adam")}
best = GDClassifier(alpha=1e-3, tol=1e-12).fit(X, y).loss_curve_[-1]
LossCurveDisplay.from_estimators(auto, optimum=best)
