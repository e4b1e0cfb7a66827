"""Penalties obey their formulas, and their prox and violation mean what they say."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from sklearn.base import clone
from sklearn.linear_model import ElasticNet as SklearnElasticNet

from skgd.penalties import (
    L1,
    L2,
    PENALTIES,
    ElasticNet,
    NoPenalty,
    UserPenalty,
    resolve_penalty,
    soft_threshold,
    violation_lazy,
)

ALL = [NoPenalty(), L2(), L1(), ElasticNet(), ElasticNet(0.0), ElasticNet(0.6), ElasticNet(1.0)]
COEF = np.array([[-2.0, -0.3, 0.0, 0.1], [0.5, 0.0, -0.05, 7.0]])


def test_values_are_norms():
    assert L1().value(COEF, np) == pytest.approx(np.linalg.norm(COEF.ravel(), 1), rel=1e-15)
    assert L2().value(COEF, np) == pytest.approx(np.linalg.norm(COEF) ** 2 / 2, rel=1e-15)
    mixed = 0.6 * L1().value(COEF, np) + 0.4 * L2().value(COEF, np)
    assert ElasticNet(0.6).value(COEF, np) == pytest.approx(mixed, rel=1e-15)
    assert NoPenalty().value(COEF, np) == 0.0


@pytest.mark.parametrize("penalty", ALL, ids=repr)
def test_lazy_is_the_value_in_two_numbers(penalty):
    l1, l2 = penalty.lazy()
    expected = l1 * np.abs(COEF).sum() + l2 * np.square(COEF).sum() / 2
    assert penalty.value(COEF, np) == pytest.approx(expected, rel=1e-15)
    assert penalty.smooth == (l1 == 0)
    assert penalty.separable


@pytest.mark.parametrize("penalty", ALL, ids=repr)
def test_gradient_is_that_of_the_smooth_part(penalty):
    l2 = ElasticNet(0.0)
    scale = penalty.lazy()[1]
    for place in np.ndindex(COEF.shape):
        h = np.zeros_like(COEF)
        h[place] = 1e-4
        numeric = (l2.value(COEF + h, np) - l2.value(COEF - h, np)) / 2e-4
        assert penalty.gradient(COEF, np)[place] == pytest.approx(scale * numeric, abs=1e-10)


@pytest.mark.parametrize("penalty", ALL, ids=repr)
@pytest.mark.parametrize("t", [0.0, 0.2, 3.0])
def test_prox_minimises_distance_plus_the_part_that_is_not_smooth(penalty, t):
    l1 = penalty.lazy()[0]
    moved = penalty.prox(COEF, t, np)
    for w, u in zip(COEF.ravel(), moved.ravel(), strict=True):

        def cost(v, w=w):
            return (v - w) ** 2 / 2 + t * l1 * abs(v)

        oracle = minimize_scalar(cost, bounds=(-10, 10), options={"xatol": 1e-12})
        assert cost(u) <= oracle.fun + 1e-12


def test_prox_takes_one_step_per_coordinate():
    t = np.array([0.1, 0.2, 0.3, 0.4])
    for penalty in ALL:
        moved = penalty.prox(COEF, t, np)
        for j in range(4):
            assert_array_equal(moved[:, j], penalty.prox(COEF[:, j], t[j], np))


def test_prox_leaves_its_argument_and_its_dtype_alone():
    for dtype in (np.float32, np.float64):
        coef = COEF.astype(dtype)
        coef.flags.writeable = False
        for penalty in ALL:
            assert penalty.prox(coef, 0.2, np).dtype == dtype


def test_soft_threshold_gives_exact_zeros_without_sign():
    got = soft_threshold(np.array([-0.5, 0.5, -2.0, 2.0, 0.0]), 0.5, np)
    assert_array_equal(got, [0.0, 0.0, -1.5, 1.5, 0.0])
    assert not np.signbit(got[[0, 1, 4]]).any()


@pytest.mark.parametrize("penalty", ALL, ids=repr)
def test_violation_is_the_distance_to_the_subdifferential(penalty):
    # The distance of -grad to an interval, written out coordinate by coordinate.
    rng = np.random.RandomState(0)
    grad, alpha = rng.randn(*COEF.shape), 0.7
    l1, l2 = penalty.lazy()
    worst = 0.0
    for w, g in zip(COEF.ravel(), grad.ravel(), strict=True):
        low = alpha * (l2 * w + l1 * (1 if w > 0 else -1))
        high = alpha * (l2 * w + l1 * (-1 if w < 0 else 1))
        worst = max(worst, low - -g, -g - high)
    assert penalty.violation(COEF, grad, alpha, np) == pytest.approx(worst, rel=1e-14)


def test_violation_is_zero_at_scikit_learns_optimum():
    rng = np.random.RandomState(0)
    X = rng.randn(60, 8)
    y = X[:, :3] @ [1.0, -2.0, 0.5] + 0.1 * rng.randn(60)
    model = SklearnElasticNet(alpha=0.3, l1_ratio=0.6, tol=1e-14, max_iter=10**5).fit(X, y)
    w = model.coef_
    grad = X.T @ (X @ w + model.intercept_ - y) / 60
    assert (w == 0).any()
    assert ElasticNet(0.6).violation(w, grad, 0.3, np) < 1e-8
    assert ElasticNet(0.6).violation(w + 0.01, grad, 0.3, np) > 1e-3


def test_violation_takes_strengths_per_column():
    rng = np.random.RandomState(0)
    grad, l1, l2 = rng.randn(2, 4), rng.uniform(0, 1, 4), rng.uniform(0, 1, 4)
    columns = [violation_lazy(COEF[:, j], grad[:, j], l1[j], l2[j], np) for j in range(4)]
    assert violation_lazy(COEF, grad, l1, l2, np) == max(columns)


@pytest.mark.parametrize("penalty", ALL, ids=repr)
def test_penalties_clone_and_pickle(penalty):
    for copy in (clone(penalty), pickle.loads(pickle.dumps(penalty))):
        assert copy.lazy() == penalty.lazy()


@pytest.mark.parametrize("penalty", ALL, ids=repr)
def test_torch_arrays_give_the_same_numbers(penalty):
    torch = pytest.importorskip("torch")
    xp = pytest.importorskip("sklearn.externals.array_api_compat.torch")
    w = torch.asarray(COEF)
    grad, t = torch.asarray(COEF[::-1].copy()), torch.asarray([0.1, 0.2, 0.3, 0.4]).double()
    assert penalty.value(w, xp) == pytest.approx(penalty.value(COEF, np), rel=1e-14)
    assert_array_equal(penalty.gradient(w, xp).numpy(), penalty.gradient(COEF, np))
    for step in (0.2, t):
        assert_allclose(
            penalty.prox(w, step, xp).numpy(), penalty.prox(COEF, np.asarray(step), np), rtol=1e-15
        )
    expected = penalty.violation(COEF, COEF[::-1], 0.7, np)
    assert penalty.violation(w, grad, 0.7, xp) == pytest.approx(expected, rel=1e-14)


# ---- names and objects ----


def test_names_resolve_and_take_the_estimators_ratio():
    for name, cls in PENALTIES.items():
        penalty = resolve_penalty(name, l1_ratio=0.4)
        assert type(penalty) is cls
        assert penalty.name == name
        assert getattr(penalty, "l1_ratio", 0.4) == 0.4
    assert isinstance(resolve_penalty(None), NoPenalty)


def test_objects_keep_their_own_ratio_and_are_cloned():
    mine = ElasticNet(0.9)
    penalty = resolve_penalty(mine, l1_ratio=0.1)
    assert penalty is not mine
    assert penalty.l1_ratio == 0.9


@pytest.mark.parametrize(
    "spec, ratio, error, message",
    [
        ("l3", 0.15, ValueError, r"Unknown penalty='l3'. Known: 'l[12]'"),
        ("elasticnet", 1.5, ValueError, r"l1_ratio must be in \[0, 1\]; got 1.5"),
        ("elasticnet", None, TypeError, "l1_ratio must be a number; got None"),
        (ElasticNet(-0.1), 0.15, ValueError, r"l1_ratio must be in \[0, 1\]; got -0.1"),
        (L1, 0.15, TypeError, r"takes an instance; .* Write penalty=L1\(\)"),
        (3.0, 0.15, TypeError, "3.0 has no value and no prox"),
    ],
)
def test_what_cannot_be_a_penalty_is_refused(spec, ratio, error, message):
    with pytest.raises(error, match=message):
        resolve_penalty(spec, ratio)


def test_an_unused_ratio_is_not_checked():
    resolve_penalty("l2", l1_ratio=None)


class GroupLasso:
    """A user's penalty: the norm of each row."""

    def value(self, coef):
        return np.linalg.norm(coef, axis=-1).sum()

    def prox(self, coef, t):
        norm = np.linalg.norm(coef, axis=-1, keepdims=True)
        return coef * np.clip(1 - t / np.maximum(norm, 1e-300), 0, None)


