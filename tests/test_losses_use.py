"""Losses give starts, units, domains and messages; names and users' objects become losses."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special
from scipy.optimize import minimize_scalar
from sklearn.base import clone
from sklearn.dummy import DummyClassifier

from skgd.losses import (
    LOSSES,
    AbsoluteError,
    EpsilonInsensitive,
    Gamma,
    Hinge,
    Huber,
    LogCosh,
    LogLinkLoss,
    LogLoss,
    MarginLoss,
    OneVsRest,
    Poisson,
    Quantile,
    RegressionLoss,
    Softmax,
    SquaredEpsilonInsensitive,
    SquaredError,
    Tweedie,
    UserLoss,
    get_loss_names,
    resolve_loss,
)

ALL = [*(cls() for cls in LOSSES.values()), Huber(1.5), Quantile(0.2), Tweedie(0), Tweedie(2.5)]
RESIDUAL = [loss for loss in ALL if isinstance(loss, RegressionLoss)]
LOG_LINK = [loss for loss in ALL if isinstance(loss, LogLinkLoss)]
MARGIN = [loss for loss in ALL if isinstance(loss, MarginLoss)]


def draw(loss, n=200, seed=0):
    """Return targets that the loss accepts, and linear predictors."""
    rng = np.random.RandomState(seed)
    eta = rng.uniform(-3, 3, n)
    if isinstance(loss, MarginLoss):
        return rng.choice([-1.0, 1.0], n), eta
    if isinstance(loss, LogLinkLoss):
        y = rng.gamma(1.0, 2.0, n)
        if loss.y_domain[2]:
            y[::4] = 0.0
        return y, eta
    return rng.standard_normal(n) * 2, eta


def weighted(loss, y, s):
    """Return the weighted sum of the losses of a constant, as a function of it."""
    return lambda c: float(np.sum(s * loss.value(y, np.full_like(y, c), np)))


@pytest.mark.parametrize(
    "loss, shift", [(loss, 0.0) for loss in ALL] + [(loss, 1e6) for loss in RESIDUAL], ids=repr
)
def test_start_is_the_best_constant(loss, shift):
    y, _ = draw(loss, 101)
    y = y + shift
    s = np.random.RandomState(3).uniform(0, 2, 101)
    total = weighted(loss, y, s)
    oracle = minimize_scalar(lambda c: total(c + shift), bounds=(-6, 6), options={"xatol": 1e-10})
    assert total(loss.start(y, s, np)) <= oracle.fun * (1 + 1e-9)


def test_start_has_the_closed_forms():
    rng = np.random.RandomState(0)
    y, s = rng.gamma(2.0, 3.0, 51), rng.uniform(0.1, 2, 51)
    assert_allclose(SquaredError().start(y, s, np), np.average(y, weights=s), rtol=1e-14)
    for loss in LOG_LINK:
        assert_allclose(np.exp(loss.start(y, s, np)), np.average(y, weights=s), rtol=1e-13)
    ones = np.ones(51)
    assert AbsoluteError().start(y, ones, np) == np.median(y)
    assert AbsoluteError().start(y[:50], ones[:50], np) == pytest.approx(np.median(y[:50]))
    assert Quantile(0.3).start(y, ones, np) == np.quantile(y, 0.3, method="inverted_cdf")
    labels = np.where(y > 5, 1.0, -1.0)
    share = np.average(labels > 0, weights=s)
    assert_allclose(LogLoss().start(labels, s, np), special.logit(share), rtol=1e-13)


def test_start_of_several_targets_is_that_of_each():
    rng = np.random.RandomState(0)
    Y, s = rng.gamma(2.0, 3.0, (40, 3)), rng.uniform(0.1, 2, 40)
    for loss in RESIDUAL + LOG_LINK:
        start = loss.start(Y, s, np)
        assert start.shape == (3,)
        assert start.dtype == np.float64
        assert_array_equal(start, [loss.start(Y[:, j], s, np) for j in range(3)])


def test_start_of_softmax_is_the_log_of_the_shares():
    codes = np.repeat([0.0, 1.0, 2.0], [10, 20, 70])
    start = Softmax().start(codes, np.ones(100), np)
    prior = DummyClassifier(strategy="prior").fit(codes[:, None], codes).class_prior_
    assert_allclose(special.softmax(start), prior, rtol=1e-14)
    assert abs(start.sum()) < 1e-14


@pytest.mark.parametrize("loss", MARGIN + RESIDUAL, ids=repr)
def test_start_of_one_vs_rest_is_that_of_each_class(loss):
    codes = np.repeat([0.0, 1.0, 2.0], [3, 5, 6])
    s = np.linspace(0.5, 2, 14)
    expected = [loss.start(np.where(codes == j, 1.0, -1.0), s, np) for j in range(3)]
    for j, start in enumerate(OneVsRest(loss).start(codes, s, np)):
        y = np.where(codes == j, 1.0, -1.0)
        total = weighted(loss, y, s)
        assert total(start) == pytest.approx(total(expected[j]), rel=1e-10)


@pytest.mark.parametrize("loss", [*MARGIN, *RESIDUAL], ids=repr)
@pytest.mark.parametrize("label", [-1.0, 1.0])
def test_start_of_one_class_is_finite_and_on_its_side(loss, label):
    start = loss.start(np.full(20, label), np.ones(20), np)
    assert np.isfinite(start)
    assert start * label >= 0


@pytest.mark.parametrize("loss", [Softmax(), OneVsRest(LogLoss()), OneVsRest(Hinge())], ids=repr)
def test_start_counts_classes_that_a_stream_has_not_shown(loss):
    start = loss.start(np.array([0.0, 0.0, 1.0]), np.ones(3), np, n_outputs=4)
    assert start.shape == (4,)
    assert np.isfinite(start).all()
    assert start[0] > start[3]
    assert start[2] == start[3]


@pytest.mark.parametrize("loss", [Poisson(), Tweedie(0), Tweedie(1.5)], ids=repr)
def test_start_of_zero_counts_is_half_a_row(loss):
    assert loss.start(np.zeros(50), np.ones(50), np) == pytest.approx(np.log(0.5 / 50))


def test_start_of_log_loss_without_a_class_is_half_a_row():
    assert LogLoss().start(np.ones(10), np.ones(10), np) == pytest.approx(special.logit(0.95))


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_a_row_of_weight_two_counts_twice_in_start_and_unit(loss):
    y, _ = draw(loss, 30)
    s = np.arange(30) % 3
    once = (y, s.astype(float))
    twice = (np.repeat(y, s), np.ones(s.sum()))
    assert_allclose(loss.start(*once, np), loss.start(*twice, np), rtol=1e-9, atol=1e-9)
    assert_allclose(loss.unit(*once), loss.unit(*twice), rtol=1e-12)


def test_unit_is_the_deviation_of_the_targets_where_eta_estimates_them():
    rng = np.random.RandomState(0)
    Y, s = rng.randn(40, 2) * [1e-5, 1e5] + 1e3, rng.uniform(0.1, 2, 40)
    expected = np.sqrt(np.cov(Y.T, aweights=s, ddof=0).diagonal())
    for loss in [*RESIDUAL, UserLoss(Cubic())]:
        assert_allclose(loss.unit(Y, s), np.sqrt(np.mean(expected**2)), rtol=1e-12)
        assert_allclose(loss.unit(Y[:, 1], s), expected[1], rtol=1e-10)
        assert loss.unit(np.full(5, 3.0), np.ones(5)) == 1.0
    for loss in LOG_LINK + MARGIN:
        assert loss.unit(Y[:, 1], s) == 1.0


def test_only_a_log_link_changes_predictions():
    eta = np.array([-2.0, 0.5])
    for loss in RESIDUAL + MARGIN:
        expected = special.expit(eta) if loss.name == "log_loss" else eta
        assert_allclose(loss.inverse_link(eta, np), expected, rtol=1e-15)
    for loss in LOG_LINK:
        assert_array_equal(loss.inverse_link(eta, np), np.exp(eta))


@pytest.mark.parametrize(
    "loss, y, message",
    [
        (Poisson(), [1.0, -1.0], r"loss='poisson' needs y >= 0; got -1.0. "),
        (Poisson(), [1.0, np.nan], r"loss='poisson' needs y >= 0; got nan. "),
        (Gamma(), [1.0, 0.0], r"loss='gamma' needs y > 0; got 0.0. "),
        (Tweedie(1.5), [-2.0], r"loss='tweedie' needs y >= 0; got -2.0. "),
        (Tweedie(3), [0.0], r"loss='tweedie' needs y > 0; got 0.0. "),
    ],
)
def test_targets_outside_the_domain_are_named(loss, y, message):
    with pytest.raises(ValueError, match=message):
        loss.check_targets(np.array(y))


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_targets_of_the_domain_pass(loss):
    loss.check_targets(draw(loss)[0])
    loss.check_targets(draw(loss)[0].reshape(-1, 2))


@pytest.mark.parametrize(
    "loss, message",
    [
        (Huber(0.0), "epsilon must be positive; got 0.0"),
        (Huber("a"), "epsilon must be a number; got 'a'"),
        (EpsilonInsensitive(-0.1), "epsilon must be at least 0; got -0.1"),
        (SquaredEpsilonInsensitive(np.inf), "epsilon must be at least 0; got inf"),
        (Quantile(1.0), r"quantile must be in \(0, 1\); got 1.0"),
        (LogCosh(np.nan), "delta must be positive; got nan"),
        (Tweedie(0.5), "power must be 0 or at least 1; got 0.5"),
        (OneVsRest(Huber(-1)), "epsilon must be positive; got -1"),
    ],
    ids=repr,
)
def test_bad_parameters_are_named(loss, message):
    with pytest.raises((ValueError, TypeError), match=message):
        loss.check()


def test_only_shipped_classes_have_a_compiled_twin():
    class Mine(Huber):
        pass

    class Plain(RegressionLoss):
        pass

    assert Mine().pointwise() is None
    assert Plain().pointwise() is None
    assert UserLoss(Plain()).pointwise() is None
    assert OneVsRest(Mine()).pointwise() is None


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_every_shipped_loss_finds_its_compiled_twin(loss):
    kernels = pytest.importorskip("skgd._kernels")
    assert isinstance(loss.pointwise(), type(kernels.get_pointwise("squared_error", ())))


# ---- names and objects ----


def test_names_are_sorted_by_task():
    regression, classification = get_loss_names("regression"), get_loss_names("classification")
    assert regression == sorted(regression)
    assert classification == sorted(classification)
    assert set(regression) | set(classification) == set(LOSSES)
    assert set(classification) - set(regression) == {loss.name for loss in MARGIN}
    assert set(regression) - set(classification) == {"poisson", "gamma", "tweedie"}
    with pytest.raises(ValueError, match="got 'clustering'"):
        get_loss_names("clustering")


@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_names_resolve_and_take_the_estimators_epsilon(kind):
    for name in get_loss_names(kind):
        loss = resolve_loss(name, kind, epsilon=0.25)
        assert type(loss) is LOSSES[name]
        assert getattr(loss, "epsilon", 0.25) == 0.25


def test_objects_keep_their_own_epsilon_and_are_cloned():
    mine = Huber(epsilon=3.0)
    loss = resolve_loss(mine, "regression", epsilon=0.1)
    assert loss is not mine
    assert loss.epsilon == 3.0


@pytest.mark.parametrize(
    "spec, kind, error, message",
    [
        ("hubber", "regression", ValueError, "Unknown loss='hubber'. Known: 'huber'"),
        ("hinge", "regression", ValueError, "'hinge' is not a loss for regression. Known: 'absol"),
        (Hinge(), "regression", ValueError, "'hinge' is not a loss for regression"),
        ("poisson", "classification", ValueError, "not a loss for classification. Known: 'absol"),
        (Softmax(), "classification", ValueError, "'softmax' is not a loss for classification"),
        (Huber, "regression", TypeError, r"takes an instance; .* Write loss=Huber\(\)"),
        (Huber(-1.0), "regression", ValueError, "epsilon must be positive; got -1.0"),
        (3, "regression", TypeError, "3 has no value and no gradient"),
        (None, "regression", TypeError, "None has no value and no gradient"),
    ],
)
def test_what_cannot_be_a_loss_is_refused(spec, kind, error, message):
    with pytest.raises(error, match=message):
        resolve_loss(spec, kind)


class Cubic:
    """A user's loss of two arguments."""

    def value(self, y, eta):
        return np.abs(eta - y) ** 3

    def gradient(self, y, eta):
        return 3 * (eta - y) * np.abs(eta - y)


