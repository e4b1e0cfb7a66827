"""The strength that cross-validation chooses is that of scikit-learn's own searches."""

import pickle
import re

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNetCV, LassoCV, LogisticRegressionCV, RidgeCV
from sklearn.metrics import make_scorer, mean_pinball_loss
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, LeaveOneOut, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import skgd
from skgd import GDClassifier, GDClassifierCV, GDRegressor, GDRegressorCV

TIGHT = {"tol": 1e-10, "max_iter": 20_000}


@pytest.fixture
def numbers(rows, target):
    X = rows(n=120, d=6)
    return X, target(X, "regression")


@pytest.fixture
def labels(rows, target):
    X = rows(n=120, d=6)
    return X, target(X, "binary")


# ---- oracles ----


def test_lasso_is_that_of_scikit_learn(numbers):
    X, y = numbers
    theirs = LassoCV(alphas=15, cv=5, tol=1e-10).fit(X, y)
    ours = GDRegressorCV(
        penalty="l1", alphas=15, cv=5, scoring="neg_mean_squared_error", **TIGHT
    ).fit(X, y)
    assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-10)
    assert_allclose(ours.alpha_, theirs.alpha_, rtol=1e-10)
    assert_allclose(-ours.cv_results_["mean_test_score"], theirs.mse_path_.mean(axis=1), rtol=1e-5)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)


def test_elastic_net_chooses_the_share_too(numbers):
    X, y = numbers
    ratios = [0.2, 0.7, 1.0]
    theirs = ElasticNetCV(l1_ratio=ratios, alphas=8, cv=4, tol=1e-10).fit(X, y)
    ours = GDRegressorCV(
        penalty="elasticnet",
        l1_ratio=ratios,
        alphas=8,
        cv=4,
        scoring="neg_mean_squared_error",
        **TIGHT,
    ).fit(X, y)
    assert ours.l1_ratio_ == theirs.l1_ratio_
    assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-9)
    assert_allclose(ours.alpha_, theirs.alpha_, rtol=1e-9)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    assert_array_equal(ours.cv_results_["param_l1_ratio"], np.repeat(ratios, 8))
    assert ours.best_score_ == ours.cv_results_["mean_test_score"][ours.best_index_]
    params = ours.cv_results_["params"]
    assert params[ours.best_index_] == {"alpha": ours.alpha_, "l1_ratio": ours.l1_ratio_}
    assert [one["l1_ratio"] for one in params] == np.repeat(ratios, 8).tolist()
    assert [one["alpha"] for one in params] == ours.cv_results_["param_alpha"].tolist()


