"""Rules and solvers are methods of SciPy's minimize, on any function."""

import copy
import inspect
import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize
from scipy.optimize import Bounds, OptimizeResult, minimize, rosen, rosen_der
from sklearn.base import clone

from skgd import GDClassifier, GDRegressor
from skgd.landscapes import Beale, DoubleWell, Himmelblau, Quadratic, Saddle
from skgd.rules import RULES, Rule
from skgd.schedules import Cosine, Exponential
from skgd.solvers import (
    AGD,
    FTRL,
    GD,
    LBFGS,
    SAG,
    SDCA,
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    Hedge,
    Momentum,
    NAdam,
    Nesterov,
    Newton,
    RMSProp,
    Smoothing,
    Stochastic,
)

X0 = np.array([-1.2, 1.0])
BOWL = Quadratic(10.0, rotation=0.4)
OWN = {name: cls() for name, cls in RULES.items()}
METHODS = [GD(), AGD(), LBFGS(), *OWN.values()]
every = pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)


@pytest.fixture
def torch():
    """PyTorch in float64, which its NAdam keeps a product in."""
    found = pytest.importorskip("torch")
    before = found.get_default_dtype()
    found.set_default_dtype(found.float64)
    yield found
    found.set_default_dtype(before)


# ---- the same steps as elsewhere ----


