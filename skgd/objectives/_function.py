"""A plain function where rows would be: one row whose linear predictor is the point itself."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import approx_fprime

__all__ = ["FunctionObjective"]

_STEP = np.sqrt(np.finfo(float).eps)  # of differences of values, relative
_BEND = 1e-4  # of differences of gradients, which may be such differences themselves


class _Smooth:
    """What solvers ask of a loss, for a function of which nothing is known."""

    name, smooth = None, True
    flat = joint = least_at_zero = False

    def unit(self, y, s, xp=np):
        """Return the length of a first step of which nothing is known."""
        return 1.0

    def __repr__(self):
        return "a function"


@dataclass(eq=False)
class _Seen:
    """A point, and what is known there."""

    x: np.ndarray
    value: float
    grad: np.ndarray | None = None


class FunctionObjective:
    r"""A function of ``n`` numbers, as an objective.

    It poses as one row of weight 1 whose linear map is the identity, so that
    :math:`\eta = \theta` and the loss of the row is the function: solvers that follow
    margins along a line then follow the function.

    Parameters
    ----------
    fun : callable
        ``fun(x)`` gives a number.
    jac : callable or None
        ``jac(x)`` gives the gradient; None takes forward differences of ``fun``.
    n : int
        Length of ``x``.
    noise : float, default=0.0
        Standard deviation of the normal noise in each entry of a gradient that a stochastic
        rule takes; never in values, nor in gradients that tell how far the optimum is.
    rng : numpy.random.RandomState, default=None
        Draws the noise.
    box : tuple of ndarray of shape (n,), default=None
        Lowest and highest values of each entry; differences keep within.

    Attributes
    ----------
    nfev, njev : int
        Calls of ``fun`` and evaluations of the gradient so far.

    Notes
    -----
    The last two points are remembered, so that value and gradient there cost one call each
    whoever asks. A point that is not finite is not shown to the function: its value there is
    taken for infinite.
    """

    n_rows = n_active = n_outputs = n_stored = 1
    mass = 1.0
    fit_intercept, uniform = False, True
    shift = inv_scale = scale = None
    dtype = np.dtype(float)

    def __init__(self, fun, jac, n, noise=0.0, rng=None, box=None):
        self.fun, self.jac, self.noise, self.rng = fun, jac, noise, rng
        self.n_features = self.n_coef = self.n_params = n
        self.box = box
        self.s, self.y, self.loss = np.ones(1), np.zeros(1), _Smooth()
        self.nfev = self.njev = 0
        self._seen = []  # the last points, each with its value and gradient; the newest first

    # -- the function -----------------------------------------------------------------

    def value_at(self, x):
        """Return the function at ``x``; infinity where its arithmetic overflows."""
        return self._look_up(x).value

    def gradient_at(self, x):
        """Return the gradient at ``x``, a new array; NaN where its arithmetic overflows."""
        seen = self._look_up(x)
        if seen.grad is None:
            known = np.isfinite(x).all() and np.isfinite(seen.value)
            seen.grad = self._slope(seen) if known else np.full(len(x), np.nan)
        return seen.grad.copy()

    def _look_up(self, x):
        for i, seen in enumerate(self._seen):
            if np.array_equal(x, seen.x):
                self._seen.insert(0, self._seen.pop(i))
                return seen
        value = self._called(x) if np.isfinite(x).all() else np.inf
        self._seen = [_Seen(x.copy(), value), *self._seen[:1]]
        return self._seen[0]

    def _called(self, x):
        self.nfev += 1
        try:
            # A copy: the function may write into what it is given.
            found = np.asarray(self.fun(x.copy()))
        except OverflowError:
            return np.inf
        if found.size != 1 or found.dtype.kind not in "biuf":
            raise ValueError(
                f"{_name(self.fun)} must return one real number; at x of shape {x.shape}, x={x}, "
                f"it returned {found.dtype} of shape {found.shape}."
            )
        return float(found.reshape(-1)[0])

    def _slope(self, seen):
        x = seen.x
        self.njev += 1
        if self.jac is None:
            step = _STEP * np.maximum(1.0, np.abs(x))
            if self.box is not None:
                step = np.where(x + step > self.box[1], -step, step)

            def fun(z):
                return seen.value if np.array_equal(z, x) else self._called(z)

            return approx_fprime(x, fun, step)
        try:
            found = np.array(self.jac(x.copy()), dtype=float)  # theirs may be written over
        except OverflowError:
            return np.full(len(x), np.nan)
        if found.size != len(x):
            raise ValueError(
                f"{_name(self.jac)} must return a gradient of shape {x.shape}, one number for each "
                f"entry of x; at x={x} it returned an array of shape {found.shape}."
            )
        return found.reshape(-1)

    # -- what a problem asks ----------------------------------------------------------

    def zeros(self):
        """Return the origin."""
        return np.zeros(self.n_params)

    def split(self, theta):
        """Return all of ``theta``, and the intercepts, of which there are none."""
        return theta[: self.n_coef], theta[self.n_coef :]

    def loss_sum(self, theta):
        """Return the value."""
        return self.value_at(theta)

    def sums(self, theta, rows=None):
        """Return value and gradient, with noise where a batch is asked for."""
        value, grad = self.value_at(theta), self.gradient_at(theta)
        if rows is not None and self.noise > 0.0:
            grad += self.noise * self.rng.standard_normal(len(grad))
        return value, grad

    def look(self, theta):
        """Return value, gradient and ``theta`` again, as a row of margins."""
        return self.value_at(theta), self.gradient_at(theta), self.linear(theta)

    def linear(self, theta):
        """Return ``theta`` as a row of margins."""
        return theta.reshape(1, -1).copy()

    def slopes_along(self, eta, moved, t):
        """Return value, slope along ``moved``, point and gradient at ``eta + t * moved``."""
        there = eta + t * moved
        value, grad = self.value_at(there[0]), self.gradient_at(there[0])
        return value, float(grad @ moved[0]), there, grad.reshape(1, -1)

    def adjoint(self, u):
        """Return the gradient that a row of slopes stands for."""
        return u[0].copy()

    def curvature_sums(self, theta, v):
        """Return the second derivative along ``v``, from a difference of gradients."""
        step = _BEND * (1.0 + np.abs(theta).max(initial=0.0)) / max(np.linalg.norm(v), 1e-300)
        there = theta + step * v
        if self.box is not None:
            there = np.clip(there, *self.box)
        return (self.gradient_at(there) - self.gradient_at(theta)) / step

    def mean_squares(self):
        """Return zeros: there are no columns."""
        return np.zeros(self.n_features)

    def curvatures(self, eta):
        """Return zeros: unknown."""
        return np.zeros((1, self.n_outputs))

    def sample(self, most):
        """Return itself: one row is all there is."""
        return self

    def outputs(self):
        """Return itself alone."""
        return [self]

    def active(self):
        """Return the number of the only row."""
        return np.zeros(1, dtype=np.intp)

    def batches(self, size, order):
        """Return the only batch, in an iterator."""
        return iter([order])

    def memory(self):
        """Return None: there are no rows for a kernel to read."""
        return None


def _name(function):
    """Return what a message calls a function."""
    return getattr(function, "__qualname__", None) or repr(function)
