"""The loss of a linear map over one block of rows, dense or CSR."""

import functools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp

from .. import _kernels
from .._kernels import _reference
from .._protocols import Rows
from ._moments import bend_of, second_derivative, second_factor

__all__ = ["LinearObjective", "gradient_difference"]

# A pass is cut into at most this many ranges of rows, by the shape of the data alone,
# so that the order in which partial sums are added does not depend on the threads.
_MOST_PARTS = 8
_LEAST_SAMPLE = 2**20  # bytes that a sample of the rows may always take
_SMALLEST_PART = 2**17  # stored entries; below, a thread costs more than it saves
_EMPTY = {
    np.dtype(np.int32): np.empty(0, dtype=np.int32),
    np.dtype(np.int64): np.empty(0, dtype=np.int64),
}


@functools.lru_cache(maxsize=4)
def _pool(n_threads, pid):
    # Kept between passes: starting threads costs as much as a pass over a few MB. The
    # process number is part of the key because threads do not survive a fork.
    return ThreadPoolExecutor(n_threads, thread_name_prefix="skgd")


def _added(parts):
    # From first to last: the order of a sum is part of its result.
    total = parts[0]
    for more in parts[1:]:
        total = total + more
    return total


def gradient_difference(objective, theta, v):
    """Return the derivative of the gradient sums along ``v``, by central differences."""
    # The third root of the precision, relative to the point: errors of the difference
    # and of rounding are then about equal.
    step = 1e-5 * max(1.0, np.abs(theta).max()) / max(np.abs(v).max(), 1e-300)
    ahead, behind = objective.sums(theta + step * v)[1], objective.sums(theta - step * v)[1]
    return (ahead - behind) / (2 * step)


