"""Passes over all rows: sums of losses, their gradient, and the parts that these are made of."""

import numpy as np

from .. import _kernels
from .._kernels import _reference
from ._threads import added, in_turn

__all__ = ["Passes"]

# A pass is cut into at most this many ranges of rows, by the shape of the data alone,
# so that the order in which partial sums are added does not depend on the threads.
_MOST_PARTS = 8
_SMALLEST_PART = 2**17  # stored entries; below, a thread costs more than it saves


class Passes:
    """What a `LinearObjective` does with all of its rows, in parts, on threads."""

    # -- whole passes ---------------------------------------------------------------

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

    def _full_pass(self, theta, with_grad, eta=None):
        grads = self._prepared()
        W, b = self.split(theta)

        def one(i, start, stop):
            grad = grads[i] if with_grad else None
            part = None if eta is None else eta[start:stop]
            return _kernels.full_pass(self._rows, start, stop, W, b, self._pointwise, grad, part)

        return added(self._in_parts(one)), added(grads) if with_grad else None

    def _in_parts(self, work):
        """Return ``work(i, start, stop)`` of every range of rows, in order."""
        return in_turn(work, self._scratch[0], self.n_threads)

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
        W, b = self.split(theta)
        if self._rows is None:
            return _reference.full_pass(self.X, self.y, self.s, W, b, self.loss)[0]
        if not W.any():
            self._prepared()
            return self._losses_at(None, b, None)[0]  # X has no say
        return self._full_pass(theta, False)[0]

    def _losses_at(self, eta, shift, u):
        self._prepared()

        def one(i, start, stop):
            part = (None if a is None else a[start:stop] for a in (eta, u))
            return _kernels.losses_at(
                self._rows, start, stop, next(part), shift, self._pointwise, next(part)
            )

        return tuple(added(sums) for sums in zip(*self._in_parts(one), strict=True))

    def look(self, theta):
        """Return what `sums` does of all rows, and their linear predictors.

        Parameters
        ----------
        theta : ndarray of shape (n_params,)
            Point.

        Returns
        -------
        value, grad : float, ndarray of shape (n_params,)
            Sums over rows.
        eta : ndarray of shape (n_rows, n_outputs)
            One reading of X in all; two where the loss has no compiled twin.
        """
        if self._rows is None:
            eta = self.linear(theta)
            value, u = self.slopes(eta)
            return value, self.adjoint(u), eta
        eta = np.empty((self.n_rows, self.n_outputs))
        value, grad = self._full_pass(theta, True, eta)
        if not self.fit_intercept:
            grad[self.n_coef :] = 0.0
        return value, grad, eta

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
            One reading of X; none where only intercepts are not zero.
        """
        self._prepared()
        W, b = self.split(theta)
        eta = np.empty((self.n_rows, self.n_outputs))
        if not W.any():
            eta[:] = b
            return eta
        rows = self.table

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
        return self.shifted_slopes(eta, np.zeros(self.n_outputs))[:2]

    def shifted_slopes(self, eta, shift):
        """Return what `slopes` does at ``eta + shift``, and sums of the slopes by output.

        Parameters
        ----------
        eta : ndarray of shape (n_rows, n_outputs)
            Linear predictors.
        shift : ndarray of shape (n_outputs,)
            Added to each of them.

        Returns
        -------
        value, u : float, ndarray of shape (n_rows, n_outputs)
            As of `slopes`.
        total, size : ndarray of shape (n_outputs,)
            Sums of ``u`` and of its absolute values.
        """
        if self._rows is not None:
            u = np.empty_like(eta)
            value, total, size = self._losses_at(eta, shift, u)
            return value, u, total, size
        eta = eta + shift
        flat = eta[:, 0] if self.n_outputs == 1 and self.y.ndim == 1 else eta
        value = self.loss.value(self.y, flat, np)
        u = self.loss.gradient(self.y, flat, np)
        value = _reference.weigh(self.s, value).sum()
        u = _reference.weigh(self.s, u).reshape(eta.shape)
        return float(value), u, u.sum(axis=0), np.abs(u).sum(axis=0)

    def slopes_along(self, begin, moved, t):
        """Return losses and slopes some way along a line of linear predictors.

        Parameters
        ----------
        begin, moved : ndarray of shape (n_rows, n_outputs)
            Linear predictors, and their change.
        t : float
            How far to go.

        Returns
        -------
        value, along : float
            Sum of ``s_i * loss_i`` at ``eta = begin + t * moved``, and its derivative in t.
        eta, u : ndarray of shape (n_rows, n_outputs)
            The predictors, and the weighted slopes there. X is not read.
        """
        if self._rows is None:
            eta = begin + t * moved
            value, u = self.slopes(eta)
            return value, float(np.vdot(u, moved)), eta, u
        self._prepared()
        eta, u = np.empty_like(begin), np.empty_like(begin)

        def one(i, start, stop):
            given, found = (begin[start:stop], moved[start:stop]), (eta[start:stop], u[start:stop])
            return _kernels.losses_along(
                self._rows, start, stop, *given, t, self._pointwise, *found
            )

        values, slopes = zip(*self._in_parts(one), strict=True)
        return added(values), added(slopes), eta, u

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
        grads, rows = self._prepared(), self.table
        u = np.ascontiguousarray(u)

        def one(i, start, stop):
            _kernels.adjoint_map(rows, start, stop, u[start:stop], grads[i])

        self._in_parts(one)
        grad = added(grads)
        if not self.fit_intercept:
            grad[self.n_coef :] = 0.0
        return grad
