"""What is recorded, printed and warned about is what happened."""

import re

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skgd import GDClassifier, GDRegressor
from skgd.schedules import Step

SOLVERS = ["gd", "sgd", "momentum", "adam"]
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def X(rows):
    return rows(70, 4)


@pytest.fixture
def y(X, target):
    return target(X, "regression")


@pytest.fixture
def labels(X, target):
    return target(X, "binary")


# ---- lengths ----


@quiet
@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
@pytest.mark.parametrize("params", [{"max_iter": 3}, {"tol": 0.1}, {"early_stopping": True}])
def test_every_array_has_an_entry_for_each_iteration(X, y, solver, params):
    est = GDRegressor(solver=solver, **params).fit(X, y)
    names = {"value", "violation", "rate", "seconds"}
    if "early_stopping" in params:
        names.add("validation_score")
    assert set(est.history_) == names
    assert {len(column) for column in est.history_.values()} == {est.n_iter_}
    assert_array_equal(est.loss_curve_, est.history_["value"])
    assert len(est.loss_curve_) == est.n_iter_


@quiet
@pytest.mark.parametrize("batch_size", [1, 8, 70, 1000])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_updates_are_counted_from_one(X, y, solver, batch_size):
    est = GDRegressor(solver=solver, batch_size=batch_size, max_iter=4, tol=None).fit(X, y)
    assert est.t_ == 1 + 4 * int(np.ceil(70 / batch_size))
    est.partial_fit(X[:20], y[:20])
    assert est.t_ == 1 + 4 * int(np.ceil(70 / batch_size)) + int(np.ceil(20 / batch_size))
    assert est.n_iter_ == len(est.loss_curve_) == 1


@quiet
def test_an_update_of_batch_descent_is_an_iteration(X, y):
    est = GDRegressor(solver="gd", max_iter=4, tol=None, eta0=0.01).fit(X, y)
    assert (est.n_iter_, est.t_) == (4, 5)


# ---- values ----


@quiet
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("eta0", ["auto", 0.01])
@pytest.mark.parametrize("penalty", ["l2", "l1", "elasticnet", None])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_the_last_value_is_F_at_the_coefficients(X, y, solver, eta0, penalty, storage, F):
    s = np.linspace(0, 2, 70)
    for passes in (1, 2, 5):
        est = GDRegressor(solver=solver, eta0=eta0, penalty=penalty, alpha=0.05, max_iter=passes)
        est.set_params(tol=None, random_state=1).fit(storage(X), y, sample_weight=s)
        want = F(
            X, y, est.coef_, est.intercept_, loss="squared_error", alpha=0.05, penalty=penalty, s=s
        )
        assert_allclose(est.loss_curve_[-1], want, rtol=1e-10)
        if passes == 1:
            first = want
    assert_allclose(est.loss_curve_[0], first, rtol=1e-10)


@quiet
@pytest.mark.parametrize("average", [False, True, 100])
@pytest.mark.parametrize("kind", ["binary", "classes"])
@pytest.mark.parametrize("loss", ["log_loss", "hinge", "modified_huber"])
def test_values_of_averages_and_classes_are_F_too(X, target, average, kind, loss, F):
    labels = target(X, kind)
    est = GDClassifier(loss, solver="sgd", average=average, alpha=0.05, max_iter=4, tol=None)
    est.fit(X, labels)
    y = 2 * labels - 1 if kind == "binary" else labels
    want = F(X, y, est.coef_, est.intercept_, loss=loss, alpha=0.05)
    assert_allclose(est.loss_curve_[-1], want, rtol=1e-10)


@quiet
@pytest.mark.parametrize(
    "loss, kind",
    [("poisson", "counts"), ("gamma", "positive"), ("tweedie", "positive"), ("huber", "targets")],
)
def test_values_of_other_losses_are_F_too(X, target, loss, kind, F):
    y = target(X, kind)
    est = GDRegressor(loss, alpha=0.05, max_iter=6).fit(X, y)
    want = F(X, y, est.coef_, est.intercept_, loss=loss, alpha=0.05)
    assert_allclose(est.loss_curve_[-1], want, rtol=1e-10)


@quiet
@pytest.mark.parametrize("loss", ["log_loss", "squared_hinge", "hinge", "absolute_error"])
@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_batch_descent_with_its_own_rate_never_rises(X, labels, loss, penalty):
    X = X * 10.0 ** np.arange(-2, 6, 2) + 100.0
    est = GDClassifier(loss, solver="gd", penalty=penalty, alpha=0.01, max_iter=100)
    curve = est.fit(X, labels).loss_curve_
    assert (np.diff(curve) <= 1e-14 * np.abs(curve[1:])).all()


@pytest.mark.parametrize("solver", ["auto", "sgd", "adam"])
def test_partial_fit_records_F_on_the_rows_it_was_given(X, y, solver, F):
    est = GDRegressor(solver=solver, alpha=0.05)
    est.partial_fit(X[:40], y[:40]).partial_fit(X[40:], y[40:])
    want = F(X[40:], y[40:], est.coef_, est.intercept_, loss="squared_error", alpha=0.05)
    assert_allclose(est.loss_curve_, [want], rtol=1e-10)


# ---- violation, rate, seconds ----


