"""Another objective, seen in centred and scaled variables."""

import numpy as np

from ._moments import Moments, gradient_difference

__all__ = ["Moments", "ScaledObjective", "scaling", "to_user"]

# Standardised entries are held to this size for stochastic solvers: a column that is
# non-zero once in 50,000 rows would otherwise move 200 standard deviations at a time.
_MOST_DEVIATIONS = 5.0
_FEW_ROWS = 32
_ROUNDING = 16 * np.finfo(float).eps  # a spread below this part of the mean is none
_ALIKE = 5.0  # largest ratio of scales that counts as one


def _alike(square):
    # Words and one-hot columns: one scale for all does as well as one each, and then a
    # step need not shrink coordinates at rates of their own.
    return square.size > 0 and square.max() <= _ALIKE**2 * square.min()


def scaling(objective, moments, l2, *, stochastic, uniform):
    """Return shift and scale of the columns that suit a solver.

    Parameters
    ----------
    objective : LinearObjective
        Whose columns.
    moments : Moments
        Of the columns.
    l2 : float
        Strength of the l2 penalty: it bounds the scale from below, so that a column of
        tiny spread does not turn into a stiff direction of the penalty.
    stochastic : bool
        True for solvers that see few rows a step: entries are held to five deviations,
        and neither a sparse matrix (its zeros would move with every row) nor the first
        few rows of a stream (their mean says nothing yet) are shifted.
    uniform : bool
        True gives all columns one scale, for penalties that are not separable. Sparse
        columns of similar scales get one for a stochastic solver anyway.

    Returns
    -------
    shift : ndarray of shape (n_features,) or None
        None where nothing is shifted.
    scale : ndarray of shape (n_features,)
        Positive.

    Raises
    ------
    ValueError
        If the square of a column's spread is not a finite number.
    """
    mean, low, high = moments.mean, moments.low, moments.high
    shifted = objective.fit_intercept
    if stochastic and (objective.sparse or moments.mass < _FEW_ROWS):
        shifted = False
    with np.errstate(over="ignore", under="ignore"):
        if shifted:
            shift, square, reach = mean, moments.var, np.maximum(high - mean, mean - low)
            if stochastic:
                # A constant column has nothing but rounding about its mean, which a rule
                # with a metric takes for a gradient: its coefficient is kept small.
                square = np.where(square <= (_ROUNDING * mean) ** 2, mean**2, square)
        else:
            shift, square = None, moments.var + mean**2
            reach = np.maximum(np.abs(low), np.abs(high))
        if stochastic:
            square = np.maximum(square, (reach / _MOST_DEVIATIONS) ** 2)
            if objective.sparse:
                uniform = uniform or _alike(square[reach > 0])
        square = square + l2 / (objective.loss.curvature or 1.0)
    if not np.isfinite(square).all():
        j = int(np.argmin(np.isfinite(square)))
        raise ValueError(
            f"Column {j} of X goes from {low[j]:.3g} to {high[j]:.3g}, and squares of such "
            "numbers overflow. Divide it by a power of ten."
        )
    square[~(square > 0)] = 1.0
    if uniform:
        square[:] = square.max(initial=1e-300)
    return shift, np.sqrt(square)


def to_user(W, b, shift, inv_scale):
    """Take coefficients and intercepts of scaled variables to the user's, in place.

    Parameters
    ----------
    W : ndarray of shape (n_outputs, n_features)
        Coefficients; changed.
    b : ndarray of shape (n_outputs,)
        Intercepts; changed where there is a shift.
    shift : ndarray of shape (n_features,) or None
        Centres of the columns.
    inv_scale : ndarray of shape (n_features,)
        Inverse scales of the columns.
    """
    W *= inv_scale
    if shift is not None:
        b -= W @ shift


