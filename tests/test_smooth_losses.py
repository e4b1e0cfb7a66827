"""Smooth losses near those with a kink, beside their definitions and finite differences."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import logistic

from skgd._dual import slopes_gap
from skgd.losses import AbsoluteError, EpsilonInsensitive, Hinge, Huber, Quantile, SquaredHinge

KINKED = [AbsoluteError(), Quantile(0.3), EpsilonInsensitive(0.4), Hinge()]
NARROW = Huber(0.5)  # which is smooth, and nearly has a kink
WIDTHS = [1e-3, 0.7, 5.0]


def grid(loss):
    """Targets and predictors on both sides of every kink and on it."""
    y = np.repeat([-1.0, 1.0], 801)
    return y, np.tile(np.linspace(-4.0, 4.0, 801), 2)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("loss", KINKED, ids=lambda loss: loss.name)
def test_a_soft_loss_is_the_mean_of_the_loss_with_logistic_noise(loss, width):
    y, eta = grid(loss)
    smooth = loss.smoothed(width)
    noise = np.linspace(-40.0, 40.0, 16001)
    share = logistic.pdf(noise)
    share /= share.sum()
    some = slice(0, None, 29)
    there = eta[some, None] + width * noise
    mean = loss.value(y[some, None], there, np) @ share
    assert_allclose(smooth.value(y[some], eta[some], np), mean, atol=1e-6 * (1 + width))
    more = smooth.value(y, eta, np) - loss.value(y, eta, np)
    low, high = (np.broadcast_to(a, y.shape) for a in loss._dual_range(y, np))
    assert more.min() >= -1e-15 * (1 + width)
    assert (more <= (high - low) * width * np.log(2.0) * (1 + 1e-12)).all()
    assert not smooth.below


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("loss", KINKED, ids=lambda loss: loss.name)
def test_soft_slopes_curvatures_and_turns_are_derivatives(loss, width):
    y, eta = grid(loss)
    eta = eta + 0.0137  # on no kink
    smooth = loss.smoothed(width)
    h = 1e-4 * width
    for function, slope in ((smooth.value, smooth.gradient), (smooth.gradient, smooth.hessian)):
        ahead, behind = function(y, eta + h, np), function(y, eta - h, np)
        little = 1e-5 / width  # what a curvature may be left out for
        assert_allclose(
            (ahead - behind) / (2 * h), slope(y, eta, np), rtol=1e-5, atol=little + 1e-7
        )
    ahead, behind = (
        loss.smoothed(w).gradient(y, eta, np) for w in (width * (1 + 1e-5), width * (1 - 1e-5))
    )
    turn = smooth.turn(y, eta, np)
    assert_allclose((ahead - behind) / (2e-5 * width), turn, rtol=1e-5, atol=2e-4 / width)
    assert np.abs(turn).max() > 0.1 / width or width < 0.01
    bend = smooth.hessian(y, eta, np)
    assert bend.max() <= smooth.curvature * (1 + 1e-12)
    assert (bend == 0.0).any() == (width < 0.1)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("loss", KINKED, ids=lambda loss: loss.name)
def test_soft_slopes_are_between_those_of_the_loss(loss, width):
    y, eta = grid(loss)
    u = loss.smoothed(width).gradient(y, eta, np)
    left = loss.value(y, eta, np) + loss.conjugate(y, u, np) - u * eta
    assert np.isfinite(left).all()
    assert left.min() >= -1e-12
    s = np.linspace(0.0, 2.0, len(y))
    objective = SimpleNamespace(loss=loss, y=y, s=s, n_outputs=1, mass=s.sum())
    pull, losses = (s * u)[:, None], float(s @ loss.value(y, eta, np))
    found = slopes_gap(objective, losses, eta[:, None], pull)
    assert_allclose(found, s @ left / s.sum(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_wider_huber_is_the_greatest_of_lines_less_squares(width):
    loss = NARROW
    y, eta = grid(loss)
    smooth = loss.smoothed(width)
    # The definition, by brute force over slopes.
    low, high = (np.broadcast_to(a, y.shape) for a in loss._dual_range(y, np))
    slopes = low + np.linspace(0, 1, 4001)[:, None] * (high - low)
    # It has a parabola of its own, and a band no narrower than that.
    more = max(width / loss.band - 1.0, 0.0)
    terms = slopes * eta - loss.conjugate(y, slopes, np) - 0.5 * more * slopes**2
    assert_allclose(smooth.value(y, eta, np), terms.max(axis=0), atol=2e-7 * (1 + width))
    best = np.take_along_axis(slopes, terms.argmax(axis=0)[None], axis=0)[0]
    assert_allclose(smooth.gradient(y, eta, np), best, atol=3e-4)
    assert (smooth.value(y, eta, np) <= loss.value(y, eta, np) + 1e-15).all()


@pytest.mark.parametrize("width", WIDTHS)
def test_slopes_and_curvatures_of_a_wider_huber_are_derivatives(width):
    y, eta = grid(NARROW)
    eta = eta + 0.0137  # on no edge
    smooth = NARROW.smoothed(width)
    h = 1e-5 * width
    away = np.ones(len(y), dtype=bool)  # from the edges of bands, where curvatures jump
    for edge in np.flatnonzero(np.diff(smooth.hessian(y, eta, np)) != 0):
        away[max(edge - 1, 0) : edge + 3] = False
    ahead, behind = (smooth.value(y, eta + t, np) for t in (h, -h))
    slope = smooth.gradient(y, eta, np)
    assert_allclose((ahead - behind) / (2 * h), slope, atol=1e-5)
    ahead, behind = (smooth.gradient(y, eta + t, np) for t in (h, -h))
    curve = smooth.hessian(y, eta, np)
    assert_allclose(((ahead - behind) / (2 * h))[away], curve[away], rtol=1e-6, atol=1e-6)
    assert set(np.unique(curve)) <= {0.0, smooth.curvature}


@pytest.mark.parametrize("loss", [*KINKED, NARROW, SquaredHinge()], ids=lambda loss: loss.name)
def test_the_compiled_twin_is_the_class(loss):
    y, eta = grid(loss)
    for width in WIDTHS:
        smooth = loss.smoothed(width)
        value, slope = smooth.pointwise().block(y[:, None], eta[:, None])
        assert_allclose(value[:, 0], smooth.value(y, eta, np), rtol=1e-13, atol=1e-15)
        assert_allclose(slope[:, 0], smooth.gradient(y, eta, np), rtol=1e-12, atol=1e-13)
        assert_allclose(
            smooth.pointwise().slope(y[7], eta[7]), smooth.gradient(y, eta, np)[7], atol=1e-13
        )


def test_fenchels_inequality_is_an_equality_at_the_slope():
    y, eta = grid(NARROW)
    smooth = NARROW.smoothed(0.7)
    u = smooth.gradient(y, eta, np)
    sums = smooth.value(y, eta, np) + smooth.conjugate(y, u, np)
    assert_allclose(sums, u * eta, atol=1e-12)
    assert np.isinf(smooth.conjugate(y, np.full_like(y, 1.5), np)).all()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_rounded_squared_hinge_lies_above_and_is_smooth(width):
    y, eta = grid(SquaredHinge())
    smooth = SquaredHinge().smoothed(width)
    more = smooth.value(y, eta, np) - SquaredHinge().value(y, eta, np)
    assert more.min() >= -1e-12
    assert more.max() <= 0.75 * width**2
    h = 1e-4 * width
    for function, slope in ((smooth.value, smooth.gradient), (smooth.gradient, smooth.hessian)):
        ahead, behind = function(y, eta + h, np), function(y, eta - h, np)
        assert_allclose((ahead - behind) / (2 * h), slope(y, eta, np), rtol=1e-5, atol=1e-5)
    bend = smooth.hessian(y, eta, np)
    assert (bend > 0).all() or width < 0.01  # where it underflows
    assert bend.max() <= smooth.curvature
    assert not smooth.below
    assert NARROW.smoothed(width).below


def test_a_farther_reach_shows_more_curvature_and_no_other_slope():
    y, eta = grid(NARROW)
    near, far = (NARROW.smoothed(0.7, reach) for reach in (1.0, 3.0))
    assert_array_equal(near.gradient(y, eta, np), far.gradient(y, eta, np))
    seen = far.hessian(y, eta, np) > 0
    assert_array_equal(seen, np.abs(eta - y) <= 2.1 + 1e-9)
    assert (near.hessian(y, eta, np) > 0).sum() < seen.sum()
