"""Streams: what is learnt is what partial_fit learns, whatever the batches come from."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss, mean_squared_error
from stream_cases import SIZE, N, by_hand

from skgd import GDClassifier, GDRegressor, GDRegressorCV
from skgd.streaming import (
    ArrayBatches,
    CSVBatches,
    Prefetch,
    SQLBatches,
    fit_stream,
)

# ---- the loop ----


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("solver", ["auto", "sgd", "adam"])
def test_a_stream_is_a_loop_over_partial_fit(X, y, solver, storage):
    A = storage(X)
    make = lambda: GDClassifier(solver=solver, random_state=0)  # noqa: E731
    plain, ahead = by_hand(make(), A, y, [0, 1])
    est = fit_stream(make(), ArrayBatches(A, y, batch_size=SIZE), classes=[0, 1])
    assert_array_equal(est.coef_, plain.coef_)
    assert_array_equal(est.intercept_, plain.intercept_)
    assert np.isnan(est.history_["progressive"][0])
    assert_allclose(est.history_["progressive"][1:], ahead, rtol=1e-9)
    assert est.history_["rows"].tolist() == [20, 40, 60, 80, 100, 105]
    assert est.n_iter_ == 6
    assert {len(values) for values in est.history_.values()} == {6}
    assert_array_equal(est.loss_curve_, est.history_["value"])
    # It goes on: nothing of the stream is lost.
    plain.partial_fit(A[:30], y[:30])
    assert_array_equal(est.partial_fit(A[:30], y[:30]).coef_, plain.coef_)


def test_weights_targets_and_epochs(X, target):
    Y, s = target(X, "targets"), np.linspace(0.0, 2.0, N)
    make = lambda: GDRegressor(solver="sgd", random_state=0)  # noqa: E731
    plain, _ = by_hand(make(), X, Y, s=s)
    plain, _ = by_hand(plain, X, Y, s=s)
    est = fit_stream(make(), ArrayBatches(X, Y, s, batch_size=SIZE), epochs=2)
    assert_array_equal(est.coef_, plain.coef_)
    assert est.n_iter_ == 12
    few = fit_stream(make(), [(X, Y, s), (X[:10], Y[:10], s[:10])])
    want = (
        mean_squared_error(
            Y[:10],
            by_hand(make(), X, Y, s=s, size=N)[0].predict(X[:10]),
            sample_weight=s[:10],
            multioutput="raw_values",
        ).sum()
        / 2
    )
    assert_allclose(few.history_["progressive"][1], want)


def test_the_best_model_on_rows_held_out_is_restored(X, y):
    held = X[:40], y[:40]
    models, scores = [], [3.0, 1.0, 5.0, 4.0, 4.5, 4.9]

    def scorer(est, X, y):
        models.append(est.coef_.copy())
        return scores[len(models) - 1]

    est = GDClassifier(random_state=0)
    fit_stream(
        est,
        ArrayBatches(X, y, batch_size=10),
        classes=[0, 1],
        validation=held,
        validate_every=1,
        scoring=scorer,
        patience=3,
    )
    assert est.n_iter_ == 6
    assert (est.stop_reason_, est.converged_) == ("early_stopping", True)
    assert_array_equal(est.history_["validation_score"], scores)
    assert_array_equal(est.coef_, models[2])
    est.partial_fit(X, y)  # goes on from what was restored


def test_the_loss_on_rows_held_out_is_the_default(X, y):
    est = GDClassifier(random_state=0)
    fit_stream(
        est,
        ArrayBatches(X, y, batch_size=SIZE),
        classes=[0, 1],
        epochs=3,
        validation=(X[:30], y[:30]),
    )
    scores = est.history_["validation_score"]
    assert np.isfinite(scores).tolist() == ([False] * 5 + [True]) * 3
    assert np.nanmax(scores) == pytest.approx(-log_loss(y[:30], est.predict_proba(X[:30])))


def test_a_callback_sees_each_batch_and_may_stop(X, y, capsys):
    seen = []
    est = GDClassifier(random_state=0, verbose=1)
    fit_stream(
        est,
        ArrayBatches(X, y, batch_size=SIZE),
        classes=[0, 1],
        epochs=2,
        callback=lambda e: seen.append((e.batch, e.epoch, e.rows)) or e.batch == 8,
    )
    assert seen[0] == (1, 1, 20)
    assert seen[-1] == (8, 2, 145)
    assert est.stop_reason_ == "callback"
    assert "batch     1  rows        20" in capsys.readouterr().out


def test_an_interrupt_leaves_the_last_whole_batch(X, y):
    def batches():
        yield X[:50], y[:50]
        raise KeyboardInterrupt

    est = GDClassifier(random_state=0)
    with pytest.raises(KeyboardInterrupt):
        fit_stream(est, batches(), classes=[0, 1])
    plain = GDClassifier(random_state=0).partial_fit(X[:50], y[:50], classes=[0, 1])
    assert_array_equal(est.coef_, plain.coef_)
    assert est.n_iter_ == 1


@pytest.mark.parametrize(
    "batch, message",
    [
        (lambda X, y: (X[:, :3], y), "Batch 2: X has 3 features"),
        (lambda X, y: (X, y + 5), "Batch 2: .*not in classes|Batch 2: "),
        (lambda X, y: (X * np.nan, y), "Batch 2: Input X contains NaN"),
        (lambda X, y: (X, y[:-1]), "Batch 2: .*inconsistent numbers of samples"),
        (lambda X, y: X, r"Batch 2 must be \(X, y\).*got ndarray of length 105"),
        (lambda X, y: (X, y, y - 9.0), "Batch 2: .*[Nn]egative"),
    ],
)
def test_a_bad_batch_is_named_and_loses_nothing(X, y, batch, message):
    est = GDClassifier(random_state=0)
    with pytest.raises((ValueError, TypeError), match=message):
        fit_stream(est, [(X, y), batch(X, y)], classes=[0, 1])
    plain = GDClassifier(random_state=0).partial_fit(X, y, classes=[0, 1])
    assert_array_equal(est.coef_, plain.coef_)
    assert est.n_iter_ == 1


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda X, y: fit_stream(GDClassifier(), []), "classes must be given"),
        (lambda X, y: fit_stream(GDRegressor(), []), "list yielded no batch"),
        (lambda X, y: fit_stream(GDRegressor(), iter([(X, y)]), epochs=2), "can be read again"),
        (lambda X, y: fit_stream(GDRegressor(), [], epochs=0), "epochs must be at least 1"),
        (lambda X, y: fit_stream(GDRegressor(), [(X, y)], classes=[0, 1]), "for a regressor"),
        (lambda X, y: fit_stream(GDRegressor(), [(X, y)], validate_every=2), "needs rows to score"),
        (
            lambda X, y: fit_stream(GDRegressor(), [(X, y)], validation=(X, y), scoring="nope"),
            "scoring",
        ),
        (lambda X, y: fit_stream(GDRegressor(), [], validation=X), r"validation must be \(X, y\)"),
        (lambda X, y: fit_stream(GDRegressor(solver="newton"), [(X, y)]), "needs all rows"),
        (
            lambda X, y: fit_stream(SGDClassifier(), [(X, y)], classes=[0, 1]),
            "est must be a GDClassifier or a GDRegressor; got SGDClassifier",
        ),
        (lambda X, y: fit_stream(GDRegressorCV(), [(X, y)]), "GDRegressor.partial_fit can"),
        (lambda X, y: ArrayBatches(X, y[:3]), r"different lengths: \[105, 3\]"),
        (lambda X, y: ArrayBatches(X, y, batch_size=0), "batch_size must be at least 1"),
        (lambda X, y: Prefetch([], ahead=0), "ahead must be at least 1"),
        (lambda X, y: SQLBatches("a.db", "", target="y"), "connect must be a function"),
        (lambda X, y: CSVBatches("a", target="y", dtype=int), "dtype must be float64 or float32"),
    ],
)
def test_what_cannot_work_is_told_before_any_work(X, y, call, message):
    with pytest.raises((ValueError, TypeError, AttributeError), match=message):
        call(X, y)


@pytest.mark.parametrize("scoring", [["r2"], {"r2": "r2"}, ("r2", "max_error")])
def test_one_score_tells_when_to_stop(X, y, scoring):
    est = GDRegressor()
    with pytest.raises(TypeError, match=r"scoring must be None, 'loss', the name .* got"):
        fit_stream(est, [(X, y)], validation=(X, y), scoring=scoring)
    assert not hasattr(est, "coef_")


def test_other_classes_than_those_learnt_are_refused(X, y):
    est = fit_stream(GDClassifier(random_state=0), [(X, y)], classes=[0, 1])
    with pytest.raises(ValueError, match=r"classes=\[0, 1, 2\] is not the same"):
        fit_stream(est, [(X, y)], classes=[0, 1, 2])
    fit_stream(est, [(X, y)], classes=[0, 1])


def test_a_score_that_is_not_a_number_is_the_worst(X, y):
    scores = [np.nan, 1.0, np.nan, 2.0]
    given = iter(scores)
    est = GDClassifier(random_state=0)
    held = {"validation": (X, y), "validate_every": 1, "scoring": lambda *a: next(given)}
    models = []
    keep = lambda event: models.append(event.estimator.coef_.copy())  # noqa: E731
    fit_stream(est, [(X, y)] * 4, classes=[0, 1], callback=keep, **held)
    assert_array_equal(est.coef_, models[3])