class ScaledObjective:
    r"""An objective in the variables :math:`u = \sigma w`, :math:`c = b + m^T w`.

    A row contributes through :math:`\eta = u^T (x - m) / \sigma + c`, which is the same
    number as :math:`w^T x + b`: the optimum does not move, only the geometry that a
    descent sees. X is neither copied nor made dense.

    Parameters
    ----------
    inner : LinearObjective
        Objective in the user's variables.
    shift : ndarray of shape (n_features,) or None
        :math:`m`; None leaves columns where they are.
    scale : ndarray of shape (n_features,)
        :math:`\sigma`, positive.
    seen : Moments, default=None
        What shift and scale were taken from; a stream goes on from it.
    """

    def __init__(self, inner, shift, scale, seen=None):
        self.inner = inner
        self.seen = seen
        self.shift = shift
        self.scale = scale
        self.inv_scale = 1.0 / scale
        self.uniform = bool(np.all(scale == scale[:1]))
        for name in (
            "xp dtype mass n_rows n_active n_features n_outputs n_coef n_params fit_intercept loss "
            "sparse n_stored y s zeros split active active_at batches memory pointwise slopes "
            "shifted_slopes slopes_along curvatures bent n_threads"
        ).split():
            setattr(self, name, getattr(inner, name))

    def to_user(self, theta):
        """Return ``theta`` in the user's variables."""
        out = theta.copy()
        to_user(*self.split(out), self.shift, self.inv_scale)
        return out

    def from_user(self, theta):
        """Return a ``theta`` of the user's variables in the scaled ones."""
        out = theta.copy()
        W, b = self.split(out)
        if self.shift is not None:
            b += W @ self.shift
        W *= self.scale
        return out

    def _scaled(self, grad):
        G, g = self.split(grad)
        if self.shift is not None:
            G -= g[:, None] * self.shift
        G *= self.inv_scale
        return grad

    def grad_to_user(self, grad):
        """Return a gradient in the user's variables."""
        out = grad.copy()
        G, g = self.split(out)
        G *= self.scale
        if self.shift is not None:
            G += g[:, None] * self.shift
        return out

    def grad_from_user(self, grad):
        """Return a gradient of the user's variables in the scaled ones."""
        return self._scaled(grad.copy())

    def sums(self, theta, rows=None):
        """Return loss and gradient summed over rows, in the scaled variables."""
        value, grad = self.inner.sums(self.to_user(theta), rows)
        return value, self._scaled(grad)

    def loss_sum(self, theta):
        """Return the sum of ``s_i * loss_i``."""
        return self.inner.loss_sum(self.to_user(theta))

    def look(self, theta):
        """Return loss, gradient in the scaled variables, and linear predictors."""
        value, grad, eta = self.inner.look(self.to_user(theta))
        return value, self._scaled(grad), eta

    def linear(self, theta):
        """Return the linear predictors of all rows; linear in ``theta``."""
        return self.inner.linear(self.to_user(theta))

    def adjoint(self, u):
        """Return the gradient, in the scaled variables, of sums whose slopes are ``u``."""
        return self._scaled(self.inner.adjoint(u))

    def hessian(self, eta, rows, bend=None, own=False):
        """Return the second derivative of sums over some rows, in the scaled variables."""
        return self.inner.hessian(eta, rows, self.shift, self.inv_scale, bend, own)

    def hessian_diagonal(self, eta):
        """Return the diagonal of the second derivative of sums, in the scaled variables."""
        return self.inner.hessian_diagonal(eta, self.shift, self.inv_scale)

    def mean_squares(self):
        """Return the weighted means of the squares of the scaled columns."""
        return self.inner.mean_squares(self.shift, self.inv_scale)

    def curvature_sums(self, theta, v):
        """Return the second derivative along ``v``, both in the scaled variables."""
        if self.loss.curvature is None:
            # In these variables, where one step length suits all coordinates.
            return gradient_difference(self, theta, v)
        return self._scaled(self.inner.curvature_sums(theta, self.to_user(v)))

    def sample(self, most):
        """Return a scaled objective of at most ``most`` rows, in the same variables."""
        return ScaledObjective(self.inner.sample(most), self.shift, self.scale)

    def of_rows(self, rows):
        """Return a scaled objective of some rows alone; see `LinearObjective.of_rows`."""
        return ScaledObjective(self.inner.of_rows(rows), self.shift, self.scale)

    def row_products(self, weight):
        """Return the weighted products of all pairs of scaled rows."""
        return self.inner.row_products(weight, self.shift, self.inv_scale)

    def outputs(self):
        """Return an objective for each output, or this one alone where they are coupled."""
        inner = self.inner.outputs()
        if len(inner) == 1:
            return [self]
        return [ScaledObjective(one, self.shift, self.scale) for one in inner]

    def one_row(self):
        """Return a scaled objective of one row, in the same variables."""
        return ScaledObjective(self.inner.one_row(), self.shift, self.scale)

    def columns(self, columns, copies=1):
        """Return a scaled objective of some columns, or None; see `LinearObjective.columns`."""
        inner = self.inner.columns(columns, copies)
        if inner is None:
            return None
        shift = None if self.shift is None else self.shift[columns]
        return ScaledObjective(inner, shift, self.scale[columns])

    def by_column(self):
        """Return the entries of sparse columns, scaled and not shifted."""
        return self.inner.by_column(self.inv_scale)

    def with_loss(self, loss):
        """Return the objective of the same rows with another loss, in the same variables."""
        return ScaledObjective(self.inner.with_loss(loss), self.shift, self.scale)

    def row_norms(self):
        """Return squared norms of the scaled rows."""
        return self.inner.row_norms(self.shift, self.inv_scale)