@pytest.mark.parametrize(
    "method, name, given, rate",
    [
        (SGD(), "SGD", {}, 1e-3),
        (Momentum(0.8), "SGD", {"momentum": 0.8}, 1e-4),
        (Nesterov(0.8), "SGD", {"momentum": 0.8, "nesterov": True}, 1e-4),
        (AdaGrad(), "Adagrad", {"eps": 1e-10}, 0.1),
        (AdaDelta(), "Adadelta", {"rho": 0.95, "eps": 1e-6}, 1.0),
        (RMSProp(), "RMSprop", {"alpha": 0.9, "eps": 1e-8}, 1e-3),
        (Adam(), "Adam", {}, 1e-2),
        (AdamW(), "AdamW", {"weight_decay": 0.0}, 1e-2),
        (NAdam(), "NAdam", {}, 1e-2),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, Rule) else "",
)
def test_path_on_rosenbrock_is_that_of_pytorch(torch, method, name, given, rate):
    x = torch.tensor(X0, requires_grad=True)
    theirs, path = getattr(torch.optim, name)([x], lr=rate, **given), [X0]
    for _ in range(200):
        theirs.zero_grad()
        ((1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2).backward()
        theirs.step()
        path.append(x.detach().numpy().copy())
    method.set_params(learning_rate=rate, max_iter=200)
    ours = minimize(rosen, X0, jac=rosen_der, method=method, options={"return_path": True})
    assert ours.path.shape == (201, 2)
    assert_allclose(ours.path, path, rtol=0, atol=1e-10)
    assert_allclose(ours.path_fun, [rosen(z) for z in ours.path])


def test_gradient_descent_on_a_bowl_is_the_closed_form():
    found = minimize(BOWL, [1.0, 2.0], jac=BOWL.gradient, method=GD(0.1, 30))
    power = np.linalg.matrix_power(np.eye(2) - 0.1 * BOWL.matrix, 30)
    assert_allclose(found.x, power @ [1.0, 2.0], rtol=1e-12)
    assert (found.nit, found.status, found.success) == (30, 1, False)


def test_a_schedule_multiplies_the_steps():
    def slope(x):
        return np.ones(1)

    for schedule, total in [
        (Exponential(0.5), 0.1 * (1 - 0.5**4) / 0.5),
        (lambda t: 0.1 / t, 0.1 * (1 + 1 / 2 + 1 / 3 + 1 / 4)),
        (Cosine(), sum(0.05 * (1 + np.cos(np.pi * k / 4)) for k in range(4))),
    ]:
        method = SGD(learning_rate=schedule, max_iter=4)
        found = minimize(np.sum, [5.0], jac=slope, method=method, options={"eta0": 0.1})
        assert_allclose(5.0 - found.x, total)


# ---- the optimum ----


@pytest.mark.parametrize("method", [GD(), AGD(), LBFGS()], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize(
    "f, x0", [(Beale(), [1.0, 1.0]), (Himmelblau(), [0.0, 0.0]), (DoubleWell(0.2), [0.3])]
)
def test_solvers_without_a_rate_find_a_minimum_of_what_is_not_convex(method, f, x0):
    found = minimize(f, x0, jac=f.gradient, method=method, tol=1e-8, options={"return_path": True})
    assert found.success
    assert np.abs(f.minima - found.x).max(axis=1).min() < 1e-6
    assert (np.diff(found.path_fun) <= 1e-12).all()  # F never rises


@pytest.mark.parametrize("method", [GD(), AGD(), LBFGS()], ids=lambda m: type(m).__name__)
def test_solvers_without_a_rate_walk_rosenbrock_s_valley(method):
    found = minimize(rosen, X0, jac=rosen_der, method=method)
    theirs = minimize(rosen, X0, jac=rosen_der, method="BFGS")
    assert found.success
    assert_allclose(found.x, theirs.x, atol=1e-4)


@every
def test_every_method_goes_down_without_being_told_a_rate(method):
    found = minimize(BOWL, [1.0, 1.0], jac=BOWL.gradient, method=method)
    # AdaGrad's and AdaDelta's first moves are tiny by their definition.
    slow = isinstance(method, (AdaGrad, AdaDelta))
    assert found.fun < (0.9 if slow else 0.05) * BOWL([1.0, 1.0])
    assert found.fun_best <= found.fun


@pytest.mark.parametrize(
    "method", [GD(), AGD(), SGD(0.05), Momentum(learning_rate=0.02), Adam(learning_rate=0.05)]
)
@pytest.mark.parametrize(
    "bounds", [[(None, -0.5), (0.3, 2.0)], Bounds([-np.inf, 0.3], [-0.5, 2.0])]
)
def test_bounds_are_kept_and_the_optimum_within_is_found(method, bounds):
    seen = []

    def watched(x):
        seen.append(x)
        return BOWL(x)

    found = minimize(watched, [1.0, 1.0], jac=BOWL.gradient, method=method, bounds=bounds)
    theirs = minimize(BOWL, [-1.0, 1.0], jac=BOWL.gradient, bounds=bounds, method="L-BFGS-B")
    assert found.success
    assert_allclose(found.x, theirs.x, atol=1e-4)
    assert all(x[0] <= -0.5 and 0.3 <= x[1] <= 2.0 for x in seen)


def test_differences_keep_within_bounds():
    def root(x):
        assert x[0] <= 1.0
        return -np.sqrt(x[0])

    found = minimize(root, [0.5], method=GD(), bounds=[(0.1, 1.0)])
    assert found.success
    assert found.x == [1.0]


# ---- SciPy's manners ----


@every
def test_differences_and_both_in_one_give_what_a_gradient_gives(method):
    def both(x):
        return rosen(x), rosen_der(x)

    options = {"maxiter": 5}
    by_hand = minimize(rosen, X0, jac=rosen_der, method=method, options=options)
    in_one = minimize(both, X0, jac=True, method=method, options=options)
    by_differences = minimize(rosen, X0, method=method, options=options)
    assert_array_equal(in_one.x, by_hand.x)
    assert_allclose(by_differences.x, by_hand.x, rtol=1e-3)
    assert_array_equal(method(both, X0, jac=True, maxiter=5).x, by_hand.x)


@every
def test_the_counts_are_the_calls(method):
    calls = {"fun": 0, "jac": 0}

    def fun(x, a):
        calls["fun"] += 1
        return a * BOWL(x)

    def jac(x, a):
        calls["jac"] += 1
        return a * BOWL.gradient(x)

    found = minimize(fun, [1.0, 1.0], args=(2.0,), jac=jac, method=method)
    assert isinstance(found, OptimizeResult)
    assert (found.nfev, found.njev) == (calls["fun"], calls["jac"])
    assert_allclose(found.fun, 2 * BOWL(found.x))
    assert_allclose(found.jac, 2 * BOWL.gradient(found.x))
    if isinstance(method, Rule) and method.adaptive:
        assert found.nfev == found.njev == found.nit + 1


def test_both_signatures_of_a_callback_are_told_each_step_and_may_stop():
    seen, whole = [], []

    def old(xk):
        seen.append(xk)
        if len(seen) == 3:
            raise StopIteration

    def new(intermediate_result):
        whole.append(intermediate_result.fun)

    one = minimize(rosen, X0, jac=rosen_der, method=GD(), callback=old)
    assert (one.nit, one.status, one.success) == (3, 99, False)
    assert_array_equal(seen[-1], one.x)
    two = minimize(rosen, X0, jac=rosen_der, method=GD(max_iter=5), callback=new)
    assert len(whole) == 5
    assert whole[-1] == two.fun


def test_the_last_and_the_best_point_are_both_returned():
    f = Quadratic(1.0)
    found = minimize(f, [1.0, 0.0], jac=f.gradient, method=SGD(2.5, 5))
    assert_allclose(found.x, [(-1.5) ** 5, 0.0])
    assert_array_equal(found.x_best, [1.0, 0.0])
    assert found.fun_best == 0.5


@pytest.mark.parametrize("method", [SGD(1.0), GD(1.0), AGD(1.0), Momentum(learning_rate=1.0)])
def test_divergence_can_be_watched_and_says_so_without_a_storm(method):
    def powers(x):  # Python numbers raise where NumPy's overflow
        x, y = map(float, x)
        return (1 - x) ** 2 + 100 * (y - x**2) ** 2

    for fun, jac in ((rosen, rosen_der), (powers, None)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            options = {"return_path": True}
            found = minimize(fun, X0, jac=jac, method=method, options=options)
        assert (found.success, found.status) == (False, 3)
        assert "rate is too large" in found.message
        assert found.path_fun[1] > 1e3 * found.path_fun[0]
        assert np.isfinite(found.x_best).all()


def test_a_guard_goes_back_and_warns_once():
    options = {"guard": True, "return_path": True}
    with pytest.warns(match="too large for this function: with learning_rate=1.0") as caught:
        found = minimize(rosen, X0, jac=rosen_der, method=SGD(1.0), options=options)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert found.fun < rosen(X0)


def test_noise_leaves_a_saddle_where_a_plain_descent_stays():
    f = Saddle()
    stays = minimize(f, [1.0, 0.0], jac=f.gradient, method=SGD(0.1, 100))
    assert stays.success
    assert_allclose(stays.x, 0.0, atol=1e-4)
    options = {"noise": 0.01, "random_state": 0}
    leaves = [
        minimize(f, [1.0, 0.0], jac=f.gradient, method=SGD(0.1, 100), options=options)
        for _ in range(2)
    ]
    assert abs(leaves[0].x[1]) > 10
    assert_array_equal(leaves[0].x, leaves[1].x)


def test_noise_has_the_size_that_is_asked_for():
    def flat(x):
        return 0.0

    options = {"noise": 0.3, "random_state": 1, "return_path": True}
    jac = np.zeros_like
    found = minimize(flat, np.zeros(50), jac=jac, method=SGD(1.0, 400), options=options)
    assert_allclose(np.diff(found.path, axis=0).std(), 0.3, rtol=0.02)


def test_clipping_bounds_the_first_move():
    for method in (SGD(1.0, 1), GD(1.0, 1)):
        one = minimize(rosen, X0, jac=rosen_der, method=method, options={"clip_norm": 0.1})
        assert_allclose(np.linalg.norm(one.x - X0), 0.1)
        two = minimize(rosen, X0, jac=rosen_der, method=method, options={"clip_value": 0.2})
        assert_allclose(np.abs(two.x - X0), 0.2)


def test_a_start_at_the_optimum_takes_no_step():
    found = minimize(BOWL, [0.0, 0.0], jac=BOWL.gradient, method=Adam(), options={"disp": True})
    assert (found.nit, found.success) == (0, True)
    assert_array_equal(minimize(np.square, 0.0, method=GD()).x, [0.0])  # a scalar start


def test_a_rule_of_the_user_s_own_is_a_method_too():
    class Sign(Rule):
        def update(self, grad, vectors, scalars, t, xp):
            return xp.sign(grad), None

    options = {"maxiter": 3, "learning_rate": 0.5}
    found = minimize(np.sum, [1.0, 2.0], jac=np.ones_like, method=Sign(), options=options)
    assert_array_equal(found.x, [-0.5, 0.5])
    wrapped = minimize(rosen, X0, jac=rosen_der, method=Stochastic(Adam(learning_rate=0.1)))
    plain = minimize(rosen, X0, jac=rosen_der, method=Adam(learning_rate=0.1))
    assert_array_equal(wrapped.x, plain.x)


# ---- what is refused ----


@pytest.mark.parametrize(
    "method", [SAG(), SDCA(), Newton(), FTRL(), Hedge(), Smoothing()], ids=lambda m: repr(m)
)
def test_solvers_that_need_rows_say_so_and_name_those_that_do_not(method):
    with pytest.raises(ValueError, match=f"^{type(method).__name__} works on the rows.*AGD.*SGD"):
        minimize(rosen, X0, method=method)


@pytest.mark.parametrize(
    "method, given, message",
    [
        (Adam(), {"options": {"gtol": 1}}, "no option 'gtol'. Known: 'maxiter', 'tol'"),
        (Adam(), {"options": {"maxiter": 0}}, "maxiter must be at least 1; got 0"),
        (Adam(max_iter=5), {"options": {"maxiter": 5}}, "maxiter is given twice"),
        (Adam(learning_rate=-1.0), {}, "learning_rate must be positive; got -1"),
        (Adam(learning_rate=0.1), {"options": {"eta0": 0.1}}, "are two rates"),
        (Adam(learning_rate="optimal"), {}, "divides by the strength of a penalty"),
        (Adam(beta_1=2.0), {}, "beta_1 must be in"),
        (GD(), {"options": {"noise": 0.1}}, "noise is for rules"),
        (LBFGS(), {"bounds": [(0, 1)] * 2}, "LBFGS keeps no bounds"),
        (LBFGS(), {"options": {"eta0": 0.1}}, "finds the length of each step"),
        (GD(), {"bounds": [(0, 1)]}, "a pair .* for each of the 2 entries"),
        (GD(), {"bounds": [(1, 0)] * 2}, "low <= high"),
        (GD(), {"constraints": {"type": "eq", "fun": np.sum}}, "no use for constraints.*SLSQP"),
        (GD(), {"hess": optimize.rosen_hess}, "no use for hess.*trust-ncg"),
        (GD(), {"jac": lambda x: np.ones(3)}, r"lambda.*gradient of shape \(2,\).*shape \(3,\)"),
        (
            GD(),
            {"jac": lambda x: np.full(2, np.nan)},
            r"gradient, by .*lambda.* must be finite at x0=\[.*shape",
        ),
        (GD(), {"x0": [np.nan, 1.0]}, "x0 must hold finite numbers"),
    ],
)
def test_what_would_be_ignored_or_is_wrong_is_refused(method, given, message):
    given = {"x0": X0, "jac": rosen_der, **given}
    with pytest.raises(ValueError, match=message):
        minimize(rosen, method=method, **given)


class Plain(Rule):
    """Without parameters, as Python's own constructor is."""

    def update(self, grad, vectors, scalars, t, xp):
        return grad, None


@pytest.mark.parametrize("method", [Adam, GD, Newton, Plain])
def test_a_class_is_not_yet_a_method(method):
    with pytest.raises(TypeError, match=rf"Write method={method.__name__}\(\)"):
        minimize(rosen, X0, method=method)


def test_constructors_are_what_they_were():
    assert str(inspect.signature(Plain)) == "()"
    assert "beta_1" in inspect.signature(Adam).parameters
    for wrong in (lambda: Plain(1), lambda: Plain(rate=1), lambda: Adam(rate=1)):
        with pytest.raises(TypeError, match=r"takes no arguments|argument 'rate'"):
            wrong()
    for made in (Plain(), Adam(beta_1=0.5)):
        for copied in (clone(made), pickle.loads(pickle.dumps(made)), copy.copy(made)):
            assert repr(copied) == repr(made)


def test_a_function_that_gives_no_number_is_named():
    def pair(x):
        return x

    with pytest.raises(ValueError, match=r"pair must return one real number; at x of shape \(2,\)"):
        minimize(pair, X0, method=GD())


def test_a_gradient_may_come_in_the_same_array_again_and_again():
    room = np.empty(2)

    def jac(x):
        room[:] = BOWL.gradient(x)
        return room

    for method in (AGD(), LBFGS(), Adam(learning_rate=0.1, max_iter=50)):
        own = minimize(BOWL, [1.0, 1.0], jac=jac, method=method)
        assert_array_equal(own.x, minimize(BOWL, [1.0, 1.0], jac=BOWL.gradient, method=method).x)


def test_a_gradient_that_is_lost_on_the_way_ends_the_run():
    def jac(x):
        return BOWL.gradient(x) if x[0] > 0.5 else np.full(2, np.nan)

    found = minimize(BOWL, [1.0, 1.0], jac=jac, method=SGD(0.05))
    assert (found.success, found.status) == (False, 3)
    assert np.isfinite(found.x_best).all()


@pytest.mark.parametrize("est", [GDRegressor, GDClassifier])
def test_estimators_refuse_what_minimize_alone_takes(est):
    X, y = np.arange(8.0).reshape(4, 2), np.array([0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"Adam\(learning_rate=0.1\).*eta0=.*to the estimator"):
        est(solver=Adam(learning_rate=0.1)).fit(X, y)
    with pytest.raises(ValueError, match=r"LBFGS\(max_iter=5\).*give max_iter=.*to the estimator"):
        est(solver=LBFGS(max_iter=5)).fit(X, y)
    with pytest.raises(TypeError, match="learning_rate must be a name, a schedule or a function"):
        est(solver="adam", learning_rate=Adam()).fit(X, y)
