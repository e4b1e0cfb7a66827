"""
Quick start
===========

Every classic descent on two real data sets, as they come: no scaling, no tuning.

.. code-block:: bash

    python examples/quickstart.py

The columns of both sets differ by factors of a thousand, which is where textbook gradient
descent breaks. All rows of a table minimise the same objective

    F = mean loss + alpha * ||w||^2 / 2

so the figures in column F can be compared: lower is nearer to the optimum. The last row of
each table is scikit-learn's SGD estimator with its defaults, on the same raw columns.
"""

import time
import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.model_selection import train_test_split

from skgd import GDClassifier, GDRegressor

try:
    import matplotlib.pyplot as plt
except ImportError:  # figures are an extra: pip install "skgd[plot]"
    plt = None

SOLVERS = ["newton", "lbfgs", "agd", "gd", "sgd", "momentum", "nesterov", "adagrad", "adam"]
ALPHA = 1e-4


def objective(model, X, y):
    """Compute F from the coefficients alone, the same way for every model."""
    eta = X @ model.coef_.ravel() + model.intercept_
    if hasattr(model, "classes_"):
        loss = np.logaddexp(0, np.where(y == model.classes_[1], -eta, eta)).mean()
    else:
        loss = 0.5 * np.mean((y - eta) ** 2)
    return loss + ALPHA / 2 * np.sum(model.coef_**2)


def compare(title, score_name, models, X, y):
    """Fit each model, print one line for it, and return F of each."""
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    print(f"{title}: {X.shape[0]} rows, {X.shape[1]} columns")
    reached = {}
    print(f"{'solver':<16}{'F':>11}{score_name:>11}{'passes':>9}{'seconds':>10}  stopped")
    for name, model in models.items():
        start = time.perf_counter()
        model.fit(X_train, y_train)
        seconds = time.perf_counter() - start
        F, score = objective(model, X_train, y_train), model.score(X_test, y_test)
        reached[name] = F
        reason = getattr(model, "stop_reason_", "-")  # scikit-learn's keeps none
        numbers = f"{F:>11.4g}{score:>11.3g}{model.n_iter_:>9}{seconds:>10.3f}"
        print(f"{name:<16}{numbers}  {reason}")
    print()
    return reached


def draw(reached):
    """Draw how far above the best of all F each model ended, for every set."""
    _, axes = plt.subplots(1, len(reached), figsize=(9, 3.8), layout="constrained")
    for ax, (title, found) in zip(axes, reached.items(), strict=True):
        best = min(found.values())
        above = [max(F / best - 1, 1e-8) for F in found.values()]
        colors = ["C1" if name.startswith("SGD") else "C0" for name in found]
        ax.barh(list(found), above, left=1e-9, color=colors)
        ax.set(xscale="log", xlim=(1e-9, None), title=title, xlabel="F / best F - 1")
        ax.invert_yaxis()


def main():
    # A run that ends at max_iter says so in the last column; no warning is needed here.
    warnings.simplefilter("ignore", ConvergenceWarning)

    X, y = load_breast_cancer(return_X_y=True)
    spread = X.std(axis=0)
    print(f"Standard deviations of the columns: {spread.min():.2g} to {spread.max():.2g}\n")
    models = {s: GDClassifier(solver=s, alpha=ALPHA, random_state=0) for s in SOLVERS}
    models["SGDClassifier"] = SGDClassifier(loss="log_loss", alpha=ALPHA, random_state=0)
    reached = {
        "Breast cancer, log loss": compare("Breast cancer, log loss", "accuracy", models, X, y)
    }

    X, y = load_diabetes(return_X_y=True, scaled=False)
    models = {s: GDRegressor(solver=s, alpha=ALPHA, random_state=0) for s in SOLVERS}
    models["SGDRegressor"] = SGDRegressor(alpha=ALPHA, random_state=0)
    reached["Diabetes, squared error"] = compare("Diabetes, squared error", "R2", models, X, y)
    if plt is not None:
        draw(reached)


if __name__ == "__main__":
    main()
