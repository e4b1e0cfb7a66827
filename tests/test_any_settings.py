"""Whatever the data and settings, a fit keeps its promises or says what is wrong.

Settings are drawn at random, one by one, so most of them make little sense together. A fit
must then still end, with finite coefficients and F no higher than at zero coefficients, or
refuse with a message that names the parameter or the array. F is written out here, in
extended precision.
"""

import re
import time
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning, UndefinedMetricWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from skgd import GDClassifier, GDRegressor, losses, schedules, solvers
from skgd.losses import get_loss_names
from skgd.schedules import get_schedule_names
from skgd.solvers import get_solver_names

hypothesis = pytest.importorskip("hypothesis")
given, settings, st = hypothesis.given, hypothesis.settings, hypothesis.strategies

LONG = np.longdouble
SECONDS = 20.0  # of processor time, for at most 60 rows and 20 iterations


# -- F in extended precision ----------------------------------------------------------


def _huber(r, epsilon):
    near = np.minimum(abs(r), epsilon)
    return near**2 / 2 + epsilon * (abs(r) - near), np.clip(r, -epsilon, epsilon)


def _beyond(r, epsilon, power):
    over = np.maximum(abs(r) - epsilon, 0)
    return over**power, np.sign(r) * (over > 0 if power == 1 else 2 * over)


def _log_cosh(r, delta):
    q = abs(r) / delta
    near = np.log1p(2 * np.sinh(np.minimum(q, 1) / 2) ** 2)
    far = q + np.log1p(np.exp(-2 * q)) - np.log(LONG(2))
    return delta**2 * np.where(q < 1, near, far), delta * np.tanh(r / delta)


def _tweedie(y, e, p):
    """Return terms of the half deviance, which all but cancel near its minimum, and slopes."""
    mu, log_y = np.exp(e), np.log(np.where(y > 0, y, 1))
    if p == 0:
        return [(mu - y) ** 2 / 2], (mu - y) * mu
    if p == 1:
        return [y * log_y, -y * e, -y, mu], mu - y
    if p == 2:
        return [e, -log_y, y / mu, -1 + 0 * y], 1 - y / mu
    top = y ** (2 - p) / ((1 - p) * (2 - p))
    high, low = np.exp((2 - p) * e), y * np.exp((1 - p) * e)
    return [top, high / (2 - p), -low / (1 - p)], high - low


def _modified_huber(y, e):
    z = y * e
    value = np.clip(1 - z, 0, 2) ** 2 + 4 * np.maximum(-1 - z, 0)
    return value, -2 * y * np.clip(1 - z, 0, 2)


# Loss of a row and its derivative in eta, from the formulas in the documentation.
FORMULAS = {
    "squared_error": lambda y, e: ((e - y) ** 2 / 2, e - y),
    "huber": lambda y, e, epsilon=0.1: _huber(e - y, epsilon),
    "absolute_error": lambda y, e: (abs(e - y), np.sign(e - y)),
    "quantile": lambda y, e, quantile=0.5: (
        np.maximum(quantile * (y - e), (1 - quantile) * (e - y)),
        np.where(e < y, -quantile, 1 - quantile),
    ),
    "epsilon_insensitive": lambda y, e: _beyond(e - y, LONG(0.1), 1),
    "squared_epsilon_insensitive": lambda y, e: _beyond(e - y, LONG(0.1), 2),
    "log_cosh": lambda y, e, delta=1.0: _log_cosh(e - y, delta),
    "poisson": lambda y, e: _tweedie(y, e, 1),
    "gamma": lambda y, e: _tweedie(y, e, 2),
    "tweedie": lambda y, e, power=1.5: _tweedie(y, e, power),
    "log_loss": lambda y, e: (np.logaddexp(0, -y * e), -y / (1 + np.exp(y * e))),
    "hinge": lambda y, e: (np.maximum(1 - y * e, 0), -y * (y * e < 1)),
    "perceptron": lambda y, e: (np.maximum(-y * e, 0), -y * (y * e < 0)),
    "squared_hinge": lambda y, e: (
        np.maximum(1 - y * e, 0) ** 2,
        -2 * y * np.maximum(1 - y * e, 0),
    ),
    "modified_huber": _modified_huber,
}


