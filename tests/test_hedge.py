"""Several rates at once follow what moves, and none diverges."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from skgd import GDClassifier, GDRegressor
from skgd._protocols import Rows
from skgd.objectives import stored, to_user
from skgd.solvers import Hedge, _hedge

RATES = np.array(_hedge._RATES)


def models(est):
    """Return the models and their weights, in the user's variables."""
    est._state.settle()
    saved, memory = est._state, est._state.state.memory
    found = memory["models"].copy()
    k, d = memory["models"].shape[1] - est.coef_.size, est.n_features_in_
    for one in found:
        to_user(one[:-k].reshape(k, d), one[-k:], saved.shift, saved.inv_scale)
    return found, memory["weights"]


def test_a_stream_without_a_rate_is_followed_by_hedge():
    X = np.random.RandomState(0).standard_normal((50, 3))
    assert isinstance(GDRegressor().partial_fit(X, X[:, 0]).solver_, Hedge)
    for given in ({"eta0": 0.01}, {"penalty": "l1"}, {"average": True}, {"batch_size": 8}):
        assert GDRegressor(**given).partial_fit(X, X[:, 0]).solver_.name == "sgd"


@pytest.mark.parametrize("home", [np.asarray, sp.csr_array])
def test_steps_and_weights_are_those_of_the_formulas(home):
    rng = np.random.RandomState(1)
    X = rng.standard_normal((80, 3)) * (rng.uniform(size=(80, 3)) < 0.7)
    y = (X[:, 0] + 0.5 * rng.standard_normal(80) > 0).astype(int)
    est = GDClassifier(solver="hedge", shuffle=False, penalty=None, fit_intercept=False)
    W, p = np.zeros((len(RATES), 3)), np.full(len(RATES), 1 / len(RATES))
    for start in (0, 40):
        part, sign = X[start : start + 40], 2.0 * y[start : start + 40] - 1.0
        est.partial_fit(home(part), y[start : start + 40], classes=[0, 1])
        inv = est._state.inv_scale
        if start:
            lost = np.logaddexp(0, -sign[:, None] * (part @ W.T)).sum(axis=0) / np.log(2)
            p = p * np.exp(-0.025 * lost)
            p = 0.99 * p / p.sum() + 0.01 / len(p)
        for x, t in zip(part * inv, sign, strict=True):
            for k, rho in enumerate(RATES):
                g = -t / (1 + np.exp(t * (x / inv) @ W[k]))
                W[k] -= rho / 0.25 / (1 + rho * x @ x) * g * x * inv
    found, weights = models(est)
    assert_allclose(found[:, :3], W, rtol=1e-9, atol=1e-12)
    assert_allclose(weights, p, rtol=1e-9)
    assert_allclose(est.coef_[0], p @ W, rtol=1e-9)


