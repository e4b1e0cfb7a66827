"""Test functions to descend on, with gradients, Hessians, and what is known of them."""

import math

import numpy as np

from ._ranges import check_number

__all__ = [
    "Beale",
    "DoubleWell",
    "Himmelblau",
    "Landscape",
    "MonkeySaddle",
    "Quadratic",
    "Rastrigin",
    "Rosenbrock",
    "Saddle",
    "check_gradient",
    "classify_point",
]


class Landscape:
    """A function with its derivatives and its known points.

    A subclass gives ``_value``, ``_gradient`` and ``_hessian`` of an array whose last axis
    holds the coordinates, and sets the attributes.

    Attributes
    ----------
    dim : int
        Number of coordinates.
    bounds : ndarray of shape (dim, 2)
        Part of the domain to draw.
    minima, saddles : ndarray of shape (n_points, dim)
        Known minima and saddles, one a row.
    """

    dim = 2
    bounds = minima = saddles = None

    def _points(self, x):
        x = np.asarray(x, dtype=float)
        if x.ndim == 0 or x.shape[-1] != self.dim:
            raise ValueError(
                f"{type(self).__name__} takes points of shape (..., {self.dim}); got x={x} of "
                f"shape {x.shape}."
            )
        if np.isnan(x).any():
            raise ValueError(
                f"{type(self).__name__} is defined for real numbers; got NaN in x={x} of shape "
                f"{x.shape}."
            )
        return x

    def __call__(self, x):
        """Return the value at ``x`` of shape (..., dim), as an array of shape (...)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self._value(self._points(x))

    def gradient(self, x):
        """Return the gradient at each point.

        Parameters
        ----------
        x : array-like of shape (..., dim)
            Points.

        Returns
        -------
        ndarray of shape (..., dim)
            One gradient a point.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return self._gradient(self._points(x))

    def hessian(self, x):
        """Return the second derivative at each point.

        Parameters
        ----------
        x : array-like of shape (..., dim)
            Points.

        Returns
        -------
        ndarray of shape (..., dim, dim)
            One symmetric matrix a point.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return self._hessian(self._points(x))


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


def classify_point(hess, tol=1e-8):
    """Tell what a point with no slope is, from the second derivative there.

    Parameters
    ----------
    hess : array-like of shape (n, n)
        Hessian, symmetric.
    tol : float, default=1e-8
        Eigenvalues of at most ``tol`` times the largest of their sizes, and of 1 if that is
        less, are taken for zero. At least 0.

    Returns
    -------
    kind : {"minimum", "maximum", "saddle", "flat"}
        A saddle has eigenvalues of both signs. Flat is what has a zero one and none of the
        sign that would make a saddle: second derivatives do not decide.
    direction : ndarray of shape (n,) or None
        Of unit length, along which a saddle falls most steeply; None for other points.

    Raises
    ------
    ValueError
        If ``hess`` is not square, finite and symmetric.

    Examples
    --------
    >>> from skgd.landscapes import Saddle, classify_point
    >>> kind, direction = classify_point(Saddle().hessian([0.0, 0.0]))
    >>> kind, abs(direction)
    ('saddle', array([0., 1.]))
    """
    check_number("tol", tol, low=0)
    hess = np.asarray(hess, dtype=float)
    if hess.ndim != 2 or hess.shape[0] != hess.shape[1] or not hess.size:
        raise ValueError(f"hess must be square; got shape {hess.shape}.")
    if not np.isfinite(hess).all():
        raise ValueError(f"hess must be finite; got {hess} of shape {hess.shape}.")
    if not np.allclose(hess, hess.T, rtol=1e-6, atol=1e-10):
        raise ValueError(f"hess must be symmetric; got {hess} of shape {hess.shape}.")
    values, vectors = np.linalg.eigh(0.5 * (hess + hess.T))
    zero = tol * min(np.abs(values).max(), 1.0) if np.abs(values).max() else 0.0
    down, up = values < -zero, values > zero
    if down.any() and up.any():
        return "saddle", vectors[:, 0]
    if up.all():
        return "minimum", None
    return ("maximum" if down.all() else "flat"), None


def check_gradient(fun, jac, x, rtol=1e-5):
    r"""Hold a gradient to central differences of its function.

    .. math:: \frac{f(x + h e_j) - f(x - h e_j)}{2 h}, \qquad
        h = \epsilon^{1/3} \max(1, |x_j|)

    Parameters
    ----------
    fun, jac : callable
        ``fun(x)`` gives a number, ``jac(x)`` its gradient.
    x : array-like of shape (n,)
        Where to look.
    rtol : float, default=1e-5
        Largest error of a coordinate, as a part of the largest entry of either gradient, or
        of 1 where that is more. At least 0.

    Returns
    -------
    float
        Largest such error.

    Raises
    ------
    ValueError
        If the gradient has another shape than ``x``, is not finite, or is wrong: the message
        names the function, the worst coordinate, both numbers and the point.
    """
    check_number("rtol", rtol, low=0)
    x = np.atleast_1d(np.asarray(x, dtype=float))
    name = getattr(jac, "__qualname__", None) or repr(jac)
    grad = np.asarray(jac(x.copy()), dtype=float)
    where = f"at x={x} of shape {x.shape}"
    if grad.shape != x.shape:
        raise ValueError(f"{name} must return the shape of x; {where} it returned {grad.shape}.")
    if not np.isfinite(grad).all():
        raise ValueError(f"{name} must be finite; {where} it returned {grad}.")
    found = np.empty_like(x)
    for j in range(len(x)):
        h = np.finfo(float).eps ** (1 / 3) * max(1.0, abs(x[j]))
        ahead, behind = x.copy(), x.copy()
        ahead[j] += h
        behind[j] -= h
        values = [float(np.asarray(fun(z)).reshape(())) for z in (ahead, behind)]
        found[j] = (values[0] - values[1]) / (ahead[j] - behind[j])
    if not np.isfinite(found).all():
        named = getattr(fun, "__qualname__", None) or repr(fun)
        raise ValueError(f"{named} must be finite near x; {where} differences are {found}.")
    size = max(1.0, float(np.abs(grad).max()), float(np.abs(found).max()))
    error = np.abs(grad - found) / size
    worst = int(np.argmax(error))
    if error[worst] > rtol:
        raise ValueError(
            f"{name} is wrong in coordinate {worst}: {grad[worst]:.6g}, where differences give "
            f"{found[worst]:.6g}, {where}."
        )
    return float(error[worst])