class CubicNamespace(Cubic):
    """The same, asking for the namespace, and telling more of itself."""

    smooth = False
    curvature = 7.0
    y_domain = (0.0, 10.0)

    def value(self, y, eta, xp):
        return xp.abs(eta - y) ** 3

    def gradient(self, y, eta, xp):
        return 3 * (eta - y) * xp.abs(eta - y)


@pytest.mark.parametrize("mine", [Cubic(), CubicNamespace()])
def test_a_users_object_becomes_a_loss(mine):
    y, eta = draw(SquaredError())
    for kind in ("regression", "classification"):
        loss = resolve_loss(mine, kind)
        assert_array_equal(loss.value(y, eta, np), np.abs(eta - y) ** 3)
        assert_array_equal(loss.gradient(y, eta, np), 3 * (eta - y) * np.abs(eta - y))
    s = np.linspace(0.1, 2, len(y))
    total = weighted(loss, y, s)
    oracle = minimize_scalar(total, bounds=(-6, 6), options={"xatol": 1e-10})
    assert total(loss.start(y, s, np)) <= oracle.fun * (1 + 1e-9)
    assert isinstance(loss.multiclass(), OneVsRest)
    for copy in (clone(loss), pickle.loads(pickle.dumps(loss))):
        assert_array_equal(copy.value(y, eta, np), loss.value(y, eta, np))


