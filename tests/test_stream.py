"""A stream is a fit in parts: k calls of partial_fit are k passes, and a pickle is no pause."""

import copy
import pickle
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from solver_names import RULED, STREAMING

from skgd import GDClassifier, GDRegressor
from skgd.schedules import Cosine, Step
from skgd.solvers import GD, Adam

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL_RATE = {"adagrad": 0.1, "adadelta": 1.0, "momentum": 0.002, "nesterov": 0.002}
K = 4


def assert_same_model(a, b):
    # Small calls of these work in the user's variables.
    rounding = 1e-12 if b.solver in ("hedge", "sgd") else 0.0
    assert_allclose(a.coef_, b.coef_, rtol=rounding)
    assert_allclose(a.intercept_, b.intercept_, rtol=rounding)
    assert a.t_ == b.t_


def in_parts(est, X, y, calls=K):
    classes = {"classes": np.unique(y)} if isinstance(est, GDClassifier) else {}
    for _ in range(calls):
        est.partial_fit(X, y, **classes)
    return est


def both_ways(make, X, y):
    """Return ``fit`` of K passes and K calls of ``partial_fit``, as fitted estimators."""
    once = make().set_params(max_iter=K, tol=None, shuffle=False).fit(X, y)
    parts = make().set_params(max_iter=K, shuffle=False)
    return once, in_parts(parts, X, y)


@pytest.mark.parametrize("kind", ["regression", "targets", "binary", "classes"])
@pytest.mark.parametrize(
    "solver, eta0", [*((s, "auto") for s in STREAMING), *((s, "given") for s in RULED)]
)
def test_calls_of_partial_fit_are_passes_of_fit(rows, target, solver, kind, eta0):
    X = rows(40, 5)
    y = target(X, kind)
    cls = GDClassifier if kind in ("binary", "classes") else GDRegressor
    rate = SMALL_RATE.get(solver, 0.01) if eta0 == "given" else "auto"
    make = partial(cls, solver=solver, eta0=rate, random_state=0)
    assert_same_model(*both_ways(make, X, y))


@pytest.mark.parametrize("eta0", [0.01, "auto"])
@pytest.mark.parametrize("solver", ["sgd", "momentum", "adam", "adamw"])
@pytest.mark.parametrize(
    "params",
    [
        {"average": True},
        {"average": 55},
        {"average": True, "penalty": "l1", "alpha": 0.05},
        {"penalty": "elasticnet", "alpha": 0.1},
        {"penalty": None, "fit_intercept": False},
        {"batch_size": 7},
        {"batch_size": 40},
        {"clip_norm": 0.1},
        {"clip_value": 0.05, "batch_size": 1},
        {"learning_rate": "invscaling"},
        {"learning_rate": "cosine"},
        {"learning_rate": Step(every=2, factor=0.1, warmup=1)},
        {"learning_rate": Cosine(restart_every=3)},
        {"learning_rate": "one_cycle"},
        {"loss": "huber", "epsilon": 0.5},
        {"loss": "quantile"},
        {"loss": "poisson"},
    ],
    ids=str,
)
def test_options_do_not_tell_parts_from_one_run(rows, target, solver, params, eta0):
    X = rows(40, 5)
    y = np.abs(target(X, "regression"))
    make = partial(GDRegressor, solver=solver, eta0=eta0, random_state=0, **params)
    assert_same_model(*both_ways(make, X, y))


@pytest.mark.parametrize("solver", ["sgd", "momentum", "nesterov"])
def test_steps_of_the_optimal_rate_are_counted_through_the_calls(rows, target, solver):
    # Its first rates are large: a loss of bounded slope keeps the guard out of this.
    X = rows(40, 5)
    y = target(X, "binary")
    make = partial(GDClassifier, "hinge", solver=solver, learning_rate="optimal", alpha=1.0)
    assert_same_model(*both_ways(make, X, y))


@pytest.mark.parametrize(
    "solver, eta0", [*((s, "auto") for s in STREAMING), *((s, 0.01) for s in RULED)]
)
def test_homes_do_not_tell_parts_from_one_run(rows, target, house, solver, eta0):
    X = rows(40, 5)
    y = target(X, "binary")
    make = partial(GDClassifier, solver=solver, eta0=eta0, random_state=0)
    once, parts = both_ways(make, house(X), y)
    assert_same_model(once, parts)
    assert parts.coef_.dtype == X.astype(house(X).dtype).dtype


