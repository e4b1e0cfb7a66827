"""Landscapes have the derivatives and the points that they say, and points are told apart."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize
from scipy.optimize import approx_fprime

from skgd.landscapes import (
    Beale,
    DoubleWell,
    Himmelblau,
    MonkeySaddle,
    Quadratic,
    Rastrigin,
    Rosenbrock,
    Saddle,
    check_gradient,
    classify_point,
)

ALL = [
    Quadratic(50.0, rotation=0.5),
    Quadratic(1e3, dim=4, rotation=1.0),
    Rosenbrock(),
    Beale(),
    Himmelblau(),
    Rastrigin(3),
    MonkeySaddle(),
    Saddle(),
    DoubleWell(0.3),
    DoubleWell(),
]
each = pytest.mark.parametrize("f", ALL, ids=lambda f: f"{type(f).__name__}{f.dim}")


def points(f, n=6):
    low, high = f.bounds.T
    return np.random.default_rng(0).uniform(low, high, (n, f.dim))


@each
def test_gradient_and_hessian_are_differences_of_what_they_derive(f):
    for x in points(f):
        assert check_gradient(f, f.gradient, x) < 1e-6
        columns = [approx_fprime(x, lambda z, j=j: f.gradient(z)[j], 1e-6) for j in range(f.dim)]
        assert_allclose(f.hessian(x), columns, rtol=1e-3, atol=2e-2)


@each
def test_known_points_are_what_they_are_called(f):
    for kind, where in (("minimum", f.minima), ("saddle", f.saddles)):
        assert where.shape[1] == f.dim
        for x in where:
            assert np.abs(f.gradient(x)).max() < 1e-8
            if not isinstance(f, MonkeySaddle):
                assert classify_point(f.hessian(x))[0] == kind
    assert len(f.minima) + len(f.saddles) > 0


@each
def test_leading_axes_are_points(f):
    grid = points(f, 6).reshape(2, 3, f.dim)
    assert f(grid).shape == (2, 3)
    assert f.gradient(grid).shape == grid.shape
    assert f.hessian(grid).shape == (*grid.shape, f.dim)
    assert_allclose(f(grid)[1, 2], f(grid[1, 2]))
    assert_allclose(f.hessian(grid)[0, 1], f.hessian(grid[0, 1]))


def test_values_are_those_of_scipy_and_of_the_books():
    x = points(Rosenbrock())
    assert_allclose(Rosenbrock()(x), [optimize.rosen(z) for z in x])
    assert_allclose(Rosenbrock().gradient(x), [optimize.rosen_der(z) for z in x])
    assert_allclose(Rosenbrock().hessian(x), [optimize.rosen_hess(z) for z in x])
    assert Beale()([0.0, 0.0]) == 14.203125
    assert Himmelblau()([0.0, 0.0]) == 170.0
    assert_allclose(Rastrigin()([0.5, 0.5]), 40.5)
    assert_allclose(np.linalg.cond(Quadratic(70.0, dim=5, rotation=1.0).matrix), 70.0)


def test_himmelblau_s_saddles_are_roots_that_scipy_finds_too():
    f = Himmelblau()
    for x in f.saddles:
        assert_allclose(optimize.root(f.gradient, x + 0.01, jac=f.hessian).x, x, atol=1e-9)


def test_a_hill_between_two_wells():
    f = DoubleWell(0.5)
    assert classify_point(f.hessian(f.maxima[0]))[0] == "maximum"
    assert f(f.minima[0]) < f(f.minima[1]) < f(f.maxima[0])


def test_a_saddle_names_the_way_down():
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    kind, way = classify_point(turn @ np.diag([3.0, -1.0]) @ turn.T)
    assert kind == "saddle"
    assert_allclose(np.abs(way @ turn), [0.0, 1.0], atol=1e-12)
    assert classify_point(np.diag([1.0, 1e-12]))[0] == "flat"
    assert classify_point(np.diag([1e-12, 1e-12]))[0] == "minimum"
    assert classify_point(MonkeySaddle().hessian([0.0, 0.0])) == ("flat", None)


@pytest.mark.parametrize(
    "hess, message",
    [
        (np.ones((2, 3)), r"square; got shape \(2, 3\)"),
        (np.array([[1.0, np.nan], [0.0, 1.0]]), "finite"),
        (np.array([[1.0, 2.0], [0.0, 1.0]]), "symmetric"),
    ],
)
def test_what_is_no_hessian_is_refused(hess, message):
    with pytest.raises(ValueError, match=message):
        classify_point(hess)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda x: np.array([2 * x[0], 5.0]), "coordinate 1: 5, where differences give -4, at x="),
        (lambda x: np.ones(3), r"shape of x; at x=\[1. 2.\] of shape \(2,\) it returned \(3,\)"),
        (lambda x: np.array([np.nan, 1.0]), "must be finite; at x="),
    ],
)
def test_a_wrong_gradient_is_named_with_function_point_and_shape(wrong, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_gradient(Saddle(), wrong, [1.0, 2.0])
    assert "lambda" in str(caught.value)


@each
def test_points_outside_the_domain_name_landscape_point_and_shape(f):
    with pytest.raises(ValueError, match=rf"{type(f).__name__} takes points.*\({f.dim + 1},\)"):
        f.gradient(np.zeros(f.dim + 1))
    with pytest.raises(ValueError, match=rf"{type(f).__name__}.*NaN.*shape \({f.dim},\)"):
        f(np.full(f.dim, np.nan))


@pytest.mark.parametrize(
    "cls, given, message",
    [
        (Quadratic, {"condition": 0.5}, "condition must be at least 1; got 0.5"),
        (Rastrigin, {"dim": 0}, "dim must be at least 1"),
        (DoubleWell, {"tilt": 2.0}, "tilt must be in"),
    ],
)
def test_bad_parameters_are_named(cls, given, message):
    with pytest.raises(ValueError, match=message):
        cls(**given)