def _rows(loss, y, eta):
    """Return loss, slopes and size of the loss's terms, for each row.

    ``y`` holds class numbers where there are classes.
    """
    name = loss if isinstance(loss, str) else loss.name
    params = {} if isinstance(loss, str) else {k: LONG(v) for k, v in loss.get_params().items()}
    if y.dtype.kind == "i" and eta.shape[1] > 1:
        hot = y[:, None] == np.arange(eta.shape[1])
        if name == "log_loss":
            top = eta.max(axis=1, keepdims=True)
            odds = np.exp(eta - top)
            total = odds.sum(axis=1, keepdims=True)
            value = (top + np.log(total) - (eta * hot).sum(axis=1, keepdims=True))[:, 0]
            return value, odds / total - hot, abs(eta).max(axis=1)
        y = np.where(hot, 1, -1)
    elif y.dtype.kind == "i":
        y = np.where(y == 1, 1, -1)
    value, slope = FORMULAS[name](y.reshape(eta.shape).astype(LONG), eta, **params)
    terms = value if isinstance(value, list) else [value]
    return sum(terms).sum(axis=1), slope, sum(map(abs, terms)).sum(axis=1)


class Shrink:
    """Euclidean norm, as users write penalties: not separable."""

    def value(self, coef):
        top = np.abs(coef).max(initial=0.0)
        return float(top * np.linalg.norm(coef / top)) if top > 0 else 0.0

    def prox(self, coef, t):
        norm = self.value(coef)
        return coef * (max(0.0, 1 - t / norm) if norm > 0 else 0.0)

    def __repr__(self):
        return "Shrink()"


class NonNegative:
    """A constraint, as users write penalties."""

    separable = True

    def value(self, coef):
        return 0.0

    def prox(self, coef, t):
        return np.maximum(coef, 0.0)

    def __repr__(self):
        return "NonNegative()"


def _penalty(params, W):
    penalty, ratio = params["penalty"], LONG(params.get("l1_ratio", 0.15))
    if isinstance(penalty, NonNegative) or penalty is None:
        return LONG(0)
    alpha = LONG(params["alpha"])
    if isinstance(penalty, Shrink):
        return alpha * np.sqrt((W**2).sum())
    l1 = {"l1": LONG(1), "elasticnet": ratio}.get(penalty, LONG(0))
    l2 = {"l2": LONG(1), "elasticnet": 1 - ratio}.get(penalty, LONG(0))
    return alpha * (l1 * abs(W).sum() + l2 * (W**2).sum() / 2)


def value_and_rounding(params, X, y, s, coef, intercept):
    """Return F, and by how much rounding of the coefficients and of the losses may raise it.

    By convexity, moving ``eta`` by ``d`` to where the coefficients were before they were
    rounded lowers F by ``|slope| d`` at most.
    """
    W, b = np.atleast_2d(coef).astype(LONG), np.atleast_1d(intercept).astype(LONG)
    X, s = X.astype(LONG), s.astype(LONG)
    eta = X @ W.T + b
    unit, penalty = np.finfo(coef.dtype).eps, _penalty(params, W)
    reach = abs(W) @ abs(X).max(axis=0, initial=0) + abs(b)
    moved = unit * (4 + W.shape[1]) * reach
    with np.errstate(over="ignore", invalid="ignore"):  # of rows of weight zero
        value, slopes, terms = _rows(params["loss"], y, eta)
    rounding = abs(slopes) @ moved + 16 * np.finfo(float).eps * terms
    on, s = s > 0, s / s.sum()
    return s[on] @ value[on] + penalty, s[on] @ rounding[on] + 8 * unit * penalty