@pytest.mark.parametrize("solver", RULED)
def test_going_on_after_fit_is_one_longer_fit(rows, target, solver):
    X = rows(40, 5)
    y = target(X, "regression")
    options = {"solver": solver, "shuffle": False, "tol": None, "average": True, "eta0": 1e-3}
    longer = GDRegressor(max_iter=5, **options).fit(X, y)
    shorter = GDRegressor(max_iter=3, **options).fit(X, y)
    assert_same_model(longer, in_parts(shorter, X, y, 2))


@pytest.mark.parametrize("store", [lambda e: pickle.loads(pickle.dumps(e)), copy.deepcopy])
@pytest.mark.parametrize(
    "solver, eta0, average",
    [
        *((s, eta0, True) for s in ("auto", *RULED) for eta0 in (0.01, "auto")),
        ("hedge", "auto", False),
    ],
)
def test_a_pickle_in_mid_stream_changes_nothing(rows, target, solver, eta0, average, store):
    X = rows(90, 5)
    y = target(X, "classes")
    chunks = [(X[i : i + 30], y[i : i + 30]) for i in (0, 30, 60)] * 2
    make = partial(GDClassifier, solver=solver, eta0=eta0, average=average, random_state=3)
    one, other = make(), make()
    for chunk in chunks:
        one.partial_fit(*chunk, classes=[0, 1, 2])
        other = store(other.partial_fit(*chunk, classes=[0, 1, 2]))
    assert_same_model(one, other)
    other.partial_fit(X, y)
    assert one.t_ < other.t_