def test_a_users_attributes_are_used():
    plain, rich = UserLoss(Cubic()), UserLoss(CubicNamespace())
    assert (plain.smooth, plain.curvature, plain.has_proba) == (True, None, False)
    assert (rich.smooth, rich.curvature) == (False, 7.0)
    assert not hasattr(plain, "hessian")
    with pytest.raises(ValueError, match="needs y >= 0 and y <= 10; got"):
        rich.check_targets(np.array([1.0, 11.0]))


def test_a_users_mean_instead_of_one_number_per_row_is_refused():
    class Mean(Cubic):
        def value(self, y, eta):
            return super().value(y, eta).mean()

    with pytest.raises(ValueError, match=r"Mean.value must return one number .* got shape \(\)"):
        UserLoss(Mean()).value(np.zeros(3), np.ones(3), np)


def test_a_missing_method_is_named():
    class Half:
        def value(self, y, eta):
            return eta

    with pytest.raises(TypeError, match="has no gradient"):
        resolve_loss(Half(), "regression")


def test_a_loss_without_a_minimum_starts_at_zero():
    class Falling:
        def value(self, y, eta):
            return np.exp(-eta)

        def gradient(self, y, eta):
            return -1.0 + 0 * eta

    assert UserLoss(Falling()).start(np.ones(3), np.ones(3), np) == 0.0