class LinearObjective:
    r"""Sums of a loss of :math:`\eta_i = x_i W^T + b` over rows.

    .. math:: \sum_i s_i \, \ell(y_i, \eta_i)

    Parameters
    ----------
    X : ndarray (C order) or CSR matrix of shape (n_rows, n_features)
        float32 or float64; read, never copied.
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        float64 targets, +-1, or class numbers, as the loss reads them.
    s : ndarray of shape (n_rows,)
        float64 weights, not negative.
    loss : Loss
        Value and slope of one row.
    n_outputs : int, default=1
        Rows of ``W``.
    fit_intercept : bool, default=True
        False holds ``b`` at its start: its gradient is given as zero.
    mass : float, default=None
        What sums are divided by to give F; None takes ``s.sum()``.
    n_threads : int, default=1
        Threads of a pass over all rows; the result does not depend on it.

    Notes
    -----
    Value and gradient of all rows read X once. ``theta`` is ``[W.ravel(), b]``, float64
    whatever the type of the rows.
    """

    xp = np
    shift = None
    inv_scale = None

    def __init__(self, X, y, s, loss, *, n_outputs=1, fit_intercept=True, mass=None, n_threads=1):
        self.X, self.y, self.s, self.loss = X, y, s, loss
        self.n_rows, self.n_features = X.shape
        self.n_outputs = n_outputs
        self.n_coef = n_outputs * self.n_features
        self.n_params = self.n_coef + n_outputs
        self.fit_intercept = fit_intercept
        self.n_active = int(np.count_nonzero(s))  # rows of weight zero are no rows
        self.mass = float(s.sum()) if mass is None else float(mass)
        self.dtype = X.dtype
        self.n_threads = n_threads
        self.sparse = sp.issparse(X)
        self.n_stored = X.nnz if self.sparse else X.size
        self._pointwise = loss.pointwise()
        self._rows = self._make_rows() if self._pointwise is not None else None
        self._scratch = None

    def _make_rows(self):
        X = self.X
        if self.sparse:
            indices, indptr = X.indices, X.indptr
            if indptr.dtype != indices.dtype:
                indptr = indptr.astype(indices.dtype)
            data = X.data
        else:
            data = X.reshape(-1)
            indices = indptr = _EMPTY[np.dtype(np.int32)]
        return Rows(
            dense=not self.sparse,
            data=data,
            indices=indices,
            indptr=indptr,
            n_features=self.n_features,
            y=self.y,
            codes=self.loss.codes,
            s=self.s,
        )

    # -- variables ------------------------------------------------------------------

    def zeros(self):
        """Return ``theta`` with all entries zero."""
        return np.zeros(self.n_params)

    def split(self, theta):
        """Return views ``(W, b)`` of ``theta``, of shapes (k, d) and (k,)."""
        return (
            theta[: self.n_coef].reshape(self.n_outputs, self.n_features),
            theta[self.n_coef :],
        )

    def to_user(self, theta):
        """Return ``theta`` in the user's variables: here the same."""
        return theta

    def from_user(self, theta):
        """Return a ``theta`` of the user's variables in this objective's: the same."""
        return theta

    # -- sums over rows -------------------------------------------------------------

    def _parts(self):
        by_work = self.n_stored * self.n_outputs // _SMALLEST_PART
        # Each part has a gradient of its own; together they stay near 4 % of X.
        by_memory = self.n_stored * self.X.dtype.itemsize // (25 * 8 * self.n_params)
        n = int(max(1, min(_MOST_PARTS, by_work, by_memory)))
        n = 2 ** (n.bit_length() - 1)  # an odd number would leave one of two threads idle
        edges = np.linspace(0, self.n_rows, n + 1).astype(int)
        return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))

    def _prepared(self):
        """Cut the rows into ranges; return a gradient for each."""
        if self._scratch is None:
            parts = self._parts()
            self._scratch = parts, np.empty((len(parts), self.n_params))
        return self._scratch[1]

    def _full_pass(self, theta, with_grad):
        grads = self._prepared()
        W, b = self.split(theta)

        def one(i, start, stop):
            grad = grads[i] if with_grad else None
            return _kernels.full_pass(self._rows, start, stop, W, b, self._pointwise, grad)

        value = _added(self._in_parts(one))
        return value, _added(grads).copy() if with_grad else None

    def _in_parts(self, work):
        """Return ``work(i, start, stop)`` of every range of rows, in order."""
        parts = self._scratch[0]
        if len(parts) == 1 or self.n_threads == 1:
            return [work(i, *part) for i, part in enumerate(parts)]
        pool = _pool(min(self.n_threads, len(parts)), os.getpid())
        return list(pool.map(lambda i: work(i, *parts[i]), range(len(parts))))

    def sums(self, theta, rows=None):
        """Return loss and gradient summed over rows, weighted, not divided.

        Parameters
        ----------
        theta : ndarray of shape (n_params,)
            Point.
        rows : ndarray of int, default=None
            Row numbers, as ``batches`` yields them; None takes all rows.

        Returns
        -------
        value : float
            Sum of ``s_i * loss_i``.
        grad : ndarray of shape (n_params,)
            Its gradient.
        """
        if rows is None and self._rows is not None:
            value, grad = self._full_pass(theta, True)
        else:
            W, b = self.split(theta)
            X, y, s = self.X, self.y, self.s
            if rows is not None:
                X, y, s = X[rows], y[rows], s[rows]
            value, grad = _reference.full_pass(X, y, s, W, b, self.loss)
        if not self.fit_intercept:
            grad[self.n_coef :] = 0.0
        return value, grad

    def loss_sum(self, theta):
        """Return the sum of ``s_i * loss_i`` alone: half the arithmetic of ``sums``."""
        if self._rows is not None:
            return self._full_pass(theta, False)[0]
        W, b = self.split(theta)
        return _reference.full_pass(self.X, self.y, self.s, W, b, self.loss)[0]

    # -- a pass in its parts --------------------------------------------------------

    def linear(self, theta):
        """Return the linear predictors of all rows; linear in ``theta``.

        Parameters
        ----------
        theta : ndarray of shape (n_params,)
            A point, or a direction.

        Returns
        -------
        ndarray of shape (n_rows, n_outputs)
            One reading of X.
        """
        self._prepared()
        W, b = self.split(theta)
        eta = np.empty((self.n_rows, self.n_outputs))
        rows = self._rows if self._rows is not None else self._make_rows()

        def one(i, start, stop):
            _kernels.linear_map(rows, start, stop, W, b, eta[start:stop])

        self._in_parts(one)
        return eta

    def slopes(self, eta):
        """Return the sum of the weighted losses at ``eta``, and their weighted slopes.

        Parameters
        ----------
        eta : ndarray of shape (n_rows, n_outputs)
            Linear predictors.

        Returns
        -------
        value : float
            Sum of ``s_i * loss_i``.
        u : ndarray of shape (n_rows, n_outputs)
            ``s_i`` times the derivatives. X is not read.
        """
        self._prepared()
        if self._rows is not None:
            u = np.empty_like(eta)

            def one(i, start, stop):
                part = slice(start, stop)
                return _kernels.losses_at(
                    self._rows, start, stop, eta[part], self._pointwise, u[part]
                )

            return _added(self._in_parts(one)), u
        flat = eta[:, 0] if self.n_outputs == 1 and self.y.ndim == 1 else eta
        value = self.loss.value(self.y, flat, np)
        u = self.loss.gradient(self.y, flat, np)
        value = _reference.weigh(self.s, value).sum()
        return float(value), _reference.weigh(self.s, u).reshape(eta.shape)

    def adjoint(self, u):
        """Return the gradient of sums whose slopes are ``u``.

        Parameters
        ----------
        u : ndarray of shape (n_rows, n_outputs)
            Slopes, weighted.

        Returns
        -------
        ndarray of shape (n_params,)
            ``[(u.T @ X).ravel(), u.sum(axis=0)]``, not divided; zero for an intercept that
            is not fitted. One reading of X.
        """
        grads = self._prepared()
        rows = self._rows if self._rows is not None else self._make_rows()
        u = np.ascontiguousarray(u)

        def one(i, start, stop):
            _kernels.adjoint_map(rows, start, stop, u[start:stop], grads[i])

        self._in_parts(one)
        grad = _added(grads).copy()
        if not self.fit_intercept:
            grad[self.n_coef :] = 0.0
        return grad

    def curvatures(self, eta):
        """Return the weighted second derivatives of the losses at ``eta``.

        Parameters
        ----------
        eta : ndarray of shape (n_rows, n_outputs)
            Linear predictors.

        Returns
        -------
        ndarray of shape (n_rows, n_outputs)
            Not negative; of softmax the diagonal part.
        """
        flat = eta[:, 0] if self.n_outputs == 1 and self.y.ndim == 1 else eta
        with np.errstate(over="ignore", invalid="ignore"):
            h = second_derivative(self.loss, self.y, flat)
        return _reference.weigh(self.s, h).reshape(eta.shape)

    def bent(self, eta, moved):
        """Return how the slopes at ``eta`` change as ``eta`` moves.

        Parameters
        ----------
        eta, moved : ndarray of shape (n_rows, n_outputs)
            Linear predictors, and their change.

        Returns
        -------
        ndarray of shape (n_rows, n_outputs)
            Second derivatives of the weighted losses times ``moved``.
        """
        if self.n_outputs > 1 and self.loss.joint:
            p = self.loss.proba(eta, np)
            out = p * (moved - (p * moved).sum(axis=1, keepdims=True))
            return _reference.weigh(self.s, out)
        return self.curvatures(eta) * moved

    def hessian(self, eta, rows, shift=None, inv_scale=None, bend=None):
        r"""Return the second derivative of sums over some rows, by pairs of outputs.

        .. math:: H_{jl} = \sum_i h_{ijl} z_i z_i^T, \qquad z_i = [(x_i - m) / \sigma, 1]

        Parameters
        ----------
        eta : ndarray of shape (n_rows, n_outputs)
            Linear predictors of all rows.
        rows : ndarray of int of shape (n_sample,)
            Which rows to sum over.
        shift, inv_scale : ndarray of shape (n_features,), default=None
            :math:`m` and :math:`1 / \sigma`.
        bend : ndarray of shape (n_rows, n_outputs), default=None
            What takes the place of second derivatives, not weighted; not for a joint loss.

        Returns
        -------
        dict
            ``(j, l)``, ``j <= l``, to an array of shape (n_features + 1, n_features + 1);
            only ``j == l`` where outputs do not depend on each other. Costs
            :math:`O(n_{sample} d^2)` for each; X is read in blocks and not copied.
        """
        d, k = self.n_features, self.n_outputs
        joint = k > 1 and self.loss.joint
        pairs = [(j, i) for j in range(k) for i in range(j, k if joint else j + 1)]
        out = {pair: np.zeros((d + 1, d + 1)) for pair in pairs}
        step = self._block()
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            z = second_factor(self.X[some], shift, inv_scale)
            s, q = self.s[some], eta[some]
            flat = q[:, 0] if k == 1 and self.y.ndim == 1 else q
            with np.errstate(over="ignore", invalid="ignore"):
                h = bend_of(self.loss, self.y[some], flat) if bend is None else bend[some]
                h = h.reshape(q.shape)
                p = self.loss.proba(q, np) if joint else None
            for j, i in pairs:
                bent = h[:, j] if i == j else -p[:, j] * p[:, i]
                out[j, i] += z(_reference.weigh(s, bent))
        return out

    def curvature_sums(self, theta, v):
        """Return a bound on the second derivative of ``sums`` along ``v``.

        With a loss of bounded curvature ``c`` this is ``sum_i s_i c x_i (x_i @ v)``; for
        the others the difference of two gradients at ``theta``, so it asks nothing of
        the loss but a gradient. Costs one or two passes.

        Parameters
        ----------
        theta, v : ndarray of shape (n_params,)
            Point and direction.

        Returns
        -------
        ndarray of shape (n_params,)
            Not divided by the mass.
        """
        if self.loss.curvature is None:
            return gradient_difference(self, theta, v)
        W, b = self.split(v)
        out = np.zeros(self.n_params)
        into, into_b = self.split(out)
        # In blocks, since NumPy widens a copy of float32 rows for a product with float64.
        step = self._block()
        for start in range(0, self.n_rows, step):
            x, s = self.X[start : start + step], self.s[start : start + step]
            eta = (x @ W.T + b) * (self.loss.curvature * s[:, None])
            into += np.asarray(eta.T @ x)
            into_b += eta.sum(axis=0)
        if not self.fit_intercept:
            out[self.n_coef :] = 0.0
        return out

    def _block(self):
        """Return how many rows a copy may have that stays small beside X."""
        per_row = self.n_stored // max(1, self.n_rows) if self.sparse else self.n_features
        return max(1, _reference.CHUNK // max(1, per_row))

    # -- rows -----------------------------------------------------------------------

    def active(self):
        """Return the numbers of the rows with a positive weight."""
        if self.n_active == self.n_rows:
            return np.arange(self.n_rows, dtype=np.intp)
        return np.flatnonzero(self.s)

    def batches(self, size, order):
        """Cut an order of rows into handles for ``sums``, ``size`` rows each."""
        return [order[i : i + size] for i in range(0, len(order), size)]

    def sample(self, most):
        """Return an objective of at most ``most`` rows, evenly spaced, all weighing > 0.

        Fewer where they would be more than 3 % of a large X. The same rows for the same
        data: nothing is drawn.

        Parameters
        ----------
        most : int
            Number of rows, at least 1.

        Returns
        -------
        LinearObjective
            This one where it has no more rows than that.
        """
        rows = self.active()
        # The sample is a copy: beyond a megabyte it stays within 3 % of X.
        size = self.n_stored * self.X.dtype.itemsize
        most = min(most, max(self.n_rows // 32, _LEAST_SAMPLE * self.n_rows // max(size, 1)))
        most = max(most, 1)
        if len(rows) == self.n_rows <= most:
            return self
        if len(rows) > most:
            rows = rows[np.linspace(0, len(rows) - 1, most).astype(np.intp)]
        s = self.s[rows]
        share = self.mass / self.n_active  # 1 where weights are taken as they are
        return LinearObjective(
            self.X[rows],
            np.ascontiguousarray(self.y[rows]),
            s,
            self.loss,
            n_outputs=self.n_outputs,
            fit_intercept=self.fit_intercept,
            mass=len(rows) * share,
        )

    def moments(self):
        """Return mean, variance, minimum and maximum of each column, weighted.

        One reading of X. Rows of weight zero do not count; implicit zeros do.

        Returns
        -------
        mean, var, low, high : ndarray of shape (n_features,)
            In float64 whatever the type of the rows.
        """
        rows = self._rows if self._rows is not None else self._make_rows()
        return _kernels.column_moments(rows, self._provisional_mean())

    def _provisional_mean(self):
        # Squares are summed about this point: near the mean they lose no digits.
        if self.sparse:
            return np.zeros(self.n_features)
        few = self.X[self.active()[:32]]
        return few.mean(axis=0, dtype=np.float64)

    def row_norms(self, shift=None, inv_scale=None):
        """Return squared norms of the rows of ``(X - shift) * inv_scale``."""
        rows = self._rows if self._rows is not None else self._make_rows()
        return _kernels.row_norms(rows, shift, inv_scale)

    def memory(self):
        """Return the rows for kernels, or None where the loss has no compiled twin."""
        return self._rows

    def pointwise(self):
        """Return the compiled loss, or None."""
        return self._pointwise