def test_a_model_read_from_a_map_of_a_file_goes_on_learning(rows, target, tmp_path):
    joblib = pytest.importorskip("joblib")
    X = rows(60, 5)
    y = target(X, "binary")
    est = in_parts(GDClassifier(solver="adam", random_state=0), X, y, 2)
    joblib.dump(est, tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    before = est.coef_.copy()
    mapped.partial_fit(X, y)
    assert_same_model(mapped, copy.deepcopy(est).partial_fit(X, y))
    assert_array_equal(joblib.load(tmp_path / "model").coef_, before)


@pytest.mark.parametrize("solver", STREAMING)
def test_the_seed_decides_the_order_of_a_stream(rows, target, solver):
    X = rows(60, 5)
    y = target(X, "regression")
    a, b, c = (in_parts(GDRegressor(solver=solver, random_state=s), X, y) for s in (0, 0, 1))
    assert_same_model(a, b)
    assert not np.array_equal(a.coef_, c.coef_)


@pytest.mark.parametrize(
    "solver, home",
    [
        *((s, np.asarray) for s in ["auto", *STREAMING]),
        ("sgd", sp.csr_array),
        ("adam", sp.csr_array),
    ],
)
def test_chunks_of_a_stream_lead_near_the_optimum(rows, target, F, solver, home):
    X = rows(3000, 5)
    y = target(X, "binary")
    est = GDClassifier(solver=solver, random_state=0, penalty=None)
    for _ in range(4):
        for i in range(0, len(X), 150):
            est.partial_fit(home(X[i : i + 150]), y[i : i + 150], classes=[0, 1])
    oracle = LogisticRegression(C=1e9).fit(X, y)
    options = {"loss": "log_loss", "alpha": 0}
    best = F(X, 2 * y - 1, oracle.coef_, oracle.intercept_, **options)
    got = F(X, 2 * y - 1, est.coef_, est.intercept_, **options)
    # Those have rates from the first call, or rates that never fall.
    assert got - best < (0.03 if solver in ("auto", "hedge", "ftrl") else 0.02) * (np.log(2) - best)


def test_raw_columns_of_a_stream_are_learnt_as_they_come(rows, target):
    X = rows(3000, 4)
    y = target(X, "regression")
    raw = X * [1e-3, 1, 1e3, 1e5] + [0, 50, 1e5, 0]
    est = GDRegressor(random_state=0)
    for i in range(0, 3000, 100):
        est.partial_fit(raw[i : i + 100], y[i : i + 100])
    assert est.score(raw, y) > 0.95 * GDRegressor().fit(X, y).score(X, y)


def test_one_row_at_a_time_is_a_stream_too(rows, target):
    X = rows(150, 5)
    y = target(X, "regression")
    est = GDRegressor(solver="sgd", random_state=0)
    for i in range(150):
        est.partial_fit(X[i : i + 1], y[i : i + 1])
        assert np.isfinite(est.coef_).all()
    assert est.t_ == 151
    assert est.score(X, y) > 0.7


def test_textbook_steps_in_one_row_calls_are_steps_of_one_pass(rows, target):
    X = rows(40, 5)
    y = target(X, "regression")
    options = {"solver": "sgd", "eta0": 0.01, "shuffle": False, "max_iter": 1, "tol": None}
    one = GDRegressor(**options).fit(X, y)
    other = GDRegressor(**options)
    for i in range(40):
        other.partial_fit(X[i : i + 1], y[i : i + 1])
    assert_allclose(other.coef_, one.coef_, rtol=1e-12)


@pytest.mark.parametrize("eta0", [0.01, "auto"])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_rows_of_weight_zero_leave_a_stream_as_it_is(rows, target, solver, eta0):
    X = rows(80, 5)
    y = target(X, "regression")
    s = np.repeat([1.0, 0.0], 40)
    options = {"solver": solver, "eta0": eta0, "shuffle": False}
    X_wild = X.copy()
    X_wild[40:] *= 1e6
    some = GDRegressor(**options).partial_fit(X_wild, y, sample_weight=s)
    assert_same_model(some, GDRegressor(**options).partial_fit(X[:40], y[:40]))


def test_a_weight_of_a_stream_multiplies_the_slope():
    # In a stream the mean weight is not known, so weights are taken as they are.
    X, y = np.array([[1.0], [1.0]]), np.array([1.0, 0.0])
    options = {"solver": "sgd", "eta0": 0.1, "penalty": None, "shuffle": False}
    est = GDRegressor(**options, fit_intercept=False)
    est.partial_fit(X, y, sample_weight=[3.0, 1.0])
    assert_allclose(est.coef_, [0.3 - 0.1 * 0.3])


def test_other_parameters_between_calls_are_followed(rows, target):
    X = rows(40, 5)
    y = target(X, "regression")
    options = {"solver": "adam", "shuffle": False, "eta0": 0.01}
    a, b = (in_parts(GDRegressor(**options), X, y, 2) for _ in range(2))
    a.set_params(eta0=0.02).partial_fit(X, y)
    b.partial_fit(X, y)
    assert a.history_["rate"][-1] == 2 * b.history_["rate"][-1]
    assert not np.array_equal(a.coef_, b.coef_)
    # Another rule starts with an empty memory, from the coefficients reached.
    a.set_params(solver=Adam(beta_1=0.5)).partial_fit(X, y)
    assert np.isfinite(a.coef_).all()


def test_coefficients_set_by_hand_are_where_the_stream_goes_on(rows, target):
    X = rows(40, 5)
    y = target(X, "regression")
    est = in_parts(GDRegressor(solver="sgd", eta0=1e-12), X, y, 2)
    est.coef_, est.intercept_ = np.full(5, 7.0), np.array([3.0])
    est.partial_fit(X, y)
    assert_allclose(est.coef_, 7.0, rtol=1e-6)
    assert_allclose(est.intercept_, 3.0, rtol=1e-6)


def test_sparse_coefficients_go_on_learning(rows, target):
    X = rows(40, 5)
    y = target(X, "binary")
    est = in_parts(GDClassifier(solver="adam", shuffle=False), X, y, 2)
    same = copy.deepcopy(est).sparsify()
    assert_same_model(est.partial_fit(X, y), same.partial_fit(X, y))


@pytest.mark.parametrize("solver", ["gd", GD()])
def test_a_batch_solver_has_no_partial_fit(solver):
    est = GDRegressor(solver=solver)
    assert not hasattr(est, "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit"):
        est.partial_fit([[0.0]], [0.0])


@pytest.mark.parametrize(
    "params, call, message",
    [
        ({}, {"y": [0, 1, 2] * 10}, r"labels that are not among the classes: \[2\]"),
        ({}, {"classes": [0, 1, 2]}, "not the same as on the last call"),
        ({}, {"X": np.zeros((30, 4))}, "X has 4 features, but GDClassifier is expecting 5"),
        ({}, {"X": np.full((30, 5), np.nan)}, "NaN"),
        ({}, {"sample_weight": -np.ones(30)}, "sample_weight must not be negative"),
        ({"eta0": -1.0}, {}, "eta0"),
        ({"early_stopping": True}, {}, "early_stopping=True cannot be used with partial_fit"),
        ({"class_weight": "balanced"}, {}, "class_weight='balanced' is not supported"),
    ],
)
def test_a_call_that_raises_leaves_the_model_as_it_was(rows, target, params, call, message):
    X = rows(30, 5)
    y = target(X, "binary")
    est = in_parts(GDClassifier(solver="adam", random_state=0), X, y, 2)
    before, twin = pickle.dumps(vars(est)), copy.deepcopy(est)
    usual = est.get_params()
    with pytest.raises(ValueError, match=message):
        est.set_params(**params).partial_fit(**{"X": X, "y": y, **call})
    est.set_params(**{name: usual[name] for name in params})
    assert pickle.dumps(vars(est)) == before
    assert_same_model(est.partial_fit(X, y), twin.partial_fit(X, y))


def test_an_interrupt_leaves_the_model_as_it_was(rows, target, monkeypatch):
    X = rows(40, 5)
    y = target(X, "regression")
    est = in_parts(GDRegressor(solver="adam", random_state=0), X, y, 2)
    before = est.coef_.copy(), est.t_
    monkeypatch.setattr("skgd.solvers._stochastic.Stochastic.step", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        est.partial_fit(X, y)
    assert_array_equal(est.coef_, before[0])
    assert est.t_ == before[1]


def _interrupt(*_):
    raise KeyboardInterrupt


def test_the_first_call_needs_all_classes(rows):
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        GDClassifier(solver="sgd").partial_fit(rows(10, 2), [0, 1] * 5)


def test_a_chunk_that_a_given_rate_explodes_on_is_survived(rows, target):
    X = rows(60, 5)
    y = target(X, "regression")
    est = GDRegressor(solver="sgd", eta0=0.01).partial_fit(X, y)
    with pytest.warns(ConvergenceWarning, match=r"eta0=0\.01") as caught:
        est.partial_fit(X * 1e4, y)
    assert len(caught) == 1
    assert np.isfinite(est.coef_).all()


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("solver", ["auto", *STREAMING])
def test_a_batch_without_weight_changes_nothing(rows, target, solver, storage):
    X = rows(40, 3)
    y, X = target(X, "binary"), storage(X)
    est = GDClassifier(solver=solver, random_state=0)
    est.partial_fit(X, y, classes=[0, 1], sample_weight=np.zeros(40))
    assert [name for name in vars(est) if name.endswith("_") and name[0] != "_"] == []
    est.partial_fit(X, y, classes=[0, 1])
    before = pickle.dumps(est)
    est.partial_fit(X[:7], y[:7], sample_weight=np.zeros(7))
    assert pickle.dumps(est) == before
    with pytest.raises(ValueError, match="has 2 features"):
        est.partial_fit(X[:, :2], y, sample_weight=np.zeros(40))
    with pytest.raises(ValueError, match="5"):
        est.partial_fit(X, y + 5, sample_weight=np.zeros(40))
    assert pickle.dumps(est) == before


def test_a_call_leaves_nothing_of_an_earlier_fit(rows, target):
    X = rows(60, 4)
    y = target(X, "regression")
    est = GDRegressor(solver="sgd", batch_size=1, eta0=100.0, max_iter=3, tol=None)
    with pytest.warns(ConvergenceWarning, match="too large"):
        est.fit(X, y)
    assert len(est.restarts_)
    est.set_params(eta0="auto").partial_fit(X, y)
    assert len(est.restarts_) == 0
