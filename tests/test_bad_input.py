"""What cannot be fitted is told before any work, and leaves the model as it was."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal

from skgd import GDClassifier, GDRegressor
from skgd.losses import Poisson
from skgd.solvers import GD

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SHORT = {"max_iter": 3}


@pytest.fixture
def X(rows):
    return rows(40, 4)


@pytest.fixture
def y(X, target):
    return target(X, "regression")


@pytest.fixture
def labels(X, target):
    return target(X, "binary")


def snapshot(est):
    """Bytes of all that was learnt; parameters may hold classes local to a test."""
    learnt = {name: v for name, v in vars(est).items() if name not in est.get_params(False)}
    return pickle.dumps(learnt), repr(est)


def assert_refused(est, method, *args, match, error=ValueError, **kwargs):
    """The call raises, and neither attribute nor prediction has changed."""
    before = snapshot(est)
    with pytest.raises(error, match=match):
        getattr(est, method)(*args, **kwargs)
    assert snapshot(est) == before


def fitted(cls, X, y, **params):
    return cls(**SHORT, **params).fit(X, y)


# ---- rows, targets, weights ----


def bad(X, value):
    X = X.copy()
    X[3, 1] = value
    return X


BAD_ROWS = {
    "no rows": (lambda X: X[:0], "0 sample"),
    "no columns": (lambda X: X[:, :0], "0 feature"),
    "nan": (lambda X: bad(X, np.nan), "Input X contains NaN"),
    "inf": (lambda X: bad(X, np.inf), "Input X contains infinity"),
    "sparse nan": (lambda X: sp.csr_array(bad(X, np.nan)), "Input X contains NaN"),
    "vector": (lambda X: X[:, 0], "Expected 2D array, got 1D array"),
    "cube": (lambda X: X[None], "Found array with dim 3"),
    "words": (lambda X: np.full(X.shape, "a"), "could not convert string to float"),
    "complex": (lambda X: X * 1j, "Complex data not supported"),
}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_rows_are_refused(X, y, labels, case, method):
    change, match = BAD_ROWS[case]
    rows = change(X)
    n = rows.shape[0] if case != "cube" else 1
    assert_refused(fitted(GDRegressor, X, y), method, rows, y[:n], match=match)
    assert_refused(fitted(GDClassifier, X, labels), method, rows, labels[:n], match=match)


@pytest.mark.parametrize("case", [c for c in BAD_ROWS if c != "no columns"])
def test_bad_rows_are_not_predicted(X, y, case):
    change, match = BAD_ROWS[case]
    assert_refused(fitted(GDRegressor, X, y), "predict", change(X), match=match)


BAD_TARGETS = {
    "nan": (lambda y: np.where(np.arange(len(y)) == 2, np.nan, y), "contains NaN"),
    "inf": (lambda y: np.where(np.arange(len(y)) == 2, np.inf, y), "contains infinity"),
    "short": (lambda y: y[:-1], "inconsistent numbers of samples"),
    "none": (lambda y: None, "requires y to be passed"),
    "cube": (lambda y: np.zeros((len(y), 1, 1)), "dim 3|dimension"),
}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("case", BAD_TARGETS)
def test_bad_targets_are_refused(X, y, case, method):
    change, match = BAD_TARGETS[case]
    assert_refused(fitted(GDRegressor, X, y), method, X, change(y), match=match)


def test_targets_without_columns_are_refused(X, y):
    est = fitted(GDRegressor, X, y)
    assert_refused(est, "fit", X, np.empty((len(X), 0)), match="y has no targets|0 feature")


@pytest.mark.parametrize("solver", ["gd", "adam"])
@pytest.mark.parametrize(
    "loss, value, match",
    [
        ("poisson", -1.0, r"loss='poisson' needs y >= 0; got -1.0"),
        ("gamma", 0.0, r"loss='gamma' needs y > 0; got 0.0"),
        ("tweedie", -0.5, r"loss='tweedie' needs y >= 0; got -0.5"),
        (Poisson(), -1.0, r"loss='poisson' needs y >= 0; got -1.0"),
    ],
)
def test_targets_outside_the_domain_are_refused(X, y, loss, value, match, solver):
    counts = np.exp(np.clip(y, -2, 2))
    est = fitted(GDRegressor, X, counts, loss=loss, solver=solver)
    counts[5] = value
    assert_refused(est, "fit", X, counts, match=match)
    if solver == "adam":
        assert_refused(est, "partial_fit", X, counts, match=match)


BAD_WEIGHTS = {
    "negative": (lambda n: np.r_[-1.0, np.ones(n - 1)], "sample_weight must not be negative.*-1"),
    "all zero": (np.zeros, "All values of sample_weight are zero"),
    "nan": (lambda n: np.r_[np.nan, np.ones(n - 1)], "sample_weight contains nan"),
    "inf": (lambda n: np.r_[np.inf, np.ones(n - 1)], "sample_weight contains inf"),
    "short": (lambda n: np.ones(n - 1), r"sample_weight.shape == \(39,\), expected \(40,\)"),
    "matrix": (lambda n: np.ones((n, 2)), "sample_weight must be a vector"),
    "words": (lambda n: ["a"] * n, "sample_weight|could not convert"),
}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("case", BAD_WEIGHTS)
def test_bad_weights_are_refused(X, y, labels, case, method):
    make, match = BAD_WEIGHTS[case]
    if (case, method) == ("all zero", "partial_fit"):
        pytest.skip("changes nothing, as the tests of streams show")
    weights = make(len(X))
    for cls, target in ((GDRegressor, y), (GDClassifier, labels)):
        est = fitted(cls, X, target)
        assert_refused(est, method, X, target, sample_weight=weights, match=match)


def test_bad_class_weights_are_refused(X, labels):
    est = fitted(GDClassifier, X, labels)
    for weights, match in (
        ({0: 1.0, 7: 2.0}, r"class_weight names classes that are not known: \[7\]"),
        ({0: -1.0}, "class_weight must hold numbers >= 0"),
        ({0: 0.0, 1: 0.0}, "class_weight leaves no row"),
        ("even", "class_weight"),
    ):
        est.class_weight = weights
        assert_refused(est, "fit", X, labels, match=match)


def test_one_class_is_refused(X, labels):
    est = fitted(GDClassifier, X, labels)
    assert_refused(est, "fit", X, np.ones(len(X)), match=r"at least two classes.*\[1.0\]")


def test_continuous_labels_are_refused(X, y, labels):
    est = fitted(GDClassifier, X, labels)
    assert_refused(est, "fit", X, y, match="Unknown label type: continuous")


# ---- sparse rows ----


def outside(X, column):
    rows = sp.csr_array(X)
    rows.indices = rows.indices.copy()
    rows.indices[7] = column
    return rows


@pytest.mark.parametrize("column", [4, 10**9, -1])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_columns_of_csr_outside_the_range_are_refused(X, y, labels, column, index):
    rows = outside(X, column)
    rows.indices, rows.indptr = rows.indices.astype(index), rows.indptr.astype(index)
    match = rf"X has column indices from .*{column}.*out of range for 4 columns"
    for cls, target in ((GDRegressor, y), (GDClassifier, labels)):
        est = fitted(cls, X, target)
        for method, args in (
            ("fit", (target,)),
            ("partial_fit", (target,)),
            ("predict", ()),
            ("score", (target,)),
        ):
            assert_refused(est, method, rows, *args, match=match)
    assert_refused(est, "predict_proba", rows, match=match)
    assert_refused(est, "decision_function", rows, match=match)
    assert_refused(est, "fit", X, labels, X_val=rows, y_val=labels, match=match)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: np.r_[p[:-1], p[-1] + 5],
        lambda p: np.r_[p[:3], p[3] + 100, p[4:]],
        lambda p: np.r_[1, p[1:]],
    ],
)
def test_row_starts_of_csr_that_make_no_sense_are_refused(X, y, change):
    rows, est = sp.csr_array(X), fitted(GDRegressor, X, y)
    rows.indptr = change(rows.indptr)
    assert_refused(est, "fit", rows, y, match="X is not a valid CSR matrix|indptr")
    assert_refused(est, "predict", rows, match="X is not a valid CSR matrix|indptr")


# ---- things that do not go together ----


class NotSeparable:
    """The group lasso: its prox takes one step for all coefficients."""

    def value(self, coef):
        return float(np.linalg.norm(coef))

    def prox(self, coef, t):
        norm = np.linalg.norm(coef)
        return coef * max(0.0, 1 - t / norm) if norm else coef


@pytest.mark.parametrize("solver", ["adam", "adagrad", "rmsprop", "nadam", "adadelta"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_metric_does_not_go_with_a_penalty_that_is_not_separable(X, y, solver, method):
    est = fitted(GDRegressor, X, y)
    est.set_params(penalty=NotSeparable(), solver=solver, alpha=0.1)
    assert_refused(est, method, X, y, match="needs a separable penalty.*Use solver='gd'")


@pytest.mark.parametrize("solver", ["gd", "sgd", "momentum", "nesterov"])
def test_other_solvers_go_with_a_penalty_that_is_not_separable(X, y, solver):
    est = GDRegressor(penalty=NotSeparable(), solver=solver, alpha=100.0, max_iter=50)
    assert not est.fit(X, y).coef_.any()


def test_auto_takes_what_goes_with_a_penalty_that_is_not_separable(X, labels):
    est = GDClassifier("hinge", penalty=NotSeparable(), alpha=0.01, max_iter=5, random_state=0)
    assert est.fit(X, labels).solver_.name == "sgd"
    assert est.partial_fit(X, labels).solver_.name == "sgd"


def test_a_penalty_of_ones_own_is_refused_by_the_name_of_the_solver(X, y):
    est = fitted(GDRegressor, X, y).set_params(penalty=NotSeparable(), solver="ftrl")
    assert_refused(est, "partial_fit", X, y, match="^Solver FTRL takes the l1 and l2 parts")


def test_a_solver_that_needs_a_smooth_loss_refuses_a_kink(X, y, labels):
    class Smooth(GD):
        needs = frozenset({"smooth_loss"})

    est = fitted(GDRegressor, X, y).set_params(solver=Smooth(), loss="absolute_error")
    assert_refused(est, "fit", X, y, match="Smooth needs a smooth loss; AbsoluteError.*has a kink")


def test_rows_needed_at_every_step_do_not_come_from_a_stream(X, y):
    est = fitted(GDRegressor, X, y, solver="gd")
    assert not hasattr(est, "partial_fit")
    with pytest.raises(AttributeError) as caught:
        est.partial_fit(X, y)
    text = str(caught.value) + str(caught.value.__cause__)
    assert "solver='gd' needs all rows at every step" in text
    assert hasattr(est.set_params(solver=GD()), "fit")
    assert not hasattr(est, "partial_fit")


def test_an_object_with_an_update_is_not_yet_a_rule(X, y):
    class Alone:
        def update(self, grad):
            return grad

    est = GDRegressor(solver=Alone())
    assert_refused(est, "fit", X, y, match="solver must be a name or an object", error=TypeError)


# ---- starts ----


@pytest.mark.parametrize(
    "start, match",
    [
        ({"coef_init": np.zeros(3)}, r"coef_init has shape \(3,\); expected \(1, 4\) or \(4,\)"),
        ({"coef_init": np.zeros((4, 1))}, r"coef_init has shape \(4, 1\); expected \(1, 4\)"),
        ({"coef_init": np.zeros((2, 4))}, r"coef_init has shape \(2, 4\); expected \(1, 4\)"),
        ({"intercept_init": np.zeros(2)}, r"intercept_init has shape \(2,\); expected \(1,\)"),
        ({"coef_init": [0, 1, np.nan, 0]}, "coef_init contains NaN or infinity"),
        ({"intercept_init": np.inf}, "intercept_init contains NaN or infinity"),
    ],
    ids=str,
)
@pytest.mark.parametrize("solver", ["gd", "adam"])
def test_a_start_that_does_not_fit_is_refused(X, labels, start, match, solver):
    est = fitted(GDClassifier, X, labels, solver=solver)
    assert_refused(est, "fit", X, labels, match=match, **start)


def test_a_start_for_other_classes_is_refused(X, labels, target):
    est = fitted(GDClassifier, X, labels)
    three = target(X, "classes")
    match = r"coef_init has shape \(4,\); expected \(3, 4\) for these data"
    assert_refused(est, "fit", X, three, coef_init=np.zeros(4), match=match)


def test_a_warm_start_on_data_of_another_width_is_refused(X, y):
    est = fitted(GDRegressor, X, y, warm_start=True)
    assert_refused(est, "fit", X[:, :3], y, match=r"coef_init has shape \(4,\); expected \(1, 3\)")


# ---- validation rows ----


def test_validation_rows_are_checked(X, y):
    est = fitted(GDRegressor, X, y)
    cases = (
        ({"X_val": X}, "X_val and y_val must be given together"),
        ({"y_val": y}, "X_val and y_val must be given together"),
        ({"sample_weight_val": np.ones(40)}, "sample_weight_val was given without X_val"),
        ({"X_val": X[:, :3], "y_val": y}, "X_val and .* 3 features, but .* is expecting 4"),
        ({"X_val": bad(X, np.nan), "y_val": y}, "X_val and y_val cannot be used: .* contains NaN"),
        ({"X_val": X[:5], "y_val": y[:4]}, "X_val and y_val .* inconsistent numbers of samples"),
        (
            {"X_val": X, "y_val": y, "sample_weight_val": -np.ones(40)},
            "sample_weight_val must not be negative",
        ),
    )
    for validation, match in cases:
        assert_refused(est, "fit", X, y, match=match, **validation)


def test_validation_labels_must_be_known(X, labels):
    est = fitted(GDClassifier, X, labels)
    match = "X_val and y_val .* not among the classes"
    assert_refused(est, "fit", X, labels, X_val=X, y_val=labels + 5, match=match)


def test_too_few_rows_to_hold_some_out_are_refused(X, y, labels):
    est = fitted(GDRegressor, X, y).set_params(early_stopping=True)
    assert_refused(est, "fit", X[:1], y[:1], match="cannot hold out validation_fraction=0.1 of 1")
    est = fitted(GDClassifier, X, labels).set_params(early_stopping=True)
    few = np.r_[1, np.zeros(39, int)]
    assert_refused(est, "fit", X, few, match="cannot hold out validation_fraction=0.1 of 40")


# ---- partial_fit ----


def test_classes_are_asked_for_at_the_first_call(X, labels):
    est = GDClassifier(solver="sgd")
    assert_refused(est, "partial_fit", X, labels, match="classes must be passed on the first call")
    assert not hasattr(est, "coef_")


def test_a_label_that_was_not_announced_is_refused(X, labels):
    est = GDClassifier(solver="sgd").partial_fit(X, labels, classes=[0, 1])
    assert_refused(est, "partial_fit", X, labels + 1, match=r"not among the classes: \[2\]")
    new = GDClassifier(solver="sgd")
    assert_refused(new, "partial_fit", X, labels, classes=[1, 2], match=r"not among.*: \[0\]")
    assert_refused(new, "partial_fit", X, labels, classes=[0], match="not among|two classes")


def test_other_classes_at_a_later_call_are_refused(X, labels):
    est = GDClassifier(solver="sgd").partial_fit(X, labels, classes=[0, 1])
    match = r"classes=\[0, 1, 2\] is not the same as on the last call to partial_fit, was: \[0, 1\]"
    assert_refused(est, "partial_fit", X, labels, classes=[0, 1, 2], match=match)
    est.partial_fit(X, labels, classes=[1, 0])  # their order does not matter


@pytest.mark.parametrize("cls", [GDClassifier, GDRegressor])
def test_rows_of_another_width_are_refused(X, labels, cls):
    est = fitted(cls, X, labels, solver="adam")
    match = f"X has 3 features, but {cls.__name__} is expecting 4 features as input"
    assert_refused(est, "partial_fit", X[:, :3], labels, match=match)
    assert_refused(est, "predict", X[:, :3], match=match)


def test_another_number_of_targets_is_refused(X, target):
    y = target(X, "targets")
    est = GDRegressor(solver="sgd").partial_fit(X, y)
    match = "y has 2 targets, but GDRegressor has learnt 3"
    assert_refused(est, "partial_fit", X, y[:, :2], match=match)
    assert_refused(est, "partial_fit", X, y[:, 0], match="y has 1 targets")


def test_what_needs_the_whole_stream_is_refused(X, labels):
    est = GDClassifier(solver="sgd", class_weight="balanced")
    match = "class_weight='balanced' is not supported by partial_fit"
    assert_refused(est, "partial_fit", X, labels, classes=[0, 1], match=match)
    est = GDClassifier(solver="sgd", early_stopping=True)
    match = "early_stopping=True cannot be used with partial_fit"
    assert_refused(est, "partial_fit", X, labels, classes=[0, 1], match=match)
    assert_refused(GDRegressor(early_stopping=True), "partial_fit", X, labels, match=match)


def test_parameters_are_checked_by_partial_fit_too(X, labels):
    est = GDClassifier(solver="sgd").partial_fit(X, labels, classes=[0, 1])
    est.set_params(alpha=-1.0)
    assert_refused(est, "partial_fit", X, labels, match="alpha must be in")


# ---- errors from a user's own parts ----


def test_an_error_in_the_middle_of_a_fit_leaves_the_model_as_it_was(X, y):
    class Fails:
        calls = 0

        def value(self, y, eta):
            return (y - eta) ** 2

        def gradient(self, y, eta):
            Fails.calls += 1
            if Fails.calls > 5:
                raise RuntimeError("broken")
            return 2 * (eta - y)

    est = fitted(GDRegressor, X, y, solver="sgd")
    seen = est.predict(X)
    for method in ("fit", "partial_fit"):
        before = dict(vars(est))
        Fails.calls = 0
        est.set_params(loss=Fails(), batch_size=4)
        with pytest.raises(RuntimeError, match="broken"):
            getattr(est, method)(X, y)
        est.set_params(loss="squared_error", batch_size="auto")
        assert vars(est).keys() == before.keys()
        assert_array_equal(est.predict(X), seen)


@pytest.mark.parametrize("method", ["predict", "score", "sparsify", "densify", "decision_function"])
def test_a_model_that_has_not_learnt_says_so(X, labels, method):
    est = GDClassifier()
    args = {"score": (X, labels), "sparsify": (), "densify": ()}.get(method, (X,))
    with pytest.raises(Exception, match="not fitted yet"):
        getattr(est, method)(*args)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("est", [GDClassifier(), GDClassifier(solver="sgd", max_iter=2)])
def test_what_is_not_finite_in_many_rows_is_found_by_their_moments(est, value):
    X = np.random.default_rng(0).normal(size=(40_000, 30))
    y = (X[:, 0] > 0).astype(int)
    for place in ((0, 0), (20_001, 7), (-1, -1)):
        for constant in (False, True):
            rows = X.copy()
            if constant:
                rows[:, place[1]] = 1.0
            rows[place] = value
            for weights in (None, np.append(0.0, np.ones(len(y) - 1))):
                with pytest.raises(ValueError, match="Input X contains"):
                    est.fit(rows, y, sample_weight=weights)
                assert not {"coef_", "n_features_in_"} & set(vars(est))


class _Nowhere:
    """A loss whose value is no number."""

    def value(self, y, eta, xp):
        return xp.full(eta.shape, xp.nan)

    def gradient(self, y, eta, xp):
        return xp.zeros(eta.shape)


@pytest.mark.parametrize("solver", ["auto", "gd", "adam", "sgd", "lbfgs"])
def test_a_loss_that_is_no_number_is_named(X, y, solver):
    est = fitted(GDRegressor, X, y)
    est.set_params(loss=_Nowhere(), solver=solver)
    assert_refused(est, "fit", X, y, match="_Nowhere.* is NaN on these rows")