class Lasso:
    """A user's own l1 penalty, asking for the namespace."""

    separable = True

    def value(self, coef, xp):
        return xp.sum(xp.abs(coef))

    def prox(self, coef, t, xp):
        return xp.sign(coef) * xp.maximum(xp.abs(coef) - t, 0.0)


@pytest.mark.parametrize("mine, separable", [(GroupLasso(), False), (Lasso(), True)])
def test_a_users_object_becomes_a_penalty(mine, separable):
    penalty = resolve_penalty(mine)
    assert (penalty.smooth, penalty.separable, penalty.lazy()) == (False, separable, None)
    assert isinstance(penalty.value(COEF, np), float)
    assert penalty.prox(COEF, 0.3, np).shape == COEF.shape
    assert_array_equal(penalty.gradient(COEF, np), np.zeros_like(COEF))
    for copy in (clone(penalty), pickle.loads(pickle.dumps(penalty))):
        assert copy.value(COEF, np) == penalty.value(COEF, np)


def test_a_users_violation_is_zero_where_the_shipped_one_is():
    rng = np.random.RandomState(0)
    # -grad is a subgradient of 0.7 ||w||_1: the sign where w is not 0, less elsewhere.
    grad = np.where(COEF != 0, -0.7 * np.sign(COEF), rng.uniform(-0.7, 0.7, COEF.shape))
    assert L1().violation(COEF, grad, 0.7, np) == 0
    assert UserPenalty(Lasso()).violation(COEF, grad, 0.7, np) < 1e-15
    assert UserPenalty(Lasso()).violation(COEF, grad + 0.1, 0.7, np) > 0.05


def test_a_prox_of_another_shape_is_refused():
    class Flat(GroupLasso):
        def prox(self, coef, t):
            return coef.ravel()

    with pytest.raises(ValueError, match=r"Flat.prox must return an array of shape \(2, 4\)"):
        UserPenalty(Flat()).prox(COEF, 0.1, np)
