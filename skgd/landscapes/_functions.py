"""Test functions to descend on, with gradients, Hessians, and what is known of them."""

import math

import numpy as np

from .._ranges import check_number
from ._base import Landscape

__all__ = [
    "Beale",
    "DoubleWell",
    "Himmelblau",
    "MonkeySaddle",
    "Quadratic",
    "Rastrigin",
    "Rosenbrock",
    "Saddle",
]


def _square(side, dim=2):
    return np.array([[-side, side]] * dim, dtype=float)


def _matrix(a, b, d):
    """Return symmetric matrices of entries ``a``, ``b`` (off the diagonal) and ``d``."""
    a, b, d = np.broadcast_arrays(a, b, d)
    return np.stack([np.stack([a, b], -1), np.stack([b, d], -1)], -2)


def _none(dim=2):
    return np.empty((0, dim))


class Quadratic(Landscape):
    r"""A bowl, round or narrow, turned in the plane of its first and last coordinate.

    .. math:: f(x) = \tfrac12 x^T Q \, \mathrm{diag}(1, \dots, c) \, Q^T x

    with curvatures that grow geometrically from 1 to :math:`c`.

    Parameters
    ----------
    condition : float, default=10.0
        Ratio :math:`c` of the largest curvature to the least, at least 1.
    dim : int, default=2
        Number of coordinates, at least 1.
    rotation : float, default=0.0
        Angle by which :math:`Q` turns, in radians.

    Examples
    --------
    >>> from skgd.landscapes import Quadratic
    >>> bowl = Quadratic(condition=100.0)
    >>> float(bowl([1.0, 1.0])), bowl.gradient([1.0, 1.0])
    (50.5, array([  1., 100.]))
    """

    def __init__(self, condition=10.0, dim=2, rotation=0.0):
        check_number("condition", condition, low=1)
        check_number("dim", dim, low=1, integer=True)
        check_number("rotation", rotation)
        self.condition, self.dim, self.rotation = condition, dim, rotation
        turn = np.eye(dim)
        if dim > 1:
            c, s = math.cos(rotation), math.sin(rotation)
            turn[0, 0] = turn[-1, -1] = c
            turn[-1, 0], turn[0, -1] = s, -s
        self.matrix = turn @ np.diag(np.geomspace(1.0, condition, dim)) @ turn.T
        self.minima, self.saddles = np.zeros((1, dim)), _none(dim)
        self.bounds = _square(2.0, dim)

    def _value(self, x):
        return 0.5 * np.einsum("...i,ij,...j->...", x, self.matrix, x)

    def _gradient(self, x):
        return x @ self.matrix

    def _hessian(self, x):
        return np.broadcast_to(self.matrix, (*x.shape, self.dim)).copy()


class Rosenbrock(Landscape):
    r"""A curved valley with a flat floor.

    .. math:: f(x, y) = (1 - x)^2 + 100 (y - x^2)^2

    References
    ----------
    .. [1] H. H. Rosenbrock (1960). "An automatic method for finding the greatest or least
       value of a function". The Computer Journal 3.

    Examples
    --------
    >>> from scipy.optimize import minimize
    >>> from skgd.landscapes import Rosenbrock
    >>> from skgd.solvers import Adam
    >>> f = Rosenbrock()
    >>> adam = Adam(learning_rate=0.05, max_iter=5000)
    >>> minimize(f, [-1.0, 1.0], jac=f.gradient, method=adam).x.round(2)
    array([1., 1.])
    """

    bounds = np.array([[-2.0, 2.0], [-1.0, 3.0]])
    minima, saddles = np.array([[1.0, 1.0]]), _none()

    def _value(self, x):
        x, y = x[..., 0], x[..., 1]
        return (1 - x) ** 2 + 100 * (y - x * x) ** 2

    def _gradient(self, x):
        x, y = x[..., 0], x[..., 1]
        off = y - x * x
        return np.stack([2 * (x - 1) - 400 * x * off, 200 * off], -1)

    def _hessian(self, x):
        x, y = x[..., 0], x[..., 1]
        return _matrix(2 - 400 * (y - 3 * x * x), -400 * x, 200.0)


