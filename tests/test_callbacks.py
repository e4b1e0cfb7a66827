"""Early stopping, validation rows, scikit-learn's callbacks, and interrupts."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import f1_score, get_scorer, make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDClassifier, GDRegressor
from skgd._compat import HAS_CALLBACKS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SOLVERS = ["gd", "sgd", "adam"]
needs_callbacks = pytest.mark.skipif(not HAS_CALLBACKS, reason="needs scikit-learn 1.9")


@pytest.fixture
def X(rows):
    return rows(100, 4)


@pytest.fixture
def y(X, target):
    return target(X, "regression")


@pytest.fixture
def labels(X, target):
    return target(X, "binary")


class Scores:
    """A scorer that gives the scores it is told to, and keeps what it was shown."""

    def __init__(self, *scores):
        self.scores, self.seen, self.models = scores, [], []

    def __call__(self, est, X, y, **options):
        k = len(self.models)
        self.seen.append((X, y, options))
        self.models.append((est.coef_.copy(), est.intercept_.copy()))
        return self.scores[min(k, len(self.scores) - 1)]


# ---- early stopping ----


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_held_out_rows_are_scored_and_not_learnt_from(X, y, solver, storage, F):
    scores = Scores(1.0, 2.0, 3.0)
    est = GDRegressor(
        solver=solver, early_stopping=True, validation_fraction=0.25, scoring=scores, alpha=0.1
    )
    est.set_params(max_iter=3, random_state=5, tol=None).fit(storage(X), y)
    held, y_held, _ = scores.seen[0]
    held = held.toarray() if sp.issparse(held) else held
    assert held.shape == (25, 4)
    rest = ~np.isin(X[:, 0] + y, held[:, 0] + y_held)
    assert rest.sum() == 75
    for value, (coef, intercept) in zip(est.loss_curve_, scores.models, strict=True):
        want = F(X[rest], y[rest], coef, intercept, loss="squared_error", alpha=0.1)
        assert_allclose(value, want, rtol=1e-10)


def test_both_kinds_of_labels_are_held_out_in_their_shares(X):
    labels = np.where(np.arange(100) < 20, "rare", "usual")
    scores = Scores(1.0)
    GDClassifier(early_stopping=True, scoring=scores).fit(X, labels)
    shown = scores.seen[0][1]
    assert sorted(shown.tolist()) == ["rare"] * 2 + ["usual"] * 8


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("patience", [1, 4])
def test_the_best_pass_is_restored(X, y, solver, patience):
    scores = Scores(0.0, 1.0, 5.0, 2.0, 2.5, 5.0, 3.0, 3.0, 3.0, 3.0)
    est = GDRegressor(solver=solver, eta0=0.01, early_stopping=True, n_iter_no_change=patience)
    est.set_params(scoring=scores).fit(X, y)
    # A score as good as the best is no progress.
    assert est.n_iter_ == 3 + patience
    assert est.stop_reason_ == "early_stopping"
    assert est.converged_
    assert_array_equal(est.history_["validation_score"], scores.scores[: est.n_iter_])
    assert_array_equal(est.coef_, scores.models[2][0])
    assert_array_equal(est.intercept_, scores.models[2][1])


def test_progress_is_what_exceeds_tol(X, y):
    rising = Scores(*np.arange(1, 60) * 0.01)
    params = {"early_stopping": True, "solver": "sgd", "max_iter": 20}
    est = GDRegressor(scoring=rising, tol=0.02, **params).fit(X, y)
    assert est.n_iter_ < 20
    est = GDRegressor(scoring=Scores(*rising.scores), tol=0.005, **params).fit(X, y)
    assert est.stop_reason_ == "max_iter"
    est = GDRegressor(scoring=Scores(0.0), tol=None, **params).fit(X, y)
    assert est.stop_reason_ == "max_iter"


@pytest.mark.parametrize("cls", [GDClassifier, GDRegressor])
def test_the_score_of_the_estimator_is_watched_by_default(X, y, labels, cls):
    target = labels if cls is GDClassifier else y
    est = cls(solver="sgd", early_stopping=True, max_iter=30)
    est.fit(X, target, X_val=X[:30], y_val=target[:30])
    assert est.score(X[:30], target[:30]) == est.history_["validation_score"].max()


@pytest.mark.parametrize("kind", ["binary", "classes"])
@pytest.mark.parametrize("weighted", [True, False])
def test_the_loss_of_validation_rows_can_be_watched(X, target, kind, weighted, F):
    labels, s = target(X, kind), np.linspace(0, 2, 30)
    est = GDClassifier(solver="adam", early_stopping=True, scoring="loss", max_iter=20)
    val = {"X_val": X[:30], "y_val": labels[:30], "sample_weight_val": s if weighted else None}
    est.fit(X[30:], labels[30:], **val)
    y = np.where(labels[:30] == 1, 1, -1) if kind == "binary" else labels[:30]
    want = F(
        X[:30], y, est.coef_, est.intercept_, loss="log_loss", alpha=0, s=s if weighted else None
    )
    assert_allclose(est.history_["validation_score"].max(), -want, rtol=1e-12)


@pytest.mark.parametrize(
    "scoring",
    [
        "f1",
        "neg_log_loss",
        "roc_auc",
        make_scorer(f1_score, pos_label=1),
        lambda est, X, y: est.predict_proba(X)[:, 1].std(),
    ],
    ids=lambda v: v if isinstance(v, str) else type(v).__name__,
)
def test_any_scorer_can_be_watched(X, labels, scoring):
    est = GDClassifier(solver="adam", early_stopping=True, scoring=scoring, max_iter=15)
    est.fit(X, labels, X_val=X[:40], y_val=labels[:40])
    score = get_scorer(scoring) if isinstance(scoring, str) else scoring
    assert_allclose(score(est, X[:40], labels[:40]), est.history_["validation_score"].max())


@pytest.mark.parametrize("shape", ["vector", "column", "matrix"])
@pytest.mark.parametrize("scoring", [None, "loss", "neg_mean_squared_error"])
@pytest.mark.parametrize("given", [True, False])
def test_several_targets_are_validated(X, y, shape, scoring, given):
    y = {"vector": y, "column": y[:, None], "matrix": np.column_stack([y, -y])}[shape]
    est = GDRegressor(early_stopping=True, scoring=scoring, max_iter=10)
    val = {"X_val": X[:20], "y_val": y[:20]} if given else {}
    est.fit(X, y, **val)
    assert np.isfinite(est.history_["validation_score"]).all()
    assert est.predict(X).shape == y.shape


def test_weights_of_validation_rows_reach_the_scorer(X, y):
    s, scores = np.linspace(1, 2, 20), Scores(1.0)
    est = GDRegressor(early_stopping=True, scoring=scores)
    est.fit(X, y, X_val=X[:20], y_val=y[:20], sample_weight_val=s)
    X_seen, y_seen, options = scores.seen[0]
    assert_array_equal(X_seen, X[:20])
    assert_array_equal(y_seen, y[:20])
    assert_array_equal(options["sample_weight"], s)


def test_validation_rows_given_leave_all_rows_to_learn_from(X, y, F):
    est = GDRegressor(early_stopping=True, alpha=0.1, max_iter=5)
    est.fit(X, y, X_val=X[:20], y_val=y[:20])
    best = est.history_["validation_score"].argmax()
    want = F(X, y, est.coef_, est.intercept_, loss="squared_error", alpha=0.1)
    assert_allclose(est.loss_curve_[best], want, rtol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_validation_rows_alone_are_recorded_and_change_nothing(X, y, solver):
    plain, seen = (GDRegressor(solver=solver, random_state=0) for _ in range(2))
    plain.fit(X, y)
    seen.fit(X, y, X_val=X[:20], y_val=y[:20])
    assert_array_equal(seen.coef_, plain.coef_)
    assert seen.stop_reason_ == plain.stop_reason_
    assert len(seen.history_["validation_score"]) == seen.n_iter_
    assert "validation_score" not in plain.history_


def test_the_adaptive_rate_falls_with_the_validation_score(X, y):
    est = GDRegressor(
        solver="sgd", eta0=0.01, learning_rate="adaptive", early_stopping=True, n_iter_no_change=2
    )
    est.set_params(scoring=Scores(1.0), max_iter=7).fit(X, y)
    assert_allclose(est.history_["rate"], 0.01 / 5.0 ** np.array([0, 0, 0, 1, 1, 2, 2]))
    est.set_params(scoring=Scores(1.0), max_iter=1000).fit(X, y)
    assert est.stop_reason_ == "early_stopping"
    assert est.history_["rate"][-1] <= 1e-6 < 5.01 * est.history_["rate"][-1]


# ---- scikit-learn's callbacks ----


class Recorder:
    """Keeps the hooks called; asks to stop at the end of pass ``stop_at``."""

    def __init__(self, stop_at=None, error=None):
        self.stop_at, self.error, self.calls, self.models = stop_at, error, [], []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.given = X, y
        self.calls.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None, metadata=None):
        self.calls.append(f"end {context.task_name}")
        self.metadata = metadata
        if fitted_estimator is not None:
            self.models.append(fitted_estimator)
        passes = self.calls.count("end pass")
        if self.error is not None and passes == 2 and context.task_name == "pass":
            raise self.error
        return passes == self.stop_at


@needs_callbacks
@pytest.mark.parametrize("solver", SOLVERS)
def test_hooks_are_called_around_the_run_and_each_pass(X, labels, solver):
    seen = Recorder()
    est = GDClassifier(solver=solver, max_iter=4, tol=None).set_callbacks(seen)
    est.fit(X, labels, sample_weight=np.ones(100))
    assert seen.calls == [
        "setup", "begin fit", *["begin pass", "end pass"] * 4, "end fit", "teardown"
    ]  # fmt: skip
    assert seen.given[0] is X
    assert seen.given[1] is labels
    assert_array_equal(seen.metadata["sample_weight"], 1.0)


@needs_callbacks
@pytest.mark.parametrize("solver", SOLVERS)
def test_hooks_see_a_model_fitted_so_far(X, labels, solver, F):
    seen = Recorder()
    est = GDClassifier(solver=solver, max_iter=4, tol=None, alpha=0.1).set_callbacks(seen)
    est.fit(X, labels)
    assert len(seen.models) >= 4
    for value, model in zip(est.loss_curve_, seen.models, strict=False):
        want = F(X, 2 * labels - 1, model.coef_, model.intercept_, loss="log_loss", alpha=0.1)
        assert_allclose(value, want, rtol=1e-12)
        assert model.predict(X).shape == (100,)
    assert_array_equal(seen.models[3].coef_, est.coef_)


@needs_callbacks
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("k", [1, 3])
def test_a_hook_may_end_the_run(X, labels, solver, k):
    est = GDClassifier(solver=solver, random_state=0).set_callbacks(Recorder(stop_at=k))
    est.fit(X, labels)
    assert (est.n_iter_, est.stop_reason_, est.converged_) == (k, "callback", False)
    plain = GDClassifier(solver=solver, random_state=0, max_iter=k, tol=None).fit(X, labels)
    assert_array_equal(est.coef_, plain.coef_)


@needs_callbacks
def test_an_error_in_a_hook_leaves_the_model_as_it_was(X, labels):
    est = GDClassifier(solver="gd", max_iter=3).fit(X, labels)
    before = est.coef_
    est.set_callbacks(Recorder(error=RuntimeError("from the hook")))
    with pytest.raises(RuntimeError, match="from the hook"):
        est.fit(X, 1 - labels)
    assert est.coef_ is before


@needs_callbacks
def test_a_scoring_monitor_sees_the_score_of_every_pass(X, labels):
    from sklearn.callback import ScoringMonitor

    monitor = ScoringMonitor(scoring="accuracy")
    est = GDClassifier(solver="sgd", max_iter=5, tol=None).set_callbacks(monitor)
    est.fit(X, labels, sample_weight=np.linspace(1, 2, 100))
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "pass"]
    assert len(rows) == 5
    assert rows[-1]["accuracy"] == est.score(X, labels, np.linspace(1, 2, 100))


@needs_callbacks
def test_callbacks_work_within_pipelines_and_searches(X, labels):
    seen = Recorder(stop_at=2)
    inner = GDClassifier(solver="sgd").set_callbacks(seen)
    model = make_pipeline(StandardScaler(), inner).fit(X, labels)
    assert model[-1].stop_reason_ == "callback"
    inner = GDClassifier(max_iter=3).set_callbacks(Recorder())
    search = GridSearchCV(inner, {"alpha": [0.1, 1.0]}, cv=2, error_score="raise").fit(X, labels)
    assert search.best_estimator_.n_iter_ <= 3


# ---- interrupts ----


class Interrupts:
    """The squared error; its ``gradient`` is interrupted at one call."""

    def __init__(self, at):
        self.at, self.calls = at, 0

    def value(self, y, eta):
        return 0.5 * (eta - y) ** 2

    def gradient(self, y, eta):
        self.calls += 1
        if self.calls == self.at:
            raise KeyboardInterrupt
        return eta - y


def interrupt_at(k):
    """A scorer, 0 always, interrupted at pass ``k``."""
    calls = []

    def score(est, X, y):
        calls.append(1)
        if len(calls) == k:
            raise KeyboardInterrupt
        return 0.0

    return score


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("eta0", ["auto", 0.05])
def test_an_interrupted_fit_keeps_the_best_point_and_raises_again(X, y, solver, eta0, F):
    est = GDRegressor(solver=solver, eta0=eta0, alpha=0.1, scoring=interrupt_at(4))
    est.set_params(max_iter=50, tol=1e-12)
    with pytest.raises(KeyboardInterrupt):
        est.fit(X, y, X_val=X, y_val=y)
    assert (est.stop_reason_, est.n_iter_, est.converged_) == ("interrupted", 4, False)
    assert {len(column) for column in est.history_.values()} == {4}
    assert_array_equal(est.history_["validation_score"], [0, 0, 0, np.nan])
    reached = F(X, y, est.coef_, est.intercept_, loss="squared_error", alpha=0.1)
    assert_allclose(reached, est.loss_curve_.min(), rtol=1e-12)
    if solver != "gd":
        est.set_params(scoring=None).partial_fit(X, y)
    assert np.isfinite(est.predict(X)).all()


@pytest.mark.parametrize("batches", [2, 5, 8])
def test_a_pass_cut_off_counts_for_nothing(X, y, batches, F):
    common = {"solver": "momentum", "eta0": 0.01, "batch_size": 10, "alpha": 0.1, "tol": None}
    whole = GDRegressor(Interrupts(0), shuffle=False, max_iter=2, **common).fit(X, y)
    cut = GDRegressor(Interrupts(whole.loss.calls + batches), shuffle=False, **common)
    with pytest.raises(KeyboardInterrupt):
        cut.fit(X, y)
    assert cut.n_iter_ == len(cut.loss_curve_) == 2
    assert cut.t_ == whole.t_
    assert_array_equal(cut.coef_, whole.coef_)
    assert_array_equal(cut.intercept_, whole.intercept_)
    reached = F(X, y, cut.coef_, cut.intercept_, loss="squared_error", alpha=0.1)
    assert_allclose(reached, cut.loss_curve_.min(), rtol=1e-12)


@pytest.mark.parametrize("solver", ["gd", "adam"])
def test_an_interrupt_before_the_first_pass_leaves_the_model_as_it_was(X, y, solver):
    est = GDRegressor(solver=solver, max_iter=3).fit(X, y)
    before = pickle.dumps({k: v for k, v in vars(est).items() if k != "loss"})
    est.set_params(loss=Interrupts(1))
    with pytest.raises(KeyboardInterrupt):
        est.fit(X[:, :2], y)
    assert pickle.dumps({k: v for k, v in vars(est).items() if k != "loss"}) == before


@pytest.mark.parametrize("eta0", ["auto", 0.01])
def test_an_interrupted_partial_fit_changes_nothing(X, y, eta0):
    loss = Interrupts(0)
    est = GDRegressor(loss, solver="adam", eta0=eta0, batch_size=10)
    loss.at = loss.calls + 5
    with pytest.raises(KeyboardInterrupt):
        est.partial_fit(X, y)
    assert set(vars(est)) == set(GDRegressor().get_params())

    est.partial_fit(X, y)
    twin = pickle.loads(pickle.dumps(est))
    before = pickle.dumps({k: v for k, v in vars(est).items() if k != "loss"})
    loss.at = loss.calls + 5
    with pytest.raises(KeyboardInterrupt):
        est.partial_fit(X, y)
    assert pickle.dumps({k: v for k, v in vars(est).items() if k != "loss"}) == before
    assert_array_equal(est.partial_fit(X, y).coef_, twin.partial_fit(X, y).coef_)


@needs_callbacks
def test_an_interrupt_in_a_hook_keeps_the_best_point(X, labels):
    est = GDClassifier(solver="gd").set_callbacks(Recorder(error=KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        est.fit(X, labels)
    assert (est.stop_reason_, est.n_iter_) == ("interrupted", 2)
    assert est.score(X, labels) > 0.5
