"""The defaults of scikit-learn's SGD estimators and of skgd on raw columns: the README's table.

    python -m benchmarks.defaults

The data sets ship with scikit-learn. Printed is Markdown: the excess (F - F*) / (F0 - F*) on
all rows, and the score of 5-fold cross-validation. Both sides minimise the same F with
``alpha=1e-4``; beyond two classes the SGD classifier minimises another one, so it has no excess.
"""

import warnings

from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.model_selection import cross_val_score

from skgd import GDClassifier, GDRegressor

from .optimum import Objective

SETS = {
    "diabetes (R2)": (lambda: load_diabetes(return_X_y=True, scaled=False), "regression"),
    "breast cancer (accuracy)": (lambda: load_breast_cancer(return_X_y=True), "binary"),
    "wine, 3 classes (accuracy)": (lambda: load_wine(return_X_y=True), "multiclass"),
}


def main():
    warnings.simplefilter("ignore")
    print("| data | spread of the columns | model | excess | score |\n|---|---|---|---|---|")
    for name, (load, task) in SETS.items():
        X, y = load()
        F = Objective(X, y, task, alpha=1e-4)
        best, null = F.optimum().value, F.null()[0]
        std = X.std(axis=0)
        if task == "regression":
            models = [SGDRegressor(random_state=0), GDRegressor()]
        else:
            models = [SGDClassifier(loss="log_loss", random_state=0), GDClassifier()]
        first = f"| {name} | {std.min():.2g} to {std.max():.2g} "
        for model in models:
            score = cross_val_score(model, X, y, cv=5).mean()
            model.fit(X, y)
            excess = f"{(F.value(model.coef_, model.intercept_) - best) / (null - best):.1e}"
            if task == "multiclass" and isinstance(model, SGDClassifier):
                excess = "-"
            print(f"{first}| `{type(model).__name__}` | {excess} | {score:.3g} |")
            first = "| | "


if __name__ == "__main__":
    main()