def test_ridge_is_that_of_scikit_learn(numbers):
    X, y = numbers
    alphas = np.geomspace(1e-3, 10, 7)
    theirs = RidgeCV(alphas=alphas * 96, cv=KFold(5)).fit(X, y)  # sums over 96 of 120 rows
    ours = GDRegressorCV(alphas=alphas, cv=5, **TIGHT).fit(X, y)
    assert_allclose(ours.alpha_ * 96, theirs.alpha_)
    assert_allclose(ours.best_score_, theirs.best_score_, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_logistic_regression_is_that_of_scikit_learn(labels):
    X, y = labels
    alphas = np.geomspace(1e-4, 1, 6)
    theirs = LogisticRegressionCV(
        Cs=1 / (alphas * 96), cv=5, scoring="neg_log_loss", tol=1e-8, use_legacy_attributes=True
    ).fit(X, y)
    ours = GDClassifierCV(alphas=alphas, cv=5, scoring="neg_log_loss", **TIGHT).fit(X, y)
    assert_allclose(1 / (ours.alpha_ * 96), theirs.C_[0])
    scores = theirs.scores_[1].mean(axis=0)
    assert_allclose(ours.cv_results_["mean_test_score"][::-1], scores, rtol=1e-5)


@pytest.mark.parametrize(
    "est, scoring",
    [
        (GDRegressor("huber"), None),
        (GDRegressor("quantile", penalty="l1"), make_scorer(mean_pinball_loss)),
        (GDClassifier(), "roc_auc"),
        (GDClassifier("squared_hinge", penalty="l1", class_weight="balanced"), "f1"),
        (GDClassifier("hinge", fit_intercept=False), None),
    ],
    ids=lambda case: str(case)[:40],
)
def test_scores_are_those_of_a_grid_search(est, scoring, numbers, labels):
    X, y = labels if isinstance(est, GDClassifier) else numbers
    est.set_params(tol=1e-7)
    kind = GDClassifierCV if isinstance(est, GDClassifier) else GDRegressorCV
    params = {k: v for k, v in est.get_params(deep=False).items() if k != "alpha"}
    alphas = [0.3, 0.01, 1e-3]
    ours = kind(**{**params, "scoring": scoring}, alphas=alphas, cv=3).fit(X, y)
    search = GridSearchCV(est, {"alpha": alphas}, cv=3, scoring=scoring).fit(X, y)
    for name in ("mean_test_score", "std_test_score", "split2_test_score"):
        # A label near the boundary may fall to either side.
        assert_allclose(ours.cv_results_[name], search.cv_results_[name], atol=2e-3)
    assert_array_equal(ours.cv_results_["param_alpha"], alphas)
    assert ours.cv_results_["params"] == search.cv_results_["params"]
    own = clone(est).set_params(alpha=ours.alpha_).fit(X, y)
    assert_allclose(ours.coef_, own.coef_)


def test_several_classes_and_a_class_that_a_fold_does_not_see(rows, target):
    X = rows(n=90)
    y = target(X, "classes")
    model = GDClassifierCV(alphas=4, scoring="loss").fit(X, y)
    assert model.coef_.shape == (3, 5)
    assert model.score(X, y) > 0.7
    few = [(np.flatnonzero(y != 2), np.flatnonzero(y == 2)), (np.arange(60), np.arange(60, 90))]
    assert np.isfinite(GDClassifierCV(alphas=[0.1], cv=few).fit(X, y).best_score_)
    one = [(np.flatnonzero(y == 1), np.flatnonzero(y == 2))]
    with pytest.raises(ValueError, match="Fold 0 leaves rows of one class only"):
        GDClassifierCV(alphas=[0.1], cv=one).fit(X, y)


def test_the_loss_as_a_score_is_minus_the_mean_loss(labels, numbers):
    X, y = labels
    loss = GDClassifierCV(alphas=4, scoring="loss", tol=1e-9).fit(X, y)
    log = GDClassifierCV(alphas=4, scoring="neg_log_loss", tol=1e-9).fit(X, y)
    name = "mean_test_score"
    assert_allclose(loss.cv_results_[name], log.cv_results_[name], rtol=1e-7)
    X, y = numbers
    half = GDRegressorCV(alphas=4, scoring="loss").fit(X, y, sample_weight=np.full(120, 3.0))
    mse = GDRegressorCV(alphas=4, scoring="neg_mean_squared_error").fit(X, y)
    assert_allclose(2 * half.cv_results_[name], mse.cv_results_[name], rtol=1e-9)


# ---- what is chosen ----


def test_of_equal_scores_the_strongest_penalty_wins(rows):
    X = rows()
    y = np.arange(60) % 2
    model = GDClassifierCV(
        penalty="elasticnet", l1_ratio=[0.9, 0.5, 1.0], alphas=[1e3, 1e4, 1e5], cv=3
    ).fit(X, y)
    assert (model.cv_results_["mean_test_score"] == 0.5).all()
    assert (model.alpha_, model.l1_ratio_) == (1e5, 1.0)
    assert (model.cv_results_["rank_test_score"] == 1).all()


def test_one_standard_error_takes_the_strongest_that_is_near_enough(numbers):
    X, y = numbers
    options = {"penalty": "l1", "alphas": 30, "cv": 4}
    best = GDRegressorCV(**options).fit(X, y)
    near = GDRegressorCV(**options, selection="one_standard_error").fit(X, y)
    results = best.cv_results_
    scores = np.array([results[f"split{k}_test_score"] for k in range(4)])
    at = results["mean_test_score"].argmax()
    least = scores[:, at].mean() - scores[:, at].std(ddof=1) / 2.0
    assert near.alpha_ == results["param_alpha"][results["mean_test_score"] >= least].max()
    assert near.alpha_ > best.alpha_ == results["param_alpha"][at]
    assert near.best_score_ < best.best_score_


def test_scores_that_are_no_numbers_choose_nothing(numbers):
    with pytest.raises(ValueError, match=r"no finite mean score.*fold 0 .*24.*scoring='loss'"):
        GDRegressorCV(alphas=3, scoring=lambda model, X, y: np.nan).fit(*numbers)


@pytest.mark.parametrize("scoring", [None, "r2"])
def test_r2_of_a_single_row_is_refused_before_any_fit(scoring, numbers, monkeypatch):
    X, y = (part[:20] for part in numbers)
    est = GDRegressorCV(alphas=3, cv=20, scoring=scoring)
    with monkeypatch.context() as patched:
        patched.setattr("skgd._cv.follow", None)
        with pytest.raises(ValueError, match=r"Fold 0 of cv=20 holds out a single row.*'loss'"):
            est.fit(X, y)
    for way in ("loss", "neg_mean_squared_error"):
        assert est.set_params(scoring=way).fit(X, y).n_splits_ == 20


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_a_score_that_no_fold_has_is_told_by_the_first_that_has_none(labels):
    X, y = (part[:20] for part in labels)
    est = GDClassifierCV(alphas=3, cv=LeaveOneOut(), scoring="roc_auc")
    with pytest.raises(ValueError, match="fold 0 has none on its rows, 1 in number"):
        est.fit(X, y)


@pytest.mark.filterwarnings("error")
def test_a_prediction_that_overflows_is_the_worst(rows, target):
    X = rows(n=60, d=2)
    y = target(X, "counts")
    X[55] = 5e5
    cv = [(np.arange(50), np.arange(50, 60))]
    options = {"alphas": [1e5, 1e-6], "cv": cv, "refit": False}
    model = GDRegressorCV("poisson", **options, scoring="neg_mean_absolute_error").fit(X, y)
    assert model.alpha_ == 1e5
    assert not np.isfinite(model.cv_results_["mean_test_score"][1])
    with pytest.raises(ValueError, match="gave no finite mean score"):
        model.set_params(alphas=[1e-6]).fit(X, y)


def test_raw_columns_are_chosen_for_as_they_come():
    X, y = load_breast_cancer(return_X_y=True)
    assert GDClassifierCV().fit(X, y).best_score_ > 0.94


# ---- folds ----


def test_folds_are_what_scikit_learn_makes_of_cv(numbers):
    X, y = numbers
    groups = np.arange(120) % 7
    options = {"alphas": [1.0, 0.1], "penalty": "l1"}
    ours = GDRegressorCV(**options, cv=GroupKFold(3)).fit(X, y, groups=groups)
    search = GridSearchCV(GDRegressor(penalty="l1"), {"alpha": [1.0, 0.1]}, cv=GroupKFold(3))
    search.fit(X, y, groups=groups)
    name = "mean_test_score"
    assert_allclose(ours.cv_results_[name], search.cv_results_[name], rtol=1e-4)
    masks = [(np.arange(120) < 80, np.arange(120) >= 80)]
    by_number = [(np.arange(80), np.arange(80, 120))]
    one, two = (GDRegressorCV(**options, cv=cv).fit(X, y) for cv in (masks, by_number))
    assert_array_equal(one.cv_results_[name], two.cv_results_[name])
    assert one.n_splits_ == 1


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_few_rows_or_many_rows_are_learnt_from(share, labels):
    X, y = labels
    cv = ShuffleSplit(3, train_size=share, test_size=0.1, random_state=0)
    est = GDClassifier("squared_hinge", class_weight="balanced", tol=1e-8)
    ours = GDClassifierCV(
        "squared_hinge", class_weight="balanced", tol=1e-8, alphas=[0.1], cv=cv
    ).fit(X, y)
    scores = [
        clone(est).set_params(alpha=0.1).fit(X[a], y[a]).score(X[b], y[b]) for a, b in cv.split(X)
    ]
    assert_allclose(ours.best_score_, np.mean(scores))


def test_a_row_taken_twice_counts_twice(numbers):
    X, y = numbers
    train, test = np.random.RandomState(0).randint(80, size=120), np.arange(80, 120)
    ours = GDRegressorCV(alphas=[0.1], cv=[(train, test)]).fit(X, y)
    own = GDRegressor(alpha=0.1).fit(X[train], y[train])
    assert_allclose(ours.best_score_, own.score(X[test], y[test]), rtol=1e-6)


def test_weights_count_in_fits_and_in_scores(numbers):
    X, y = numbers
    s = np.random.RandomState(0).uniform(size=120)
    train, test = np.arange(80), np.arange(80, 120)
    ours = GDRegressorCV(alphas=[0.1], cv=[(train, test)]).fit(X, y, sample_weight=s)
    own = GDRegressor(alpha=0.1).fit(X[train], y[train], sample_weight=s[train])
    assert_allclose(ours.best_score_, own.score(X[test], y[test], s[test]), rtol=1e-6)
    s[:] = np.arange(120) < 80
    with pytest.raises(ValueError, match="Fold 0 holds out no row with a positive weight"):
        GDRegressorCV(alphas=[0.1], cv=[(train, test)]).fit(X, y, sample_weight=s)
    with pytest.raises(ValueError, match="Fold 0 leaves no row with a positive weight"):
        GDRegressorCV(alphas=[0.1], cv=[(test, train)]).fit(X, y, sample_weight=s)


@pytest.mark.parametrize("solver", ["auto", "sgd"])
def test_threads_change_nothing(solver, labels):
    options = {"alphas": 4, "solver": solver, "max_iter": 20, "tol": None}
    found = [
        GDClassifierCV(**options, random_state=np.random.RandomState(0), n_jobs=n).fit(*labels)
        for n in (1, 4)
    ]
    name = "mean_test_score"
    assert_array_equal(found[0].cv_results_[name], found[1].cv_results_[name])
    assert_array_equal(found[0].coef_, found[1].coef_)


# ---- scikit-learn's manners ----


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [
        GDRegressorCV(alphas=4, cv=2),
        GDRegressorCV(penalty="elasticnet", l1_ratio=[0.5, 1.0], alphas=3, cv=2),
        GDClassifierCV(alphas=4, cv=2),
        GDClassifierCV("squared_hinge", penalty="l1", alphas=3, cv=2),
    ]
)
def test_estimator_passes(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "plain, cv", [(GDRegressor, GDRegressorCV), (GDClassifier, GDClassifierCV)]
)
def test_parameters_are_those_of_the_plain_estimator(plain, cv):
    ours, theirs = cv().get_params(deep=False), plain().get_params(deep=False)
    assert theirs.pop("alpha")
    assert {name: ours[name] for name in theirs} == theirs
    assert set(ours) - set(theirs) == {"alphas", "cv", "eps", "selection", "refit"}
    assert cv("huber" if plain is GDRegressor else "hinge").loss in ("huber", "hinge")
    with pytest.raises(TypeError, match="alpha"):
        cv(alpha=1.0)