# -- data and settings ----------------------------------------------------------------


def usual_or(usual, *others):
    """Draw the usual value half of the time: many odd settings at once hide each other."""
    return st.one_of(st.just(usual), st.sampled_from(others))


exponents = st.integers(0, 12).flatmap(lambda k: st.sampled_from([k, -k]))
COLUMNS = ("normal", "constant", "zero", "flags", "copy", "steps")


@st.composite
def rows(draw, classification):
    """Return a dict of X, y and weights as a user would pass them."""
    n, d = draw(st.integers(2, 60)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    Z = rng.standard_normal((n, d))
    X = np.empty((n, d))
    for j in range(d):
        kind = draw(usual_or("normal", *COLUMNS))
        scale = 10.0 ** draw(usual_or(0, *range(-12, 13)))
        mean = draw(usual_or(0.0, 1.0, 1e3, -1e6, 1e9, 1e15))
        column = {
            "normal": Z[:, j],
            "constant": np.ones(n),
            "zero": np.zeros(n),
            "flags": (Z[:, j] > 1.2).astype(float),
            "copy": Z[:, 0],
            "steps": np.round(2 * Z[:, j]),
        }[kind]
        X[:, j] = scale * (column + mean)
        if kind in ("zero", "flags"):
            X[:, j] = scale * column
    score = Z @ rng.uniform(-2, 2, d) + draw(usual_or(0.0, 1.0, 30.0)) * rng.standard_normal(n)
    X = X.astype(draw(st.sampled_from([np.float64, np.float32])))
    home = draw(st.sampled_from(["dense", "csr", "fortran"]))
    X = {"dense": np.ascontiguousarray, "csr": sp.csr_array, "fortran": np.asfortranarray}[home](X)
    if classification:
        k = draw(st.integers(2, 4))
        edges = np.quantile(score, np.arange(1, k) / k)
        y = np.array(["a", "b", "c", "d"])[np.searchsorted(edges, score)]
    else:
        k = draw(usual_or(None, 1, 2, 3))
        y = score if k is None else score[:, None] + rng.standard_normal((n, k))
        shape = draw(usual_or("as it is", "constant", "zero", "counts"))
        y = {
            "as it is": y,
            "constant": np.ones_like(y),
            "zero": np.zeros_like(y),
            "counts": np.floor(np.exp(np.clip(y, -20, 5))),
        }[shape]
        y = 10.0 ** draw(usual_or(0, *range(-12, 13), -300, -160, 160, 300)) * (
            y + draw(usual_or(0.0, 10.0, -1e8))
        )
    weights = draw(usual_or(None, "zeros", "ratios", "tiny", "huge"))
    s = {
        None: None,
        "zeros": (rng.uniform(size=n) < 0.7).astype(float),
        "ratios": 10.0 ** rng.integers(-12, 13, n),
        "tiny": 1e-200 * rng.uniform(1, 2, n),
        "huge": 1e200 * rng.uniform(1, 2, n),
    }[weights]
    return {"X": X, "y": y, "sample_weight": s}


SOLVERS = [
    solvers.LBFGS(memory=1),
    solvers.Momentum(momentum=0.99),
    solvers.Momentum(averaged=True),
    solvers.Nesterov(momentum=0.0),
    solvers.Adam(beta_1=0.0, beta_2=0.5, epsilon=1e-3),
    solvers.AdaDelta(decay=0.5),
    solvers.RMSProp(decay=0.0),
]
SCHEDULES = [
    schedules.Constant(warmup=3),
    schedules.InvScaling(power_t=2.0, warmup=1),
    schedules.Adaptive(factor=1e3, patience=1),
    schedules.Linear(end=1e3),
    schedules.Step(every=1, factor=1e-3),
    schedules.Exponential(decay=0.1),
    schedules.Cosine(restart_every=2),
    schedules.OneCycle(peak=1e6),
]
LOSSES = [
    losses.Huber(epsilon=1e-3),
    losses.Quantile(quantile=0.99),
    losses.LogCosh(delta=1e-3),
    losses.Tweedie(power=0.0),
    losses.Tweedie(power=1.9),
    losses.Tweedie(power=3.0),
]


@st.composite
def cases(draw):
    """Return the class of an estimator, its parameters, and the data."""
    classification = draw(st.booleans())
    kind = "classification" if classification else "regression"
    named = get_loss_names(kind)
    objects = [loss for loss in LOSSES if kind in loss.kinds]
    params = {
        "loss": draw(st.sampled_from(named if classification else named + objects)),
        "solver": draw(st.sampled_from(get_solver_names() + SOLVERS)),
        "penalty": draw(st.sampled_from(["l2", "l1", "elasticnet", None, NonNegative(), Shrink()])),
        "alpha": draw(usual_or(1e-4, 0.0, *(10.0**k for k in range(-12, 7)))),
        "max_iter": draw(st.integers(1, 20)),
        "random_state": draw(st.integers(0, 9)),
        "n_jobs": 1,
    }
    odd = {
        "l1_ratio": [0.0, 0.5, 1.0],
        "fit_intercept": [False],
        "eta0": [10.0**k for k in range(-12, 13)],
        "learning_rate": get_schedule_names() + SCHEDULES,
        "power_t": [0.0, 3.0],
        "batch_size": [1, 2, 7, 1000],
        "average": [True, 5],
        "clip_norm": [1e-6, 1.0, 1e6],
        "clip_value": [1e-6, 1.0, 1e6],
        "tol": [None, 0.0, 1e-12, 10.0],
        "shuffle": [False],
        "early_stopping": [True],
        "scoring": ["loss"],
        "n_iter_no_change": [1],
    }
    if classification:
        odd["class_weight"] = ["balanced"]
    for name, values in odd.items():
        if draw(usual_or(False, False, True)):
            params[name] = draw(st.sampled_from(values))
    data = draw(rows(classification))
    if "average" in params and draw(st.booleans()):
        params["batch_size"] = 1
    name = params["loss"] if isinstance(params["loss"], str) else "tweedie"
    if not classification and name in ("poisson", "gamma", "tweedie"):
        data["y"] = np.abs(data["y"])
        if name != "poisson":  # gamma, and tweedie of power 2 or more, need positive targets
            data["y"] = np.maximum(data["y"], 1e-3 * (data["y"].max() or 1.0))
    return GDClassifier if classification else GDRegressor, params, data


# -- promises -------------------------------------------------------------------------

# What a fit may refuse, in the words that it uses. Anything else that is raised is a fault.
REFUSALS = [
    r"squares of such numbers overflow",
    r"learning_rate='optimal' divides by alpha",
    r"needs a separable penalty",
    r"takes the l1 and l2 parts of a penalty",
    r"needs a smooth loss; .* has a kink",
    r"needs a smooth loss near .*, and knows none",
    r"finds the length of each step by a line search",
    r"takes steps of one length whose noise vanishes by itself",
    r"tries rates of its own, a row at a time",
    r"lets the rate of each coefficient fall by itself",
    r"needs a penalty with an l2 part",
    r"has no step for",
    r"takes the best slope of one row after the other",
    r"mixes several models, which would leave no coefficient at zero",
    r"All values of sample_weight are zero",
    r"y holds one class only",
    r"early_stopping=True cannot hold out validation_fraction",
]


def finite(model):
    return np.isfinite(model.coef_).all() and np.isfinite(model.intercept_).all()


def fitted(make, act):
    """Return a model, or None where it refused for one of the reasons above."""
    start = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            model = act(make())
    except (ValueError, TypeError) as error:
        if any(re.search(refusal, str(error)) for refusal in REFUSALS):
            return None
        raise
    finally:
        assert time.process_time() - start < SECONDS
    return model


def weights_of(params, data):
    """Return the weights of the rows that were learnt from."""
    X, y = data["X"], data["y"]
    s = np.ones(X.shape[0]) if data["sample_weight"] is None else data["sample_weight"].copy()
    labels = np.unique(y, return_inverse=True)[1] if y.dtype.kind == "U" else None
    if params.get("class_weight") == "balanced":
        # A class without a positive weight has no rows.
        s *= (s.sum() / np.maximum(np.bincount(labels, weights=s), s.max() * 1e-30))[labels]
    if params.get("early_stopping"):
        used = np.flatnonzero(s)
        _, held = train_test_split(
            used,
            test_size=0.1,
            random_state=check_random_state(params["random_state"]),
            stratify=None if labels is None else labels[used],
        )
        s[held] = 0.0
    return s


def check_fit(case):
    """Fit, and hold the model to the promises. Returns it, or None where it refused."""
    estimator, params, data = case
    model = fitted(lambda: estimator(**params), lambda est: est.fit(**data))
    if model is None:
        return None
    X, y = data["X"], data["y"]
    assert finite(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predicted = model.predict(X)
        if hasattr(model, "predict_proba"):
            shares = model.predict_proba(X)
            np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-5)
    dense = X.toarray() if sp.issparse(X) else X
    link = params["loss"] if isinstance(params["loss"], str) else params["loss"].name
    if y.dtype.kind != "U" and link not in ("poisson", "gamma", "tweedie"):
        assert np.isfinite(predicted).all()
    assert np.isfinite(model.loss_curve_[-1])
    if isinstance(params["penalty"], NonNegative) and params["alpha"] > 0:
        assert (model.coef_ >= 0).all()
    if params["loss"] == "perceptron":
        return model  # its F is least at zero

    if y.dtype.kind == "U":
        y = np.unique(y, return_inverse=True)[1]
    s = weights_of(params, data)
    s = s / s.max()
    here, rounding = value_and_rounding(params, dense, y, s, model.coef_, model.intercept_)
    zero, more = value_and_rounding(
        params, dense, y, s, np.zeros_like(model.coef_), np.zeros_like(model.intercept_)
    )
    assert here <= zero + LONG(1e-9) * abs(zero) + rounding + more
    return model


def check_stream(case):
    """Learn from two chunks in turn, then from all rows again."""
    estimator, params, data = case
    params = {k: v for k, v in params.items() if k not in ("early_stopping", "class_weight")}
    make = lambda: estimator(**params)  # noqa: E731
    if not hasattr(make(), "partial_fit"):
        return None
    X, y, s = data["X"], data["y"], data["sample_weight"]
    half = (X.shape[0] + 1) // 2
    known = {"classes": np.unique(y)} if y.dtype.kind == "U" else {}

    def learn(est):
        for chunk in (slice(None, half), slice(half, None), slice(None)):
            weights = None if s is None else s[chunk]
            if weights is None or weights.any():
                est.partial_fit(X[chunk], y[chunk], sample_weight=weights, **known)
                assert finite(est)
        return est

    return fitted(make, learn)


@settings(max_examples=250, derandomize=True, deadline=None, database=None)
@given(cases())
def test_any_fit_keeps_its_promises_or_says_what_is_wrong(case):
    check_fit(case)


@settings(max_examples=80, derandomize=True, deadline=None, database=None)
@given(cases())
def test_any_stream_leaves_finite_coefficients_or_says_what_is_wrong(case):
    check_stream(case)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_thousands_of_fits_keep_their_promises(seed):
    # In parts, for processes side by side.
    @hypothesis.seed(seed)
    @settings(max_examples=1_000, deadline=None, database=None)
    @given(cases())
    def check(case):
        check_fit(case)
        check_stream(case)

    check()
