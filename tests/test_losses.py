"""Losses obey their formulas, scikit-learn's boundaries, and what solvers expect of them."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special
from sklearn import metrics
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier, SGDRegressor

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
    ModifiedHuber,
    OneVsRest,
    Perceptron,
    Poisson,
    Quantile,
    Softmax,
    SquaredEpsilonInsensitive,
    SquaredError,
    SquaredHinge,
    Tweedie,
    resolve_loss,
)

RESIDUAL = [
    AbsoluteError(),
    EpsilonInsensitive(0.0),
    EpsilonInsensitive(0.3),
    Huber(),
    Huber(0.7),
    LogCosh(),
    LogCosh(0.2),
    Quantile(),
    Quantile(0.2),
    SquaredEpsilonInsensitive(0.3),
    SquaredError(),
]
LOG_LINK = [Gamma(), Poisson(), *(Tweedie(p) for p in (0, 1, 1.3, 1.5, 1.9, 2, 2.5, 3))]
MARGIN = [Hinge(), LogLoss(), ModifiedHuber(), Perceptron(), SquaredHinge()]
ALL = RESIDUAL + LOG_LINK + MARGIN
SMOOTH = [loss for loss in ALL if loss.smooth]


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


def derivative(f, x, h=1e-3):
    """Fourth-order central difference."""
    return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)


def kinks(loss, y):
    """Return the places where a loss has no derivative, or none of the second order."""
    if isinstance(loss, MarginLoss):
        return [y * 1.0, y * 0.0, y * -1.0]
    epsilon = getattr(loss, "epsilon", 0.0)
    return [y - epsilon, y, y + epsilon]


def test_every_shipped_loss_is_tested():
    assert {type(loss) for loss in ALL} == set(LOSSES.values())
    assert all(cls.name == name for name, cls in LOSSES.items())


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_gradient_is_the_derivative_of_value(loss):
    y, eta = draw(loss)
    far = np.all([np.abs(eta - k) > 5e-3 for k in kinks(loss, y)], axis=0)
    y, eta = y[far], eta[far]
    numeric = derivative(lambda e: loss.value(y, e, np), eta)
    assert_allclose(loss.gradient(y, eta, np), numeric, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("loss", SMOOTH, ids=repr)
def test_hessian_is_the_derivative_of_gradient(loss):
    y, eta = draw(loss)
    far = np.all([np.abs(eta - k) > 5e-3 for k in kinks(loss, y)], axis=0)
    y, eta = y[far], eta[far]
    numeric = derivative(lambda e: loss.gradient(y, e, np), eta)
    assert_allclose(loss.hessian(y, eta, np), numeric, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(
    "loss", [loss for loss in ALL if getattr(loss, "power", 1) in (1, 1.3, 1.5, 1.9, 2)], ids=repr
)
def test_slope_never_decreases_and_respects_curvature(loss):
    y = np.unique(draw(loss)[0])[:, None]
    eta = np.linspace(-4, 4, 1601)[None, :]
    slope = loss.gradient(*np.broadcast_arrays(y, eta), np)
    change = np.diff(slope, axis=1)
    assert change.min() >= -1e-12
    if loss.curvature is not None:
        steepest = change.max() / (8 / 1600)
        assert 0.98 * loss.curvature <= steepest <= loss.curvature * (1 + 1e-9)


@pytest.mark.parametrize("loss", RESIDUAL + MARGIN, ids=repr)
def test_smooth_losses_are_those_whose_slope_does_not_jump(loss):
    y = np.full(8001, 1.0)
    slope = loss.gradient(y, np.linspace(-2, 2, 8001), np)
    assert (np.abs(np.diff(slope)).max() < 0.05) == loss.smooth


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_value_is_at_least_zero_and_zero_at_a_perfect_fit(loss):
    y, eta = draw(loss)
    assert loss.value(y, eta, np).min() >= -1e-14
    if isinstance(loss, LogLinkLoss):
        y = np.where(y > 0, y, 1.0)
        perfect = np.log(y)
    else:
        perfect = 50 * y if isinstance(loss, MarginLoss) else y
    assert_allclose(loss.value(y, perfect, np), 0, atol=1e-14)
    assert_allclose(loss.gradient(y, perfect, np), 0, atol=1e-12)


@pytest.mark.parametrize("loss", ALL, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_and_shape_are_kept(loss, dtype):
    y, eta = (a.astype(dtype) for a in draw(loss, 12))
    for method in ("value", "gradient", *(["hessian"] if loss.smooth else [])):
        flat = getattr(loss, method)(y, eta, np)
        square = getattr(loss, method)(y.reshape(4, 3), eta.reshape(4, 3), np)
        assert flat.dtype == dtype
        assert_array_equal(flat.reshape(4, 3), square)


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_huge_predictors_give_no_nan_and_no_warning(loss):
    y, _ = draw(loss)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for size in (1e3, 1e4, 1e8):
            for eta in (np.full_like(y, size), np.full_like(y, -size)):
                value, slope = loss.value(y, eta, np), loss.gradient(y, eta, np)
                assert not np.isnan(value).any()
                assert not np.isnan(slope).any()
                if not isinstance(loss, LogLinkLoss):
                    assert np.isfinite(value).all()


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_losses_clone_and_pickle(loss):
    for copy in (clone(loss), pickle.loads(pickle.dumps(loss))):
        assert type(copy) is type(loss)
        assert copy.get_params() == loss.get_params()


@pytest.mark.parametrize("loss", [*ALL, Softmax(), OneVsRest(Hinge())], ids=repr)
def test_torch_arrays_give_the_same_numbers(loss):
    torch = pytest.importorskip("torch")
    xp = pytest.importorskip("sklearn.externals.array_api_compat.torch")
    y, eta = draw(loss, 60)
    s = np.random.RandomState(1).uniform(0.5, 2, 60)
    if isinstance(loss, Softmax | OneVsRest):
        y, eta = np.arange(60.0) % 3, np.stack([eta, -eta, eta**2], axis=1)
    ty, te, ts = torch.asarray(y), torch.asarray(eta), torch.asarray(s)
    for method in ("value", "gradient", *(["hessian"] if loss.smooth else [])):
        got = getattr(loss, method)(ty, te, xp)
        assert_allclose(got.numpy(), getattr(loss, method)(y, eta, np), rtol=1e-13, atol=1e-15)
    assert_allclose(loss.start(ty, ts, xp), loss.start(y, s, np), rtol=1e-9, atol=1e-9)
    assert_allclose(loss.unit(ty, ts, xp), loss.unit(y, s), rtol=1e-13)
    if loss.has_proba:
        assert_allclose(loss.proba(te, xp).numpy(), loss.proba(eta, np), rtol=1e-13)


# ---- formulas, against other people's code ----


def test_regression_values_match_scikit_learn_and_scipy():
    y, eta = draw(SquaredError())

    def mean(loss):
        return loss.value(y, eta, np).mean()

    assert_allclose(mean(SquaredError()), metrics.mean_squared_error(y, eta) / 2)
    assert_allclose(mean(AbsoluteError()), metrics.mean_absolute_error(y, eta))
    assert_allclose(mean(Quantile(0.2)), metrics.mean_pinball_loss(y, eta, alpha=0.2))
    assert_allclose(mean(Huber(0.7)), special.huber(0.7, eta - y).mean())
    assert_allclose(mean(LogCosh(0.5)), 0.25 * np.log(np.cosh((eta - y) / 0.5)).mean())


@pytest.mark.parametrize("power", [0, 1, 1.3, 1.5, 2, 2.5, 3])
def test_tweedie_is_half_of_scikit_learns_deviance(power):
    loss = Tweedie(power)
    y, eta = draw(Gamma()) if power >= 2 else draw(Poisson())
    deviance = metrics.mean_tweedie_deviance(y, np.exp(eta), power=power)
    assert_allclose(loss.value(y, eta, np).mean(), deviance / 2)
    if power in (1, 2):
        twin = Poisson() if power == 1 else Gamma()
        assert_allclose(twin.value(y, eta, np).mean(), deviance / 2)


def test_classification_values_match_scikit_learn():
    y, eta = draw(LogLoss())
    p = special.expit(eta)
    assert_allclose(LogLoss().value(y, eta, np).mean(), metrics.log_loss(y, p))
    assert_allclose(Hinge().value(y, eta, np).mean(), metrics.hinge_loss(y, eta))
    assert_allclose(
        SquaredHinge().value(y, eta, np), np.square(Hinge().value(y, eta, np)), rtol=1e-14
    )
    codes, scores = np.arange(60.0) % 3, np.random.RandomState(0).randn(60, 3)
    p = special.softmax(scores, axis=1)
    assert_allclose(Softmax().value(codes, scores, np).mean(), metrics.log_loss(codes, p))


@pytest.mark.parametrize(
    "loss, at, expected",
    [
        (Perceptron(), [-2.0, 0.0, 3.0], [2.0, 0.0, 0.0]),
        (ModifiedHuber(), [-3.0, -1.0, 0.0, 1.0, 2.0], [12.0, 4.0, 1.0, 0.0, 0.0]),
        (EpsilonInsensitive(0.5), [-1.0, 1.0, 1.5, 4.0], [1.5, 0.0, 0.0, 2.5]),
        (SquaredEpsilonInsensitive(0.5), [-1.0, 1.0, 1.5, 4.0], [2.25, 0.0, 0.0, 6.25]),
    ],
    ids=repr,
)
def test_values_worked_out_by_hand(loss, at, expected):
    assert_array_equal(loss.value(np.ones(len(at)), np.array(at), np), expected)


# Predictors on and beside every boundary, for a target of +1 and epsilon = 0.5; all
# differences are exact in binary.
BOUNDARY = [-3.0, -1.25, -1.0, -0.75, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75]


@pytest.mark.parametrize(
    "name", ["squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"]
)
def test_regression_slopes_move_scikit_learns_sgd(name):
    # With X = 0, one step of rate 1 changes the intercept by minus the slope.
    loss = resolve_loss(name, "regression", epsilon=0.5)
    for eta in BOUNDARY:
        sgd = SGDRegressor(
            name,
            epsilon=0.5,
            penalty=None,
            learning_rate="constant",
            eta0=1.0,
            max_iter=1,
            tol=None,
        )
        sgd.fit(np.zeros((1, 1)), [1.0], coef_init=[0.0], intercept_init=[eta])
        assert sgd.intercept_[0] == eta - loss.slope_at(1.0, eta), eta


@pytest.mark.parametrize(
    "name",
    [
        *("log_loss", "hinge", "modified_huber", "squared_hinge", "perceptron"),
        *("squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"),
    ],
)
def test_classification_slopes_move_scikit_learns_sgd(name):
    loss = resolve_loss(name, "classification", epsilon=0.5)
    for y in (-1.0, 1.0):
        for eta in np.array(BOUNDARY) * y:
            sgd = SGDClassifier(
                name,
                epsilon=0.5,
                penalty=None,
                learning_rate="constant",
                eta0=1.0,
                max_iter=1,
                tol=None,
                shuffle=False,
            )
            # The second row is there for its class only.
            sgd.fit(
                np.zeros((2, 1)),
                [y, -y],
                coef_init=[[0.0]],
                intercept_init=[eta],
                sample_weight=[1.0, 0.0],
            )
            assert_allclose(sgd.intercept_[0], eta - loss.slope_at(y, eta), rtol=1e-15, atol=1e-16)


@pytest.mark.parametrize(
    "loss, slopes", [(AbsoluteError(), [-1, 0, 1]), (Quantile(0.25), [-0.25, 0, 0.75])], ids=repr
)
def test_slope_on_the_target_is_zero(loss, slopes):
    assert_array_equal(loss.gradient(np.zeros(3), np.array([-1.0, 0.0, 1.0]), np), slopes)


def test_log_loss_keeps_its_digits_at_both_ends():
    y, eta = np.array([1.0, 1.0, -1.0]), np.array([40.0, -1000.0, -745.0])
    assert_allclose(LogLoss().value(y, eta, np), [np.exp(-40.0), 1000.0, np.exp(-745.0)])
    p = LogLoss().proba(np.array([-800.0, -40.0, 40.0]), np)
    assert_allclose(p[1:, 0], special.expit([40.0, -40.0]), rtol=1e-15)
    assert_array_equal(p[0], [1.0, 0.0])


def test_softmax_gradient_is_the_derivative_of_its_value():
    rng = np.random.RandomState(0)
    y, eta = np.arange(20.0) % 4, 3 * rng.randn(20, 4)
    slope = Softmax().gradient(y, eta, np)
    curve = Softmax().hessian(y, eta, np)
    for j in range(4):
        unit = np.eye(4)[j]
        numeric = derivative(lambda h, u=unit: Softmax().value(y, eta + h * u, np), 0.0)
        assert_allclose(slope[:, j], numeric, atol=1e-9)
        numeric = derivative(lambda h, u=unit: Softmax().gradient(y, eta + h * u, np), 0.0)
        assert_allclose(curve[:, j], numeric[:, j], atol=1e-9)
    assert_allclose(slope.sum(axis=1), 0, atol=1e-15)


def test_softmax_of_two_outputs_is_the_log_loss_of_their_difference():
    eta = np.random.RandomState(0).randn(30, 2)
    codes = np.arange(30.0) % 2
    assert_allclose(
        Softmax().value(codes, eta, np),
        LogLoss().value(2 * codes - 1, eta[:, 1] - eta[:, 0], np),
        rtol=1e-13,
    )
    assert Softmax().slope_at(1.0, -3.0) == pytest.approx(LogLoss().slope_at(1.0, -3.0), rel=1e-14)


def test_softmax_survives_huge_predictors():
    eta = np.array([[1e4, 0.0, -1e4], [1e-3, 0.0, 1e8]])
    assert_array_equal(Softmax().value(np.array([2.0, 2.0]), eta, np), [2e4, 0.0])
    assert np.isfinite(Softmax().gradient(np.array([2.0, 2.0]), eta, np)).all()


@pytest.mark.parametrize("loss", MARGIN + RESIDUAL, ids=repr)
def test_one_vs_rest_is_each_class_against_the_others(loss):
    codes, eta = np.arange(12.0) % 3, np.random.RandomState(0).randn(12, 3)
    model = OneVsRest(loss)
    assert model.codes
    for j in range(3):
        y = np.where(codes == j, 1.0, -1.0)
        for method in ("value", "gradient"):
            whole = getattr(model, method)(codes, eta, np)
            assert_array_equal(whole[:, j], getattr(loss, method)(y, eta[:, j], np))


@pytest.mark.parametrize("name", ["log_loss", "modified_huber"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_match_scikit_learns_sgd(name, n_classes):
    rng = np.random.RandomState(0)
    X, y = rng.randn(90, 2) * 3, np.arange(90) % n_classes
    sgd = SGDClassifier(name, random_state=0).fit(X, y)
    eta = sgd.decision_function(X)
    loss = LOSSES[name]()
    model = loss if n_classes == 2 else OneVsRest(loss)
    assert_allclose(model.proba(eta, np), sgd.predict_proba(X), rtol=1e-13, atol=1e-15)


def test_classes_without_any_probability_become_equal():
    eta = np.array([[-2.0, -1.0, -5.0], [1.0, -1.0, 0.0]])
    got = OneVsRest(ModifiedHuber()).proba(eta, np)
    assert_allclose(got, [[1 / 3] * 3, [2 / 3, 0, 1 / 3]], rtol=1e-15)


def test_softmax_probabilities_match_scipy():
    eta = np.random.RandomState(0).randn(5, 3) * 10
    assert_allclose(Softmax().proba(eta, np), special.softmax(eta, axis=1), rtol=1e-13)


def test_only_likelihoods_give_probabilities():
    assert {n for n, cls in LOSSES.items() if cls.has_proba} == {"log_loss", "modified_huber"}