def test_it_has_all_that_a_plain_model_has(labels):
    X, y = labels
    model = GDClassifierCV(alphas=3).fit(X, y)
    plain = GDClassifier(alpha=model.alpha_).fit(X, y)
    fitted = {k for k in vars(plain) if k.endswith("_") and not k.startswith("_")}
    assert fitted <= set(vars(model))
    assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    assert f"alpha {model.alpha_:g}" in skgd.summary(model)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))
    assert not hasattr(clone(model), "coef_")
    assert re.match(r"GDClassifierCV\(alphas=3\)", repr(model))


def test_it_works_in_pipelines_and_searches(labels):
    X, y = labels
    pipe = make_pipeline(StandardScaler(), GDClassifierCV(alphas=3, cv=3))
    grid = {"gdclassifiercv__loss": ["log_loss", "squared_hinge"]}
    search = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    assert search.score(X, y) > 0.65


def test_metadata_goes_where_it_is_asked_for(numbers):
    X, y = numbers
    s, groups = np.random.RandomState(0).uniform(size=120), np.arange(120) % 5
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = make_scorer(mean_pinball_loss, greater_is_better=False)
        cv = GroupKFold(3).set_split_request(groups=True)
        model = GDRegressorCV(
            alphas=[0.1], cv=cv, scoring=scorer.set_score_request(sample_weight=True)
        )
        model.fit(X, y, sample_weight=s, groups=groups)
        routed = model.get_metadata_routing()
    assert "sample_weight" in str(routed)
    scores = []
    for a, b in GroupKFold(3).split(X, y, groups):
        own = GDRegressor(alpha=0.1).fit(X[a], y[a], sample_weight=s[a])
        scores.append(-mean_pinball_loss(y[b], own.predict(X[b]), sample_weight=s[b]))
    assert_allclose(model.best_score_, np.mean(scores), rtol=1e-6)


