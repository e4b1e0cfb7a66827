"""One row a step, solver "sgd" does the updates of scikit-learn's SGD estimators."""

import inspect

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.preprocessing import StandardScaler

from skgd import GDClassifier, GDRegressor

# Few passes are compared, so neither side has converged.
pytestmark = pytest.mark.filterwarnings("ignore:.*stopped after|Maximum number of iteration")

ONE_ROW = {"solver": "sgd", "batch_size": 1}
SAME = {"alpha": 0.01, "eta0": 0.05, "shuffle": False, "tol": None, "max_iter": 4}
TIGHT = {"rtol": 1e-10, "atol": 1e-12}
CLASSIFICATION = (
    "hinge log_loss modified_huber squared_hinge perceptron squared_error huber "
    "epsilon_insensitive squared_epsilon_insensitive"
).split()
REGRESSION = "squared_error huber epsilon_insensitive squared_epsilon_insensitive".split()
SCHEDULES = [
    {"learning_rate": "constant"},
    # This rate begins so large that an intercept would call the divergence guard in.
    {"learning_rate": "optimal", "alpha": 0.05, "fit_intercept": False},
    {"learning_rate": "invscaling", "power_t": 0.5},
    {"learning_rate": "invscaling", "power_t": 0.1},
]


@pytest.fixture
def X(rows):
    return 0.3 * rows(50, 5)


@pytest.fixture
def labels(X, target):
    return target(X, "binary")


@pytest.fixture
def numbers(X, target):
    return target(X, "regression")


def classifiers(**params):
    params = SAME | params
    return GDClassifier(**ONE_ROW, **params), SGDClassifier(**params)


def regressors(**params):
    params = SAME | params
    return GDRegressor(**ONE_ROW, **params), SGDRegressor(**params)


def assert_same(ours, theirs):
    """Coefficients to rounding; shapes, dtypes and counts exactly."""
    assert_allclose(ours.coef_, theirs.coef_, **TIGHT)
    assert_allclose(ours.intercept_, theirs.intercept_, **TIGHT)
    for name in ("coef_", "intercept_"):
        assert getattr(ours, name).shape == getattr(theirs, name).shape
        assert getattr(ours, name).dtype == getattr(theirs, name).dtype
    assert (ours.n_iter_, ours.t_) == (theirs.n_iter_, theirs.t_)
    assert ours.n_features_in_ == theirs.n_features_in_


# ---- updates ----


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
@pytest.mark.parametrize("loss", CLASSIFICATION)
def test_classifier_does_the_same_updates(X, labels, loss, schedule):
    ours, theirs = classifiers(loss=loss, **schedule)
    assert_same(ours.fit(X, labels), theirs.fit(X, labels))


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
@pytest.mark.parametrize("loss", REGRESSION)
def test_regressor_does_the_same_updates(X, numbers, loss, schedule):
    ours, theirs = regressors(loss=loss, **schedule)
    assert_same(ours.fit(X, numbers), theirs.fit(X, numbers))


@pytest.mark.parametrize("penalty", ["l2", None])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_penalty_intercept_and_dtype_change_nothing(X, labels, penalty, fit_intercept, dtype):
    ours, theirs = classifiers(
        loss="hinge", penalty=penalty, fit_intercept=fit_intercept, learning_rate="constant"
    )
    ours.fit(X.astype(dtype), labels)
    theirs.fit(X, labels)
    # Sums are in double precision whatever the rows are; theirs are not.
    assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6 if dtype == np.float32 else 1e-10)
    assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-6, atol=1e-12)
    assert ours.coef_.dtype == dtype


@pytest.mark.parametrize("average", [True, 1, 17, 150])
@pytest.mark.parametrize("schedule", SCHEDULES[:3], ids=str)
def test_average_is_that_of_all_steps_from_the_given_one(X, labels, average, schedule):
    ours, theirs = classifiers(loss="log_loss", average=average, **schedule)
    assert_same(ours.fit(X, labels), theirs.fit(X, labels))


def test_average_that_begins_after_the_last_step_is_not_used(X, numbers):
    ours, theirs = regressors(average=10_000, learning_rate="constant")
    assert_same(ours.fit(X, numbers), theirs.fit(X, numbers))


@pytest.mark.parametrize("max_iter", [6, 7, 25])
def test_adaptive_rate_is_divided_at_the_same_pass(X, numbers, max_iter):
    # With this tol no pass counts as progress, so that only the rule itself is compared.
    ours, theirs = regressors(learning_rate="adaptive", max_iter=max_iter, tol=1e6)
    assert_same(ours.fit(X, numbers), theirs.fit(X, numbers))


def test_adaptive_run_ends_at_the_same_pass(X, numbers):
    ours, theirs = regressors(learning_rate="adaptive", max_iter=500, tol=1e6, n_iter_no_change=3)
    assert_same(ours.fit(X, numbers), theirs.fit(X, numbers))
    assert ours.stop_reason_ == "no_improvement"