@quiet
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("penalty, l2", [("l2", 0.05), (None, 0.0)])
def test_violation_is_the_largest_slope_of_F(X, y, solver, penalty, l2):
    # With a rate that is given the variables are the user's, so F's own slopes are meant.
    est = GDRegressor(solver=solver, penalty=penalty, eta0=0.01, alpha=0.05, verbose=1)
    est.set_params(max_iter=5, tol=None).fit(X, y)

    def slope(w, b):
        r = X @ w + b - y
        return max(np.abs(r @ X / 70 + l2 * w).max(), abs(r.mean()))

    want = slope(est.coef_, est.intercept_)
    assert_allclose(est.history_["violation"][-1], want, rtol=1e-10)
    if penalty is None:
        # Relative to the slope at zero coefficients with the best intercept.
        assert_allclose(est.optimality_, want / slope(np.zeros(4), y.mean()), rtol=1e-10)


@pytest.mark.parametrize("tol", [1e-2, 1e-6])
def test_batch_descent_without_a_gap_stops_where_the_violation_is_small_enough(X, y, tol):
    est = GDRegressor(solver="gd", penalty=None, tol=tol).fit(X, y)
    assert (est.stop_reason_, est.optimality_kind_) == ("converged", "violation")
    assert est.optimality_ <= tol
    violation = est.history_["violation"]
    bound = tol * violation[-1] / est.optimality_
    assert violation[-1] <= bound < violation[:-1].min()


@quiet
def test_rate_is_that_of_the_last_step_of_each_pass(X, y):
    common = {"solver": "sgd", "eta0": 0.02, "max_iter": 6, "tol": None, "batch_size": 10}
    rate = GDRegressor(**common).fit(X, y).history_["rate"]
    assert_array_equal(rate, 0.02)
    est = GDRegressor(learning_rate="invscaling", power_t=0.5, **common).fit(X, y)
    assert_allclose(est.history_["rate"], 0.02 / np.sqrt(7 * np.arange(1, 7)))
    est = GDRegressor(learning_rate=Step(every=2, factor=0.1), **common).fit(X, y)
    assert_allclose(est.history_["rate"], 0.02 * 0.1 ** np.array([0, 0, 1, 1, 2, 2]))
    est = GDRegressor(learning_rate="adaptive", n_iter_no_change=2, **common)
    est.set_params(tol=1e9).fit(X, y)  # no pass counts as progress
    assert_allclose(est.history_["rate"], 0.02 / 5.0 ** np.array([0, 0, 0, 1, 1, 2]))


@quiet
@pytest.mark.parametrize("solver", SOLVERS)
def test_seconds_grow(X, y, solver):
    seconds = GDRegressor(solver=solver, max_iter=5, tol=None).fit(X, y).history_["seconds"]
    assert seconds[0] > 0
    assert (np.diff(seconds) > 0).all()


# ---- printing ----


@quiet
@pytest.mark.parametrize("solver", SOLVERS)
def test_one_line_is_printed_for_each_pass(X, y, solver, capsys):
    est = GDRegressor(solver=solver, verbose=1, max_iter=4, tol=None).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    pattern = r"\[GDRegressor\] pass +(\d+)  F (\S+)  violation (\S+)  rate (\S+) +(\S+) s"
    read = np.array([re.fullmatch(pattern, line).groups() for line in lines], dtype=float)
    assert_array_equal(read[:, 0], [1, 2, 3, 4])
    assert_allclose(read[:, 1], est.history_["value"], rtol=1e-8)
    assert_allclose(read[:, 2], est.history_["violation"], rtol=1e-2)
    assert_allclose(read[:, 3], est.history_["rate"], rtol=1e-3)
    assert np.isfinite(read).all()


@quiet
@pytest.mark.parametrize("solver", SOLVERS)
def test_printing_changes_nothing_else(X, y, solver, capsys):
    loud, still = (GDRegressor(solver=solver, verbose=v, random_state=0) for v in (2, 0))
    loud.fit(X, y)
    capsys.readouterr()
    still.fit(X, y)
    assert capsys.readouterr().out == ""
    assert_array_equal(loud.coef_, still.coef_)
    assert loud.n_iter_ == still.n_iter_


# ---- why it stopped ----


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_run_that_ends_too_early_says_so_and_what_to_do(X, y, solver):
    est = GDRegressor(solver=solver, max_iter=1, tol=1e-12)
    with pytest.warns(ConvergenceWarning, match="max_iter=1 iterations.*Raise max_iter") as caught:
        est.fit(X, y)
    assert len(caught) == 1
    # The warning points at the line that called fit.
    assert caught[0].filename == __file__
    assert (est.stop_reason_, est.converged_) == ("max_iter", False)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_run_without_tol_does_all_passes_without_a_word(X, y, solver):
    est = GDRegressor(solver=solver, max_iter=3, tol=None).fit(X, y)
    assert (est.n_iter_, est.stop_reason_) == (3, "max_iter")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("patience", [1, 3])
def test_stochastic_runs_stop_when_F_has_not_improved(X, y, solver, patience):
    est = GDRegressor(solver=solver, tol=1e-3, n_iter_no_change=patience, random_state=0)
    est.fit(X, y)
    assert (est.stop_reason_, est.converged_) == ("no_improvement", True)
    curve = est.loss_curve_
    best = np.minimum.accumulate(curve)[:-1]
    worth = np.r_[True, curve[1:] < best - 1e-3 * np.abs(best)]
    assert not worth[-patience:].any()
    assert worth[-patience - 1]


@quiet
def test_the_warning_of_a_rate_too_large_comes_once_and_names_it(X, y):
    est = GDRegressor(solver="gd", eta0=1e3, max_iter=30)
    with pytest.warns(ConvergenceWarning, match="rate is too large.*eta0=1000.0") as caught:
        est.fit(X, y)
    rates = [w for w in caught if "rate is too large" in str(w.message)]
    assert len(rates) == 1
    assert rates[0].filename == __file__
    assert np.isfinite(est.coef_).all()
