"""What a point is, and whether a gradient is right there."""

import numpy as np

from .._ranges import check_number

__all__ = ["check_gradient", "classify_point"]


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

    Examples
    --------
    >>> from skgd.landscapes import Rosenbrock, check_gradient
    >>> f = Rosenbrock()
    >>> check_gradient(f, f.gradient, [-1.0, 2.0]) < 1e-6
    True
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