def test_weights_go_to_the_rate_that_predicts():
    rng = np.random.RandomState(0)
    still, moving = GDRegressor(random_state=0), GDRegressor(random_state=0)
    w = np.array([1.0, -1.0, 0.5])
    for call in range(150):
        X = rng.standard_normal((20, 3))
        noise = rng.standard_normal(20)
        still.partial_fit(X, X @ w + 3.0 * noise)
        turned = w * (-1.0) ** (call // 5)
        moving.partial_fit(X, X @ turned + 0.1 * noise)
    assert RATES[models(still)[1].argmax()] < RATES[models(moving)[1].argmax()]
    # A mixture is no worse than the models' mean, here in the mean over what is to come.
    found, weights = models(still)
    X = rng.standard_normal((4000, 3))
    errors = ((found[:, :3] @ X.T + found[:, 3:] - X @ w) ** 2).mean(axis=1)
    assert ((still.predict(X) - X @ w) ** 2).mean() <= weights @ errors + 1e-12


@pytest.mark.parametrize("size", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize(
    "cls, loss",
    [
        (GDRegressor, "squared_error"),
        (GDRegressor, "huber"),
        (GDRegressor, "quantile"),
        (GDRegressor, "poisson"),
        (GDClassifier, "hinge"),
        (GDClassifier, "log_loss"),
    ],
)
def test_no_unit_of_columns_matters_and_nothing_diverges(cls, loss, size):
    rng = np.random.RandomState(2)
    X = rng.standard_normal((600, 4))
    eta = X @ [0.5, -0.5, 0.2, 0.0]
    y = np.exp(eta) if loss == "poisson" else eta + 0.3 * rng.standard_normal(600)
    y = (y > 0).astype(int) if cls is GDClassifier else y
    found = []
    for scale in (1.0, size):
        est = cls(loss, random_state=0, penalty=None)
        more = {"classes": [0, 1]} if cls is GDClassifier else {}
        for i in range(0, 600, 60):
            est.partial_fit(scale * X[i : i + 60], y[i : i + 60], **more)
        found.append(est.coef_ * scale)
        assert est.score(scale * X, y) > (0.8 if cls is GDClassifier else 0.3)
    assert_allclose(found[1], found[0], rtol=1e-5, atol=1e-9)


def test_first_rows_of_one_class_are_unlearnt_soon():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((400, 2))
    y = (X[:, 0] > 0).astype(int)
    est = GDClassifier(random_state=0)
    est.partial_fit(X[:64], np.ones(64, dtype=int), classes=[0, 1])
    for i in range(64, 400, 48):
        est.partial_fit(X[i : i + 48], y[i : i + 48])
    assert est.score(X[64:], y[64:]) > 0.9


def test_a_penalty_acts_as_on_standardised_columns_where_they_spread_less():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((4000, 2)) * [0.01, 1.0]
    y = X @ [100.0, 1.0] + 0.1 * rng.standard_normal(4000)
    weak, none, strong = (
        GDRegressor(solver="hedge", alpha=alpha, random_state=0).fit(X, y).coef_
        for alpha in (1e-4, 0.0, 10.0)
    )
    assert_allclose(weak, none, rtol=0.01)
    assert (np.abs(strong) < 0.3 * np.abs(none)).all()


@pytest.mark.parametrize(
    "given, name",
    [
        ({"eta0": 0.1}, "eta0"),
        ({"learning_rate": "constant"}, "learning_rate"),
        ({"batch_size": 4}, "batch_size"),
        ({"average": True}, "average"),
        ({"clip_norm": 1.0}, "clip_norm"),
        ({"penalty": "l1"}, "l1 part"),
    ],
)
def test_what_it_has_no_use_for_is_refused_by_name(given, name):
    X = np.random.RandomState(0).standard_normal((20, 2))
    est = GDRegressor(solver="hedge", **given)
    for act in (est.fit, est.partial_fit):
        with pytest.raises(ValueError, match=name):
            act(X, X[:, 0])
    assert not hasattr(est, "coef_")


@pytest.mark.parametrize("home", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("size", [500, 16])
def test_rows_are_learnt_whatever_a_penalty_that_steps_hardly_feel_rises_to(home, size, recwarn):
    # Columns of a small spread: the relation that all at once is there asks for coefficients
    # whose penalty in the user's variables is far above any loss.
    rng = np.random.default_rng(3)
    X = 0.01 * rng.normal(size=(2500, 3))
    strength = np.where(np.arange(2500) < 2000, 0.5, 4.0)
    y = (strength * X[:, 0] / 0.01 + 0.5 * rng.normal(size=2500) > 0).astype(int)
    est = GDClassifier(random_state=0)
    for start in range(0, 2500, size):
        est.partial_fit(home(X[start : start + size]), y[start : start + size], classes=[0, 1])
    assert not recwarn.list
    assert abs(est.coef_[0, 0]) > 200  # held back it would be near 55
    assert est._state.state.rate_scale == 1.0


@pytest.mark.parametrize("scale", [1.0, 0.01, np.array([1.0, 0.1, 10.0])])
@pytest.mark.parametrize("home", [np.asarray, sp.csr_array])
def test_short_calls_are_judged_by_what_long_ones_are(scale, home):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3)) * scale
    y = X @ (1.0 / (scale * np.ones(3))) + rng.normal(size=400)
    est = GDRegressor(solver="hedge", alpha=0.1, random_state=0)
    for start in range(0, 400, 40):
        est.partial_fit(home(X[start : start + 40]), y[start : start + 40])
    few = est._state.short.few
    rows = few.begin(Rows(*stored(home(X[-40:])), 3, y[-40:], False, np.ones(40)))
    W, b = few.point()
    theta = few.problem.objective.from_user(np.append(est.coef_, est.intercept_))
    F = few.value(rows, W, b) + few.penalty_of(est.coef_[None, :])
    judged = Hedge().judged(few.problem, theta, F)
    assert_allclose([few.value(rows, W, b), few.before(rows)], judged, rtol=1e-12)


@pytest.mark.parametrize("home", [np.asarray, sp.csr_array])
def test_one_odd_target_at_first_is_lived_with_where_slopes_do_not_grow(home):
    errors = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(1500, 3))
        y = X @ [1.0, -0.5, 0.2] + 0.3 * rng.normal(size=1500)
        y[50], X = 1e6, 0.01 * X
        est = GDRegressor("absolute_error", random_state=0)
        for start in range(0, 1000, 100):
            est.partial_fit(home(X[start : start + 100]), y[start : start + 100])
        left = np.abs(est.predict(home(X[1000:])) - y[1000:]).mean()
        errors.append(left / np.abs(y[1000:]).mean())
    assert np.median(errors) < 0.8  # zero coefficients give 1
