"""Write pickles of fitted models that later versions must load and understand.

Run ``python tests/make_models.py`` once for a release: files of earlier ones are left as they
are. Each holds the model, what it predicts, and what it predicts after learning on.
"""

import pickle
import warnings
from pathlib import Path

import numpy as np

import skgd
from skgd import GDClassifier, GDRegressor
from skgd.losses import Quantile
from skgd.solvers import Adam

MODELS = Path(__file__).parent / "golden" / "models"


def data():
    """Return rows, numbers and labels."""
    rng = np.random.RandomState(5)
    X = rng.standard_normal((60, 3)) * [1.0, 10.0, 0.1]
    y = X @ [1.0, -0.1, 5.0] + 0.1 * rng.standard_normal(60)
    return X, y, np.array(["low", "middle", "high"])[np.digitize(y, [-0.7, 0.7])]


def models():
    """Yield a name, a fitted model, and the targets to learn on with, if it can."""
    X, y, labels = data()
    options = {"random_state": 0, "max_iter": 5}
    yield "regressor", GDRegressor(**options).fit(X, y), None
    yield "quantile", GDRegressor(Quantile(0.9), **options).fit(X, y), None
    yield "classifier", GDClassifier(**options).fit(X, labels), None
    yield "hinge", GDClassifier("hinge", penalty="l1", **options).fit(X, labels), None
    yield "adam", GDClassifier(solver=Adam(beta_2=0.99), **options).fit(X, labels), labels
    stream = GDClassifier(random_state=0)
    yield "stream", stream.partial_fit(X, labels, classes=np.unique(labels)), labels
    ftrl = GDRegressor(solver="ftrl", penalty="l1", random_state=0)
    yield "ftrl", ftrl.partial_fit(X, y), y


def record(model, targets):
    """Return what a file holds: the model as it is now comes first."""
    X, *_ = data()
    kept = {"skgd": skgd.__version__, "model": pickle.dumps(model, protocol=4)}
    kept["predicted"] = model.predict(X).tolist()
    if targets is not None:
        kept["after"] = model.partial_fit(X, targets).coef_.tolist()
    return kept


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    MODELS.mkdir(exist_ok=True)
    for name, model, targets in models():
        path = MODELS / f"{skgd.__version__}-{name}.pickle"
        if not path.exists():
            path.write_bytes(pickle.dumps(record(model, targets), protocol=4))
