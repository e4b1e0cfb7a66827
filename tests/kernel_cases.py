"""Rows, targets and losses that the tests of the kernels share."""

import numpy as np
from scipy import sparse

from skgd import losses
from skgd._protocols import Rows

EMPTY = np.empty(0, dtype=np.int32)

SEPARABLE = {
    "squared_error": losses.SquaredError(),
    "huber": losses.Huber(0.3),
    "absolute_error": losses.AbsoluteError(),
    "quantile": losses.Quantile(0.3),
    "epsilon_insensitive": losses.EpsilonInsensitive(0.2),
    "squared_epsilon_insensitive": losses.SquaredEpsilonInsensitive(0.2),
    "log_cosh": losses.LogCosh(0.7),
    "poisson": losses.Poisson(),
    "gamma": losses.Gamma(),
    "tweedie": losses.Tweedie(1.5),
    "tweedie_0": losses.Tweedie(0.0),
    "tweedie_1": losses.Tweedie(1.0),
    "tweedie_2": losses.Tweedie(2.0),
    "tweedie_3": losses.Tweedie(3.0),
    "log_loss": losses.LogLoss(),
    "hinge": losses.Hinge(),
    "perceptron": losses.Perceptron(),
    "squared_hinge": losses.SquaredHinge(),
    "modified_huber": losses.ModifiedHuber(),
}
LAYOUTS = ["dense", "csr32", "csr64"]
DTYPES = [np.float32, np.float64]


def draw(loss, n, k, rng):
    """Targets that the loss accepts; class numbers where it wants them."""
    if loss.codes or isinstance(loss, losses.Softmax):
        return rng.randint(k, size=n).astype(float)
    shape = n if k == 1 else (n, k)
    if loss.kinds == {"classification"}:
        return rng.choice([-1.0, 1.0], size=shape)
    y = rng.standard_normal(shape)
    return np.exp(y) if loss.y_domain[0] == 0 else y


def make_rows(layout, dtype, y, s, rng, n_features=7, codes=False):
    """Rows with zeros and one empty row, and the same as a matrix."""
    X = rng.standard_normal((len(s), n_features)) * (rng.uniform(size=(len(s), 1)) < 0.9)
    X[rng.uniform(size=X.shape) < 0.4] = 0.0
    X[2] = 0.0
    X = X.astype(dtype)
    if layout == "dense":
        rows = Rows(True, X.ravel(), EMPTY, EMPTY, n_features, y, codes, s)
    else:
        X = sparse.csr_matrix(X)
        index = np.int32 if layout == "csr32" else np.int64
        indices, indptr = X.indices.astype(index), X.indptr.astype(index)
        rows = Rows(False, X.data, indices, indptr, n_features, y, codes, s)
    for array in (rows.data, rows.indices, rows.indptr, rows.y, rows.s):
        array.flags.writeable = False
    return rows, X


def weights(n, rng):
    s = rng.uniform(0.1, 2.0, size=n)
    s[::5] = 0.0
    return s


def point_slope(loss):
    """The slope of one row for the twin of `sgd_block`."""

    def slope(y, eta):
        if loss.codes or isinstance(loss, losses.Softmax):
            return loss.gradient(np.array([y]), eta[None], np)[0]
        return loss.gradient(np.atleast_1d(y), eta, np)

    return slope


def point_value(loss):
    """The loss of one row for the twin of `sgd_block`."""

    def value(y, eta):
        if loss.codes or isinstance(loss, losses.Softmax):
            return loss.value(np.array([y]), eta[None], np).sum()
        return loss.value(np.atleast_1d(y), eta, np).sum()

    return value


def model(k, d, rng):
    return rng.standard_normal((k, d)), rng.standard_normal(k)
