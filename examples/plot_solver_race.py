"""
Solvers raced to the optimum
============================

How far F is from its optimum, by the clock, on measurements of 569 tumours as they come: the
deviations of the columns differ by a factor of two hundred thousand.
"""

# %%
import warnings

from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning

from skgd import GDClassifier
from skgd.inspection import LossCurveDisplay

X, y = load_breast_cancer(return_X_y=True)
best = GDClassifier(tol=1e-13).fit(X, y).loss_curve_[-1]
warnings.simplefilter("ignore", ConvergenceWarning)  # 25 iterations are the race
fits = {
    name: GDClassifier(solver=name, max_iter=25, tol=1e-9, random_state=0).fit(X, y)
    for name in ("newton", "lbfgs", "agd", "saga", "sgd", "adam", "gd")
}

# %%
LossCurveDisplay.from_estimators(fits, x="seconds", optimum=best, gap=True)

# %%
# What each says of itself: an upper bound on the part of the way that is left, where it has one.
for name, est in fits.items():
    bound = f"{est.optimality_:.1e} ({est.optimality_kind_})"
    print(f"{name:8s} {est.n_iter_:3d} iterations, optimality {bound}")