def test_without_refit_there_are_no_coefficients(labels):
    model = GDClassifierCV(alphas=3, refit=False).fit(*labels)
    assert model.alpha_ in model.alphas_
    with pytest.raises(sklearn.exceptions.NotFittedError):
        model.predict(labels[0])


def test_a_stream_is_left_to_the_plain_estimator():
    assert not hasattr(GDClassifierCV(), "partial_fit")
    with pytest.raises(AttributeError, match="has no attribute 'partial_fit'") as error:
        GDRegressorCV(solver="sgd").partial_fit
    assert "GDRegressor.partial_fit can" in str(error.value.__cause__)


def test_warm_start_begins_at_the_last_coefficients(labels):
    model = GDClassifierCV(alphas=[0.1], solver="gd", warm_start=True, tol=1e-6).fit(*labels)
    before = model.n_iter_
    assert model.fit(*labels).n_iter_ < 0.5 * before


def test_callbacks_watch_the_last_fit(labels):
    callback = pytest.importorskip("sklearn.callback")
    monitor = [getattr(callback, n) for n in dir(callback) if n == "ScoringMonitor"]
    if not monitor:
        pytest.skip("no callback to set")
    model = GDClassifierCV(alphas=3)
    seen = monitor[0](scoring="accuracy")
    model.set_callbacks(seen).fit(*labels)
    assert seen.get_logs()


