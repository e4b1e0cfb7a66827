"""Write the golden traces: how the defaults ran when they were last looked at.

Run ``python tests/make_golden.py`` after a change that is meant to change traces, and read
the difference before it goes in.
"""

import json
import warnings
from pathlib import Path

import numpy as np

from skgd import GDClassifier, GDRegressor
from skgd.solvers import get_solver_names

GOLDEN = Path(__file__).parent / "golden"
PASSES = 6


def data():
    """Return rows with columns of very different size, numbers and labels."""
    rng = np.random.RandomState(42)
    X = rng.standard_normal((150, 4)) * [1e-3, 1.0, 5.0, 1e3] + [0.0, 10.0, -2.0, 1e4]
    eta = 0.5 * (X - X.mean(axis=0)) / X.std(axis=0) @ [1.0, -1.0, 2.0, 0.5]
    y = eta + 0.3 * rng.standard_normal(150)
    return X, {
        "numbers": y,
        "two classes": (eta + rng.logistic(size=150) > 0).astype(int),
        "three classes": np.digitize(y, [-0.7, 0.7]),
    }


def estimators():
    """Yield name, estimator and kind of target; the defaults but for the length."""
    options = {"max_iter": PASSES, "tol": None, "random_state": 0}
    for solver in get_solver_names():
        yield f"regressor-{solver}", GDRegressor(solver=solver, **options), "numbers"
        yield f"classifier-{solver}", GDClassifier(solver=solver, **options), "two classes"
    yield "softmax", GDClassifier(**options), "three classes"
    yield "hinge", GDClassifier("hinge", **options), "three classes"
    yield "lasso", GDRegressor(penalty="l1", alpha=0.1, **options), "numbers"
    yield "huber-average", GDRegressor("huber", solver="sgd", average=True, **options), "numbers"
    one_row = {"solver": "sgd", "batch_size": 1, "eta0": 1e-9, **options}
    yield "textbook", GDRegressor(learning_rate="invscaling", **one_row), "numbers"


def trace(est, kind):
    """Return what a run leaves behind, in plain numbers."""
    X, targets = data()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est.fit(X, targets[kind])
    return {
        "value": est.history_["value"].tolist(),
        "rate": est.history_["rate"].tolist(),
        "coef": est.coef_.tolist(),
        "intercept": est.intercept_.tolist(),
        "t": est.t_,
    }


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for old in GOLDEN.glob("*.json"):
        old.unlink()
    for name, est, kind in estimators():
        text = json.dumps(trace(est, kind), indent=1)
        (GOLDEN / f"{name}.json").write_text(text + "\n", encoding="utf-8")
