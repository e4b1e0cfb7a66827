"""
In a pipeline and a grid search
===============================

A pipeline on a DataFrame, and a grid search over solver, strength, rate and beta_2.

.. code-block:: bash

    python examples/pipeline_grid_search.py

The data are scikit-learn's diabetes records in their own units (years, mmHg, mg/dl): does the
disease progress faster than in the median patient? The columns that are categories are
encoded; the others go to the model as they are, since it needs no scaling.
"""

import warnings

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder

from skgd import GDClassifier
from skgd.solvers import Adam

try:
    import matplotlib.pyplot as plt
except ImportError:  # figures are an extra: pip install "skgd[plot]"
    plt = None


def load():
    """Return a DataFrame with a text column, and a two-class target."""
    X, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    X["sex"] = X["sex"].map({1.0: "first", 2.0: "second"})  # the source names them 1 and 2
    return X, (progression > progression.median()).map({False: "slower", True: "faster"})


def main():
    X, y = load()
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)

    columns = make_column_transformer(
        (OneHotEncoder(drop="if_binary"), ["sex"]),
        (KBinsDiscretizer(n_bins=4, quantile_method="averaged_inverted_cdf"), ["age"]),
        remainder="passthrough",
    )
    pipeline = Pipeline([("columns", columns), ("model", GDClassifier(random_state=0))])

    # A solver is a name or an object; the search reaches inside the object.
    grid = [
        {
            "model__solver": ["gd", "sgd", "adam"],
            "model__alpha": [1e-4, 1e-2],
            "model__eta0": ["auto", 1e-5],
        },
        {
            "model__solver": [Adam()],
            "model__solver__beta_2": [0.9, 0.99, 0.999],
            "model__alpha": [1e-4, 1e-2],
        },
    ]
    # With eta0=1e-5 some runs end at max_iter; their score tells as much as a warning would.
    warnings.simplefilter("ignore", ConvergenceWarning)
    search = GridSearchCV(pipeline, grid, cv=3, scoring="neg_log_loss").fit(X_train, y_train)

    results = pd.DataFrame(search.cv_results_).sort_values("rank_test_score")
    shown = results[["param_model__solver", "param_model__alpha", "param_model__eta0"]].copy()
    shown["beta_2"] = results["param_model__solver__beta_2"]
    shown["log loss"] = -results["mean_test_score"]
    shown.columns = ["solver", "alpha", "eta0", "beta_2", "log loss"]
    print(f"{len(results)} settings, 3 folds each; the best six:\n")
    print(shown.head(6).to_string(index=False, na_rep="-", float_format="{:.4g}".format))
    print(f"\nBest: {search.best_params_}")
    print(f"Accuracy on unseen patients: {(search.predict(X_test) == y_test).mean():.3f}")
    if plt is not None:
        draw(shown)


def draw(shown):
    """Draw the log loss of every setting, the best at the top."""
    _, ax = plt.subplots(figsize=(8, 5), layout="constrained")
    labels = [
        f"{solver if isinstance(solver, str) else f'Adam(beta_2={beta:g})'}, alpha {alpha:g}"
        + ("" if eta0 != eta0 or eta0 == "auto" else f", eta0 {eta0:g}")
        for solver, alpha, eta0, beta in shown.iloc[::-1, :4].itertuples(index=False)
    ]
    ax.plot(shown["log loss"].to_numpy()[::-1], range(len(labels)), "o")
    ax.set_yticks(range(len(labels)), labels)
    ax.grid(axis="y", color="0.9")
    ax.set_xlabel("log loss, mean of 3 folds")


if __name__ == "__main__":
    main()
