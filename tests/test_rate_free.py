"""A stream is learnt at several rates at once, and the mixture follows the best of them."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from skgd import GDClassifier, GDRegressor
from skgd.solvers._hedge import Hedge


def rows(n, seed=0):
    """Two columns of unlike size, and a target linear in them."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 2)) * [1.0, 100.0] + [0.0, 300.0]
    return X, X @ [2.0, -0.03] + 5.0 + 0.1 * rng.standard_normal(n)


def stream(model, X, y, batch=64, **more):
    """Learn in chunks; return the squared errors made before learning."""
    errors = []
    for i in range(0, len(y), batch):
        if i:
            errors.append((model.predict(X[i : i + batch]) - y[i : i + batch]) ** 2)
        model.partial_fit(X[i : i + batch], y[i : i + batch], **more)
    return np.concatenate(errors)


def test_a_stream_that_does_not_change_is_learnt_to_the_noise():
    X, y = rows(4000)
    model = GDRegressor(solver=Hedge(), random_state=0)
    errors = stream(model, X, y)
    best = Ridge(alpha=1e-4 * len(y)).fit(X, y)
    floor = np.mean((best.predict(X) - y) ** 2)
    # The mixture keeps fast runs in reserve: a fifth more than the floor is their noise.
    assert errors[-1000:].mean() < 1.3 * floor


def test_a_change_of_the_target_is_followed():
    X, y = rows(4000)
    y[2000:] = -y[2000:]
    errors = stream(GDRegressor(solver=Hedge(), random_state=0), X, y)
    assert errors[-500:].mean() < 0.01 * y.var()


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units_of_the_target_do_not_matter(unit):
    X, y = rows(1000)
    one, other = (GDRegressor(solver=Hedge(), random_state=0) for _ in range(2))
    stream(one, X, y), stream(other, X, unit * y)
    assert_allclose(other.coef_, unit * one.coef_, rtol=1e-6)


def test_a_model_that_was_pickled_goes_on_bit_for_bit():
    X, y = rows(300)
    model = GDRegressor(solver=Hedge(), random_state=0).partial_fit(X[:200], y[:200])
    again = pickle.loads(pickle.dumps(model))
    model.partial_fit(X[200:], y[200:])
    again.partial_fit(X[200:], y[200:])
    assert np.array_equal(model.coef_, again.coef_)


def test_probabilities_are_better_than_a_constant_from_the_second_chunk_on():
    X, y = rows(1000)
    labels = (y > np.median(y)).astype(int)
    model = GDClassifier(solver=Hedge(), random_state=0)
    model.partial_fit(X[:32], labels[:32], classes=[0, 1])
    p = model.predict_proba(X[32:])[np.arange(len(y) - 32), labels[32:]]
    assert -np.log(p).mean() < np.log(2)


@pytest.mark.parametrize("share", [0.0, -1.0, np.inf, np.nan])
def test_a_share_that_is_not_positive_is_named(share):
    X, y = rows(50)
    with pytest.raises(ValueError, match="share must be positive"):
        GDRegressor(solver=Hedge(share=share)).fit(X, y)