@pytest.mark.parametrize("loss", ["hinge", "modified_huber", "perceptron", "squared_error"])
@pytest.mark.parametrize("average", [False, 20])
def test_several_classes_are_learnt_one_against_the_rest(X, target, loss, average):
    labels = np.array(["ash", "fir", "oak"])[target(X, "classes")]
    ours, theirs = classifiers(loss=loss, learning_rate="invscaling", average=average)
    assert_same(ours.fit(X, labels), theirs.fit(X, labels))
    assert_array_equal(ours.classes_, theirs.classes_)
    assert_array_equal(ours.predict(X), theirs.predict(X))
    assert_allclose(ours.decision_function(X), theirs.decision_function(X), **TIGHT)


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_csr_does_the_same_updates(X, labels, index):
    # scikit-learn slows the intercept of sparse rows down, so there is none here.
    rows = sp.csr_array(X)
    ours, theirs = classifiers(loss="log_loss", learning_rate="invscaling", fit_intercept=False)
    theirs.fit(rows, labels)
    rows.indices, rows.indptr = rows.indices.astype(index), rows.indptr.astype(index)
    assert_same(ours.fit(rows, labels), theirs)


def test_csr_and_its_intercept_do_the_same_updates_as_dense_rows(X, labels):
    ours, theirs = classifiers(loss="log_loss", learning_rate="invscaling")
    assert_same(ours.fit(sp.csr_array(X), labels), theirs.fit(X, labels))


@pytest.mark.parametrize(
    "loss, alpha", [("hinge", 1e-4), ("log_loss", 1e-3), ("modified_huber", 1e-2)]
)
def test_optimal_rate_at_a_small_alpha_does_the_same_updates(loss, alpha):
    X, labels = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    # After a few passes theirs is worse than no model at all; ours would then be zero.
    ours, theirs = classifiers(loss=loss, learning_rate="optimal", alpha=alpha, max_iter=60)
    assert_same(ours.fit(X, labels), theirs.fit(X, labels))


# ---- elastic net ----


@pytest.mark.parametrize(
    "penalty, l1_ratio", [("elasticnet", 0.15), ("elasticnet", 0.7), ("l1", 1)]
)
@pytest.mark.parametrize("rate", ["constant", "invscaling"])
def test_l1_part_does_the_same_updates(X, numbers, penalty, l1_ratio, rate):
    ours, theirs = regressors(penalty=penalty, l1_ratio=l1_ratio, alpha=0.2, learning_rate=rate)
    assert_same(ours.fit(X, numbers), theirs.fit(X, numbers))
    assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)


def test_l1_part_of_csr_rows_is_that_of_dense_rows(X, numbers):
    X = np.where(np.abs(X) > 0.3, X, 0.0)
    ours, _ = regressors(penalty="l1", alpha=0.025, learning_rate="constant")
    dense = ours.fit(X, numbers).coef_.copy()
    assert 0 < np.count_nonzero(dense) < 5
    assert_allclose(ours.fit(sp.csr_array(X), numbers).coef_, dense, **TIGHT)


# ---- weights and starts ----


def test_weights_of_mean_one_do_the_same_updates(X, labels):
    s = np.random.RandomState(0).uniform(0.5, 2.0, len(X))
    s /= s.mean()
    ours, theirs = classifiers(loss="log_loss", learning_rate="invscaling")
    ours.fit(X, labels, sample_weight=s)
    assert_same(ours, theirs.fit(X, labels, sample_weight=s))


def test_only_the_ratios_of_weights_matter_in_fit(X, labels):
    s = np.random.RandomState(0).uniform(0.5, 2.0, len(X))
    ours, _ = classifiers(loss="log_loss", learning_rate="invscaling")
    once = ours.fit(X, labels, sample_weight=s).coef_.copy()
    assert_allclose(ours.fit(X, labels, sample_weight=1000 * s).coef_, once, rtol=1e-12)


def test_balanced_classes_do_the_same_updates(X, labels):
    labels[:20] = 0
    ours, theirs = classifiers(loss="hinge", learning_rate="invscaling", class_weight="balanced")
    ours.fit(X, labels)
    assert_same(ours, theirs.fit(X, labels))


@pytest.mark.parametrize("loss", ["hinge", "log_loss"])
def test_class_weights_are_weights_of_rows_beyond_two_classes_too(X, target, loss):
    # scikit-learn leaves the weights of the other classes out of each one-vs-rest problem.
    labels, weights = target(X, "classes"), {0: 2.0, 1: 0.5}
    s = np.array([2.0, 0.5, 1.0])[labels]
    by_class, _ = classifiers(loss=loss, learning_rate="invscaling", class_weight=weights)
    by_row, _ = classifiers(loss=loss, learning_rate="invscaling")
    by_class.fit(X, labels)
    by_row.fit(X, labels, sample_weight=s)
    assert_array_equal(by_class.coef_, by_row.coef_)


def test_class_weights_by_dict_do_the_same_updates(X, labels):
    share = labels.mean()
    weights = {0: 0.5 / (1 - share), 1: 0.5 / share}  # their mean over the rows is one
    ours, theirs = classifiers(loss="log_loss", learning_rate="invscaling", class_weight=weights)
    assert_same(ours.fit(X, labels), theirs.fit(X, labels))