class Beale(Landscape):
    r"""Flat plains, steep walls at the corners.

    .. math:: f(x, y) = \sum_{k=1}^{3} (c_k - x + x y^k)^2, \qquad c = (1.5, 2.25, 2.625)

    Its saddle is at (0, 1). It has no maximum, and falls to about 0.452, without a minimum,
    where x goes to minus infinity and y to 1: descents that begin at the left may end there.

    References
    ----------
    .. [1] E. M. L. Beale (1958). "On an iterative method for finding a local minimum of a
       function of more than one variable". Princeton.

    Examples
    --------
    >>> from skgd.landscapes import Beale, classify_point
    >>> f = Beale()
    >>> f(f.minima), f(f.saddles)
    (array([0.]), array([14.203125]))
    >>> classify_point(f.hessian(f.saddles[0]))[0]
    'saddle'
    """

    bounds = _square(4.5)
    minima, saddles = np.array([[3.0, 0.5]]), np.array([[0.0, 1.0]])
    _terms = ((1, 1.5), (2, 2.25), (3, 2.625))

    def _value(self, x):
        x, y = x[..., 0], x[..., 1]
        return sum((c - x + x * y**k) ** 2 for k, c in self._terms)

    def _gradient(self, x):
        x, y = x[..., 0], x[..., 1]
        left = [(k, c - x + x * y**k) for k, c in self._terms]
        along = sum(2 * r * (y**k - 1) for k, r in left)
        return np.stack([along, sum(2 * r * x * k * y ** (k - 1) for k, r in left)], -1)

    def _hessian(self, x):
        x, y = x[..., 0], x[..., 1]
        a = b = d = np.zeros_like(x)
        for k, c in self._terms:
            r, up, across = c - x + x * y**k, y**k - 1, x * k * y ** (k - 1)
            bent = k * (k - 1) * y ** max(k - 2, 0)
            a = a + 2 * up * up
            b = b + 2 * (across * up + r * k * y ** (k - 1))
            d = d + 2 * (across * across + r * x * bent)
        return _matrix(a, b, d)