def test_fits_that_are_too_short_warn_once(labels):
    model = GDClassifierCV(alphas=[0.1, 0.01], solver="gd", max_iter=2, tol=1e-9, refit=False, cv=3)
    with pytest.warns(ConvergenceWarning, match="6 of 6 fits of GDClassifierCV") as caught:
        model.fit(*labels)
    assert len(caught) == 1


@pytest.mark.parametrize(
    "params, error, message",
    [
        ({"alphas": 0.5}, TypeError, "alphas must be a sequence of numbers"),
        ({"alphas": True}, TypeError, "alphas must be"),
        ({"alphas": 0}, ValueError, "alphas must be at least 1; got 0"),
        ({"l1_ratio": [0.5, 1.0]}, ValueError, "penalty='l2' uses none"),
        ({"penalty": "elasticnet", "l1_ratio": []}, ValueError, "l1_ratio must hold at least one"),
        ({"penalty": "elasticnet", "l1_ratio": [2.0]}, ValueError, r"l1_ratio must be in \[0, 1\]"),
        ({"penalty": None}, ValueError, "penalty=None has no strength"),
        ({"selection": "min"}, ValueError, "selection must be in"),
        ({"refit": 1}, TypeError, "refit must be True or False"),
        ({"early_stopping": True}, ValueError, "early_stopping=True stops each fit"),
        ({"scoring": "nonsense"}, ValueError, "scoring"),
        ({"scoring": ["accuracy", "roc_auc"]}, TypeError, r"scoring must be .* got \['accuracy'"),
        ({"scoring": {"a": "accuracy"}}, TypeError, "scoring must be .* got {'a': 'accuracy'}"),
        ({"cv": 1}, ValueError, "k-fold|n_splits"),
        ({"cv": []}, ValueError, "gives no folds"),
    ],
)
def test_bad_parameters_are_named_and_the_model_stays(params, error, message, labels):
    model = GDClassifierCV(alphas=3).fit(*labels)
    before = {k: v for k, v in vars(model).items() if k.endswith("_")}
    model.set_params(**params)
    with pytest.raises(error, match=message):
        model.fit(*labels)
    assert {k: v for k, v in vars(model).items() if k.endswith("_")} == before


def test_metadata_that_nobody_takes_is_refused(labels):
    with pytest.raises(TypeError, match=r"fit got \['coef_init'\]"):
        GDClassifierCV().fit(*labels, coef_init=1)
