"""Numbers so large or so small that their squares are none."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skgd import GDClassifier, GDRegressor


@pytest.fixture
def X(rows):
    return rows(40, 4)


def test_entries_whose_squares_overflow_are_no_missing_values():
    X = np.full((40_000, 30), 1e200)
    y = np.arange(len(X)) % 2
    assert GDClassifier().fit(X, y).converged_  # constant columns
    X[::3] *= -1
    with pytest.raises(ValueError, match="squares of such"):
        GDClassifier().fit(X, y)


@pytest.mark.parametrize("size", [1e-160, 1e-300])
@pytest.mark.parametrize("solver", ["auto", "sgd", "lbfgs"])
def test_targets_whose_squares_vanish_are_said_to_be_too_small(X, target, solver, size):
    y = target(X, "regression")
    with pytest.warns(ConvergenceWarning, match="Multiply y by a power of ten"):
        est = GDRegressor(solver=solver, random_state=0).fit(X, size * y)
    assert not est.coef_.any()


def test_targets_that_are_all_zero_are_no_reason_to_warn(X, recwarn):
    assert not GDRegressor().fit(X, np.zeros(len(X))).coef_.any()
    assert not recwarn.list


@pytest.mark.parametrize("loss", ["epsilon_insensitive", "squared_epsilon_insensitive"])
def test_zero_that_is_the_optimum_is_no_reason_to_warn(X, target, recwarn, loss):
    y = target(X, "regression")
    est = GDRegressor(loss, epsilon=2.0 * np.abs(y).max()).fit(X, y)
    assert not est.coef_.any()
    assert not recwarn.list