class Himmelblau(Landscape):
    r"""Four minima of the same depth, four saddles between them, a maximum amid.

    .. math:: f(x, y) = (x^2 + y - 11)^2 + (x + y^2 - 7)^2

    References
    ----------
    .. [1] D. M. Himmelblau (1972). "Applied Nonlinear Programming". McGraw-Hill.

    Examples
    --------
    >>> from scipy.optimize import minimize
    >>> from skgd.landscapes import Himmelblau
    >>> from skgd.solvers import Momentum
    >>> f = Himmelblau()
    >>> descent = Momentum(learning_rate=0.005)
    >>> for start in ([1.0, 1.0], [-1.0, 1.0]):
    ...     print(minimize(f, start, jac=f.gradient, method=descent).x.round(3))
    [3. 2.]
    [-2.805  3.131]
    """

    bounds = _square(5.0)
    minima = np.array(
        [
            [3.0, 2.0],
            [-2.805118086952745, 3.131312518250573],
            [-3.779310253377747, -3.283185991286170],
            [3.584428340330492, -1.848126526964404],
        ]
    )
    saddles = np.array(
        [
            [0.086677504555, 2.884254701175],
            [3.385154183607, 0.073851879838],
            [-3.073025750764, -0.081353044288],
            [-0.127961346731, -1.953714980445],
        ]
    )

    def _value(self, x):
        x, y = x[..., 0], x[..., 1]
        return (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2

    def _gradient(self, x):
        x, y = x[..., 0], x[..., 1]
        p, q = x * x + y - 11, x + y * y - 7
        return np.stack([4 * x * p + 2 * q, 2 * p + 4 * y * q], -1)

    def _hessian(self, x):
        x, y = x[..., 0], x[..., 1]
        a, d = 12 * x * x + 4 * y - 42, 12 * y * y + 4 * x - 26
        return _matrix(a, 4 * (x + y), d)


class Rastrigin(Landscape):
    r"""A bowl covered with dents: a local minimum near every point of whole numbers.

    .. math:: f(x) = 10 n + \sum_{i=1}^{n} \left(x_i^2 - 10 \cos 2 \pi x_i\right)

    Parameters
    ----------
    dim : int, default=2
        Number of coordinates :math:`n`, at least 1. ``minima`` holds the global one alone.

    References
    ----------
    .. [1] L. A. Rastrigin (1974). "Systems of Extremal Control". Nauka.

    Examples
    --------
    >>> from scipy.optimize import minimize
    >>> from skgd.landscapes import Rastrigin
    >>> from skgd.solvers import GD
    >>> f = Rastrigin(dim=1)
    >>> descent = GD(learning_rate=0.001, max_iter=1000)
    >>> minimize(f, [2.2], jac=f.gradient, method=descent).x.round(2)  # not the global one
    array([1.99])
    """

    def __init__(self, dim=2):
        check_number("dim", dim, low=1, integer=True)
        self.dim, self.bounds = dim, _square(5.12, dim)
        self.minima, self.saddles = np.zeros((1, dim)), _none(dim)

    def _value(self, x):
        return 10 * self.dim + (x * x - 10 * np.cos(2 * np.pi * x)).sum(-1)

    def _gradient(self, x):
        return 2 * x + 20 * np.pi * np.sin(2 * np.pi * x)

    def _hessian(self, x):
        return (2 + 40 * np.pi**2 * np.cos(2 * np.pi * x))[..., None] * np.eye(self.dim)


class Saddle(Landscape):
    r"""The simplest saddle, without a minimum.

    .. math:: f(x, y) = x^2 - y^2

    Examples
    --------
    >>> from scipy.optimize import minimize
    >>> from skgd.landscapes import Saddle
    >>> from skgd.solvers import GD
    >>> f = Saddle()
    >>> held = minimize(f, [1.0, 0.0], jac=f.gradient, method=GD(learning_rate=0.1, max_iter=50))
    >>> abs(held.x).round(3)  # y = 0: nothing pushes it off the ridge
    array([0., 0.])
    """

    bounds = _square(1.5)
    minima, saddles = _none(), np.zeros((1, 2))

    def _value(self, x):
        return x[..., 0] ** 2 - x[..., 1] ** 2

    def _gradient(self, x):
        return x * [2.0, -2.0]

    def _hessian(self, x):
        return np.broadcast_to(np.diag([2.0, -2.0]), (*x.shape, 2)).copy()


class MonkeySaddle(Landscape):
    r"""A saddle with three ways down, whose Hessian is zero where they meet.

    .. math:: f(x, y) = x^3 - 3 x y^2

    Examples
    --------
    >>> from skgd.landscapes import MonkeySaddle, classify_point
    >>> f = MonkeySaddle()
    >>> classify_point(f.hessian([0.0, 0.0]))  # second derivatives do not decide
    ('flat', None)
    """

    bounds = _square(1.5)
    minima, saddles = _none(), np.zeros((1, 2))

    def _value(self, x):
        x, y = x[..., 0], x[..., 1]
        return x**3 - 3 * x * y * y

    def _gradient(self, x):
        x, y = x[..., 0], x[..., 1]
        return np.stack([3 * x * x - 3 * y * y, -6 * x * y], -1)

    def _hessian(self, x):
        x, y = x[..., 0], x[..., 1]
        return _matrix(6 * x, -6 * y, -6 * x)


class DoubleWell(Landscape):
    r"""Two wells on a line, a hill between them.

    .. math:: f(x) = (x^2 - 1)^2 + h x

    Parameters
    ----------
    tilt : float, default=0.0
        Slope :math:`h`, in ``(-1.5, 1.5)``: with 0 both wells are equally deep. Beyond
        :math:`8 / \sqrt{27}`, about 1.54, there is one well.

    Examples
    --------
    >>> from skgd.landscapes import DoubleWell
    >>> f = DoubleWell(tilt=0.5)
    >>> f.minima.ravel().round(3), f(f.minima).round(3)
    (array([-1.057,  0.93 ]), array([-0.515,  0.483]))
    """

    dim = 1

    def __init__(self, tilt=0.0):
        check_number("tilt", tilt, low=-1.5, high=1.5, closed="neither")
        self.tilt = tilt
        # Roots of 4 x^3 - 4 x + h; the one amid is the hill, and a line has no saddles.
        roots = np.sort(np.roots([4.0, 0.0, -4.0, tilt]).real)
        for _ in range(3):  # to rounding
            roots = roots - (4 * roots**3 - 4 * roots + tilt) / (12 * roots**2 - 4)
        self.minima, self.saddles = roots[[0, 2], None], _none(1)
        self.maxima, self.bounds = roots[1:2, None], _square(1.8, 1)

    def _value(self, x):
        x = x[..., 0]
        return (x * x - 1) ** 2 + self.tilt * x

    def _gradient(self, x):
        return 4 * x * (x * x - 1) + self.tilt

    def _hessian(self, x):
        return (12 * x * x - 4)[..., None]
