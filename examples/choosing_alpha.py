"""
Choosing the strength of the penalty
====================================

Which strength of the penalty? A path, and cross-validation along it.

.. code-block:: bash

    python examples/choosing_alpha.py

The data are scikit-learn's diabetes records, beside twenty columns of noise: how many columns
does a model need, and does it find the right ones? Columns are scaled here, though a fit does
not ask for it: a penalty means the same for all of them only in equal units.
"""

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from skgd import GDRegressor, GDRegressorCV, regularization_path

try:
    import matplotlib.pyplot as plt
except ImportError:  # figures are an extra: pip install "skgd[plot]"
    plt = None


def load():
    """Return diabetes records with columns of noise, and which of them are real."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    noise = np.random.default_rng(0).standard_normal((len(X), 20))
    return StandardScaler().fit_transform(np.hstack([X, noise])), y, np.arange(30) < X.shape[1]


def main():
    X, y, real = load()

    path = regularization_path(GDRegressor(penalty="l1"), X, y, n_alphas=8)
    print("Lasso path")
    print("alpha     columns  real  R2     gap")
    for i, alpha in enumerate(path.alphas):
        used = path.coefs[i] != 0
        score = path.estimator(i).score(X, y)
        print(
            f"{alpha:<9.3g} {used.sum():7d} {used[real].sum():5d}  {score:.3f}  {path.gaps[i]:.0e}"
        )

    print("\nChosen by 5 folds")
    print("penalty     selection           l1_ratio  alpha     columns  real  R2 of folds")
    for penalty, ratios in [("l1", 1.0), ("elasticnet", [0.1, 0.5, 0.9])]:
        for selection in ("best", "one_standard_error"):
            model = GDRegressorCV(penalty=penalty, l1_ratio=ratios, selection=selection).fit(X, y)
            used = model.coef_ != 0
            print(
                f"{penalty:11s} {selection:19s} {model.l1_ratio_:8.1f}  {model.alpha_:<9.3g} "
                f"{used.sum():7d} {used[real].sum():5d}  {model.best_score_:.3f}"
            )

    if plt is not None:
        draw(X, y, model=GDRegressorCV(penalty="l1", selection="one_standard_error").fit(X, y))


def draw(X, y, model):
    """Draw the coefficients along the path, and the strength that was chosen."""
    from skgd.inspection import RegularizationPathDisplay

    path = regularization_path(GDRegressor(penalty="l1"), X, y, n_alphas=40)
    names = [*load_diabetes().feature_names, *[f"noise {k}" for k in range(20)]]
    RegularizationPathDisplay.from_path(path, feature_names=names, best=model.alpha_)


if __name__ == "__main__":
    main()
