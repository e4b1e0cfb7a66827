"""Update rules follow their papers, and PyTorch where it follows them too."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skgd.rules import (
    RULES,
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    AMSGrad,
    Momentum,
    NAdam,
    Nesterov,
    RMSProp,
    Rule,
)

RATE = 0.05
TARGET = np.array([1.0, -2.0, 0.0, 1e-2, 5.0])


def gradients(n_steps, seed=0):
    """Return gradients of very different sizes, one column always zero."""
    rng = np.random.RandomState(seed)
    return rng.randn(n_steps, 5) * [1.0, 1e-3, 0.0, 1e3, 0.1]


def moves(rule, grads):
    """Return the moves and metrics of a sequence of gradients."""
    vectors, scalars = rule.init(np.zeros(grads.shape[1]), np)
    done = [rule.update(g, vectors, scalars, t, np) for t, g in enumerate(grads, start=1)]
    return np.array([move for move, _ in done]), [metric for _, metric in done]


TORCH = [
    (SGD(), "SGD", {}),
    (Momentum(0.7), "SGD", {"momentum": 0.7}),
    (Nesterov(0.7), "SGD", {"momentum": 0.7, "nesterov": True}),
    (AdaGrad(1e-6), "Adagrad", {"eps": 1e-6}),
    (AdaDelta(0.8, 1e-4), "Adadelta", {"rho": 0.8, "eps": 1e-4}),
    (RMSProp(0.8, 1e-6), "RMSprop", {"alpha": 0.8, "eps": 1e-6}),
    (Adam(0.8, 0.95, 1e-6), "Adam", {"betas": (0.8, 0.95), "eps": 1e-6}),
    (
        NAdam(0.8, 0.95, 1e-6, 0.1),
        "NAdam",
        {"betas": (0.8, 0.95), "eps": 1e-6, "momentum_decay": 0.1},
    ),
]


@pytest.fixture
def torch():
    """PyTorch with float64 as its default: its NAdam keeps a product in that type."""
    module = pytest.importorskip("torch")
    before = module.get_default_dtype()
    module.set_default_dtype(module.float64)
    yield module
    module.set_default_dtype(before)


@pytest.mark.parametrize("rule, name, params", TORCH, ids=lambda p: str(p))
def test_twenty_steps_match_pytorch(torch, rule, name, params):
    theirs = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    optimizer = getattr(torch.optim, name)([theirs], lr=RATE, **params)
    grads = gradients(20)
    mine = np.zeros(5)
    for move, grad in zip(moves(rule, grads)[0], grads, strict=True):
        mine = mine - RATE * move
        theirs.grad = torch.asarray(grad)
        optimizer.step()
        assert_allclose(mine, theirs.detach().numpy(), rtol=1e-11, atol=1e-15)


def test_adamw_with_its_shrinkage_matches_pytorch(torch):
    start = np.array([3.0, -1.0, 0.5, 2.0, 0.0])
    theirs = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.AdamW([theirs], lr=RATE, weight_decay=0.3)
    grads = gradients(20)
    mine = start
    for move, grad in zip(moves(AdamW(), grads)[0], grads, strict=True):
        mine = (1 - RATE * 0.3) * mine - RATE * move
        theirs.grad = torch.asarray(grad)
        optimizer.step()
        assert_allclose(mine, theirs.detach().numpy(), rtol=1e-11)


def test_averaged_momentum_is_a_weighted_mean_of_gradients():
    grads = gradients(8)
    got = moves(Momentum(0.7, averaged=True), grads)[0]
    for t in range(1, 9):
        weights = 0.3 * 0.7 ** np.arange(t)[::-1]
        assert_allclose(got[t - 1], weights @ grads[:t], rtol=1e-13)


def test_amsgrad_follows_the_paper():
    # Written with sums over the past, so that no recurrence is repeated.
    grads = gradients(12)
    got, metrics = moves(AMSGrad(0.8, 0.9, 1e-7), grads)
    past = np.arange(12)
    v = [(0.1 * 0.9 ** past[:t][::-1]) @ grads[:t] ** 2 for t in range(1, 13)]
    for t in range(1, 13):
        m = (0.2 * 0.8 ** past[:t][::-1]) @ grads[:t]
        largest = np.max(v[:t], axis=0)
        assert_allclose(got[t - 1], m / (np.sqrt(largest) + 1e-7), rtol=1e-12)
        assert_allclose(metrics[t - 1], 1 / (np.sqrt(largest) + 1e-7), rtol=1e-12)


def test_amsgrad_rates_never_rise():
    metrics = np.array(moves(AMSGrad(), gradients(50))[1])
    assert (np.diff(metrics, axis=0) <= 0).all()


def test_first_adam_move_is_the_sign_of_the_gradient():
    move = moves(Adam(), np.array([[3.0, -1e-3]]))[0][0]
    assert_allclose(move, [1.0, -1.0], rtol=2e-5)


def test_nadam_remembers_its_product_less_one():
    rule = NAdam()
    vectors, scalars = rule.init(np.zeros(1), np)
    product = 1.0
    for t in (1, 2, 3):
        rule.update(np.ones(1), vectors, scalars, t, np)
        product *= 0.9 * (1 - 0.5 * 0.96 ** (t * 0.004))
        assert scalars[0] == pytest.approx(product - 1, rel=1e-15)


def test_adadelta_measures_moves_before_this_one():
    # Zeiler's algorithm 1, its first two steps by hand.
    rho, eps, g1, g2 = 0.9, 1e-3, 2.0, -1.0
    E1 = 0.1 * g1**2
    x1 = np.sqrt(eps) / np.sqrt(E1 + eps) * g1
    E2, D1 = rho * E1 + 0.1 * g2**2, 0.1 * x1**2
    x2 = np.sqrt(D1 + eps) / np.sqrt(E2 + eps) * g2
    got = moves(AdaDelta(rho, eps), np.array([[g1], [g2]]))[0]
    assert_allclose(got.ravel(), [x1, x2], rtol=1e-14)


ALL = [cls() for cls in RULES.values()] + [Momentum(averaged=True)]


@pytest.mark.parametrize("rule", ALL, ids=repr)
def test_metric_is_one_positive_number_per_coordinate_of_adaptive_rules(rule):
    _, metrics = moves(rule, gradients(3))
    assert all(bool(np.ndim(m)) == rule.adaptive for m in metrics)
    if rule.adaptive:
        assert all(m.shape == (5,) and (m > 0).all() and np.isfinite(m).all() for m in metrics)


@pytest.mark.parametrize("rule", [Momentum(0.7), Momentum(0.7, True), Nesterov(0.7)], ids=repr)
def test_metric_of_momentum_is_the_weight_of_gradients_in_the_move(rule):
    # Gradients of one give a move that is the sum of their weights.
    got, metrics = moves(rule, np.ones((8, 5)))
    assert_allclose(got, np.outer(metrics, np.ones(5)), rtol=1e-14)
    assert len(set(metrics)) == 8


@pytest.mark.parametrize("rule", ALL, ids=repr)
def test_a_coordinate_without_gradient_never_moves(rule):
    assert_array_equal(moves(rule, gradients(20))[0][:, 2], 0)


@pytest.mark.parametrize("rule", ALL, ids=repr)
def test_gradient_is_not_modified_and_moves_stay_as_they_were(rule):
    vectors, scalars = rule.init(np.zeros(5), np)
    grads = gradients(4)
    grads.flags.writeable = False
    kept = [rule.update(g, vectors, scalars, t, np)[0] for t, g in enumerate(grads, start=1)]
    assert_array_equal(kept, moves(rule, grads)[0])


@pytest.mark.parametrize("rule", ALL, ids=repr)
def test_memory_starts_at_zero_and_changes_in_place(rule):
    vectors, scalars = rule.init(np.ones(5), np)
    assert vectors.shape == (rule.n_vectors, 5)
    assert scalars.shape == (4,)
    assert vectors.dtype == scalars.dtype == np.float64
    assert not vectors.any()
    assert not scalars.any()
    rule.update(gradients(1)[0], vectors, scalars, 1, np)
    assert vectors[: rule.n_vectors - (rule.name == "adadelta")].any(axis=1).all()


@pytest.mark.parametrize("rule", ALL, ids=repr)
def test_resuming_equals_one_run(rule):
    grads = gradients(10)
    vectors, scalars = rule.init(np.zeros(5), np)
    for t in range(1, 6):
        rule.update(grads[t - 1], vectors, scalars, t, np)
    rule, vectors, scalars = pickle.loads(pickle.dumps((clone(rule), vectors, scalars)))
    later = [rule.update(grads[t - 1], vectors, scalars, t, np)[0] for t in range(6, 11)]
    assert_array_equal(later, moves(rule, grads)[0][5:])


@pytest.mark.parametrize("rule", ALL, ids=repr)
def test_a_rule_minimises_a_quadratic(rule):
    scale = np.array([1.0, 10.0, 1.0, 5.0, 0.5])
    theta = np.zeros(5)
    vectors, scalars = rule.init(theta, np)
    for t in range(1, 3001):
        move, _ = rule.update(scale * (theta - TARGET), vectors, scalars, t, np)
        # Adaptive moves do not shrink by themselves; AdaGrad's do, and AdaDelta's
        # first have to grow.
        rate = {"adadelta": 1.0, "adagrad": 1.0}.get(rule.name, 0.3 / t**0.5)
        theta = theta - (rate if rule.adaptive else 0.01) * move
    assert np.linalg.norm(theta - TARGET) < 0.01 * np.linalg.norm(TARGET)


@pytest.mark.parametrize("rule", ALL, ids=repr)
def test_torch_arrays_give_the_same_numbers(torch, rule):
    xp = pytest.importorskip("sklearn.externals.array_api_compat.torch")
    grads = gradients(5)
    vectors, scalars = rule.init(torch.zeros(5, dtype=torch.float64), xp)
    for t, expected in enumerate(moves(rule, grads)[0], start=1):
        move, _ = rule.update(torch.asarray(grads[t - 1]), vectors, scalars, t, xp)
        assert_allclose(move.numpy(), expected, rtol=1e-13)


def test_only_adamw_is_decoupled():
    assert [name for name, cls in RULES.items() if cls.decoupled] == ["adamw"]
    assert all(cls.name == name for name, cls in RULES.items())


@pytest.mark.parametrize(
    "rule, message",
    [
        (Momentum(1.0), r"momentum must be in \[0, 1\); got 1.0"),
        (Momentum(averaged=1), "averaged must be True or False; got 1"),
        (Nesterov(-0.1), r"momentum must be in \[0, 1\); got -0.1"),
        (AdaGrad(0.0), "epsilon must be positive; got 0.0"),
        (AdaDelta(decay=1.0), r"decay must be in \[0, 1\); got 1.0"),
        (RMSProp(epsilon=-1e-8), "epsilon must be positive; got -1e-08"),
        (Adam(beta_1=1.0), r"beta_1 must be in \[0, 1\); got 1.0"),
        (AMSGrad(beta_2=1.5), r"beta_2 must be in \[0, 1\); got 1.5"),
        (AdamW(epsilon="x"), "epsilon must be a number; got 'x'"),
        (NAdam(momentum_decay=-1), "momentum_decay must be at least 0; got -1"),
        (NAdam(beta_2=float("nan")), r"beta_2 must be in \[0, 1\); got nan"),
    ],
    ids=repr,
)
def test_bad_parameters_are_named(rule, message):
    with pytest.raises((ValueError, TypeError), match=message):
        rule.check()


@pytest.mark.parametrize("rule", ALL, ids=repr)
def test_default_parameters_pass(rule):
    rule.check()


def test_only_shipped_classes_have_a_compiled_twin():
    class Mine(Adam):
        pass

    class Plain(Rule):
        pass

    assert Mine().compiled() is None
    assert Plain().compiled() is None


@pytest.mark.parametrize("rule", ALL, ids=repr)
def test_compiled_twin_has_the_same_memory(rule):
    pytest.importorskip("skgd._kernels")
    move = rule.compiled()
    assert move.n_vectors == rule.n_vectors
    assert move.decoupled == rule.decoupled
    assert move.adaptive == rule.adaptive