def test_start_can_be_given(X, labels, numbers):
    start = {"coef_init": np.linspace(-0.1, 0.2, 5), "intercept_init": [0.2]}
    ours, theirs = classifiers(loss="log_loss", learning_rate="constant", max_iter=30)
    assert_same(ours.fit(X, labels, **start), theirs.fit(X, labels, **start))
    ours, theirs = regressors(learning_rate="constant", max_iter=30)
    assert_same(ours.fit(X, numbers, **start), theirs.fit(X, numbers, **start))


def test_start_of_several_classes_can_be_given(X, target):
    labels, rng = target(X, "classes"), np.random.RandomState(0)
    start = {"coef_init": 0.1 * rng.standard_normal((3, 5)), "intercept_init": [-0.1, 0.0, 0.1]}
    ours, theirs = classifiers(loss="hinge", learning_rate="invscaling")
    assert_same(ours.fit(X, labels, **start), theirs.fit(X, labels, **start))


@pytest.mark.parametrize("average", [False, True])
def test_warm_start_goes_on_from_the_last_coefficients(X, labels, average):
    ours, theirs = classifiers(
        loss="log_loss", learning_rate="invscaling", warm_start=True, average=average
    )
    for y in (labels, 1 - labels, labels):
        assert_same(ours.fit(X, y), theirs.fit(X, y))


CHUNKS = [slice(20), slice(20, 50), slice(10, 30)]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_partial_fit_does_the_same_updates_with_any_weights(X, labels, schedule):
    s = np.random.RandomState(0).uniform(0.5, 2.0, len(X))
    ours, theirs = classifiers(loss="log_loss", **schedule)
    for rows in CHUNKS:
        for est in (ours, theirs):
            est.partial_fit(X[rows], labels[rows], classes=[0, 1], sample_weight=s[rows])
        assert_same(ours, theirs)


@pytest.mark.parametrize("average", [True, 30])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_partial_fit_goes_on_with_the_average(X, numbers, schedule, average):
    # Regression: their classifier forgets its intercept between averaged calls.
    ours, theirs = regressors(average=average, **schedule)
    for rows in CHUNKS:
        for est in (ours, theirs):
            est.partial_fit(X[rows], numbers[rows])
        assert_same(ours, theirs)


# ---- what users of the SGD estimators rely on ----


@pytest.mark.parametrize(
    "ours, theirs", [(GDClassifier, SGDClassifier), (GDRegressor, SGDRegressor)]
)
def test_every_constructor_argument_is_known(ours, theirs):
    known = set(inspect.signature(ours).parameters)
    assert set(inspect.signature(theirs).parameters) <= known


@pytest.mark.parametrize(
    "ours, theirs", [(GDClassifier, SGDClassifier), (GDRegressor, SGDRegressor)]
)
@pytest.mark.filterwarnings("ignore:The rate is too large")
def test_their_defaults_can_be_fitted(X, labels, ours, theirs):
    params = theirs().get_params() | {"verbose": 0}
    params.pop("max_iter")
    est = ours(solver="sgd", **params).fit(X, labels)
    assert est.n_iter_ < 1000


@pytest.mark.parametrize(
    "ours, theirs", [(GDClassifier, SGDClassifier), (GDRegressor, SGDRegressor)]
)
def test_methods_and_attributes_are_there(X, labels, ours, theirs):
    ours, theirs = ours("squared_error").fit(X, labels), theirs("squared_error").fit(X, labels)
    public = {name for name in dir(theirs) if not name.startswith("_")}
    assert public - set(dir(ours)) <= {"loss_functions", "C"}


@pytest.mark.parametrize(
    "params, message",
    [
        ({"alpha": -1.0}, r"alpha must be in \[0, inf\); got -1.0"),
        ({"eta0": 0.0, "learning_rate": "constant"}, r"eta0 must be in \(0, inf\); got 0.0"),
        ({"l1_ratio": 1.5}, r"l1_ratio must be in \[0, 1\]; got 1.5"),
        ({"max_iter": 0}, "max_iter must be at least 1; got 0"),
        ({"validation_fraction": 1.0}, r"validation_fraction must be in \(0, 1\); got 1.0"),
        ({"average": -1}, "average must not be negative; got -1"),
        ({"loss": "hing"}, "Unknown loss='hing'. Known: 'hinge'"),
        ({"penalty": "l3"}, "Unknown penalty='l3'. Known: 'l[12]'"),
        ({"alpha": 0.0, "learning_rate": "optimal"}, "learning_rate='optimal' divides by alpha"),
    ],
    ids=str,
)
def test_parameters_that_they_refuse_are_refused(X, labels, params, message):
    params = {"loss": "hinge"} | params
    with pytest.raises(ValueError):
        SGDClassifier(**params).fit(X, labels)
    with pytest.raises(ValueError, match=message):
        GDClassifier(solver="sgd", **params).fit(X, labels)
