"""Passes over all rows: sums of losses, their gradient, and the parts that these are made of."""

import numpy as np

from .. import _kernels
from .._kernels import _reference
from .._threads import added, cut, in_turn

__all__ = ["Passes"]

# A pass is cut into at most this many ranges of rows, by the shape of the data alone,
# so that the order in which partial sums are added does not depend on the threads.
_MOST_PARTS = 8
_SMALLEST_PART = 2**17  # stored entries; below, a thread costs more than it saves
_SMALLEST_TILED = 2**20  # the same times outputs, of dense rows with several, whose tiles are fast
_MANY_OUTPUTS = 3  # of sparse rows, from which their coefficients are put side by side


class Passes:
    """What a `LinearObjective` does with all of its rows, in parts, on threads."""

    # -- whole passes ---------------------------------------------------------------

    def _parts(self, most):
        tiled = self.n_outputs > 1 and not self.sparse
        least = _SMALLEST_TILED if tiled else _SMALLEST_PART
        by_work = self.n_stored * self.n_outputs // least
        n = int(max(1, min(_MOST_PARTS, by_work, most)))
        n = 2 ** (n.bit_length() - 1)  # an odd number would leave one of two threads idle
        return cut(self.n_rows, n)

    def _prepared(self):
        """Cut the rows into ranges; return a gradient for each."""
        if self._scratch is None:
            # Each part has a gradient of its own; together they stay near 4 % of X, but for two:
            # solvers keep more vectors than that.
            most = self.n_stored * self.X.dtype.itemsize // (25 * 8 * self.n_params)
            parts = self._parts(max(most, 2))
            self._scratch = parts, np.empty((len(parts), self.n_params))
        return self._scratch[1]

    def _prepared_parts(self):
        self._prepared()
        return self._scratch[0]

    def _ranges(self):
        """Return ranges of the rows, for what holds nothing as long as a gradient."""
        if self._cuts is None:
            self._cuts = self._parts(_MOST_PARTS)
        return self._cuts

    def _full_pass(self, theta, with_grad, eta=None):
        grads = self._prepared()
        W, b = self.split(theta)

        def one(i, start, stop):
            grad = grads[i] if with_grad else None
            part = None if eta is None else eta[start:stop]
            return _kernels.full_pass(self._rows, start, stop, W, b, self._pointwise, grad, part)

        values = in_turn(one, self._scratch[0], self.n_threads)
        return added(values), added(grads) if with_grad else None

    def _in_ranges(self, work):
        """Return ``work(i, start, stop)`` of every range of rows, in order."""
        return in_turn(work, self._ranges(), self.n_threads)

    def _wide(self):
        """Whether a pass goes by way of tables with all outputs of a column side by side."""
        return self.sparse and self.n_outputs >= _MANY_OUTPUTS

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
            if self._wide():
                return self.look(theta)[:2]
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
        if not W.any():  # X has no say
            if self.n_outputs == 1 and self.loss.kinds == {"classification"}:  # y is -1 or 1
                both, more = float(self.s.sum()), float(self.s @ self.y)
                up, down = self.loss.value(np.array([1.0, -1.0]), np.full(2, b[0]), np)
                return float(0.5 * ((both + more) * up + (both - more) * down))
            return self._losses_at(None, b, None)[0]
        if self._wide():
            return self._losses_at(self.linear(theta), np.zeros(self.n_outputs), None)[0]
        return self._full_pass(theta, False)[0]

    def _losses_at(self, eta, shift, u):
        def one(i, start, stop):
            part = (None if a is None else a[start:stop] for a in (eta, u))
            return _kernels.losses_at(
                self._rows, start, stop, next(part), shift, self._pointwise, next(part)
            )

        return tuple(added(sums) for sums in zip(*self._in_ranges(one), strict=True))

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
            One reading of X in all; two where the loss has no compiled twin, and of sparse rows
            with several outputs.
        """
        if self._rows is None or self._wide():
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
        W, b = self.split(theta)
        eta = np.empty((self.n_rows, self.n_outputs))
        if not W.any():
            eta[:] = b
            return eta
        rows, wide = self.table, self._wide()
        if wide:
            W = self._tables(1)[0]
            W[:, : self.n_outputs] = self.split(theta)[0].T
        kernel = _kernels.linear_across if wide else _kernels.linear_map

        def one(i, start, stop):
            kernel(rows, start, stop, W, b, eta[start:stop])

        self._in_ranges(one)
        return eta

    def _tables(self, n):
        """Return arrays with a row for each column of X, and in all a place for each output."""
        if n not in self._kept_tables:
            widths = [_kernels.table_width(end - start) for start, end in cut(self.n_outputs, n)]
            self._kept_tables[n] = [np.zeros((self.n_features, width)) for width in widths]
        return self._kept_tables[n]

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
        eta, u = np.empty_like(begin), np.empty_like(begin)

        def one(i, start, stop):
            given, found = (begin[start:stop], moved[start:stop]), (eta[start:stop], u[start:stop])
            return _kernels.losses_along(
                self._rows, start, stop, *given, t, self._pointwise, *found
            )

        values, slopes = zip(*self._in_ranges(one), strict=True)
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
        u = np.ascontiguousarray(u)
        grad = self._adjoint_by_output(u) if self._wide() else self._adjoint_by_rows(u)
        if not self.fit_intercept:
            grad[self.n_coef :] = 0.0
        return grad

    def _adjoint_by_rows(self, u):
        grads, rows = self._prepared(), self.table

        def one(i, start, stop):
            _kernels.adjoint_map(rows, start, stop, u[start:stop], grads[i])

        in_turn(one, self._scratch[0], self.n_threads)
        return added(grads)

    def _adjoint_by_output(self, u):
        # Outputs have sums of their own, so that threads need no second gradient; the result
        # does not depend on how many share them out.
        grad, k = np.empty(self.n_params), self.n_outputs
        n = min(self.n_threads, _kernels.table_width(k) // _kernels.table_width(1))
        tables = self._tables(n)
        G, g = self.split(grad)

        def one(i, first, last):
            _kernels.adjoint_across(self.table, u, first, last, tables[i])
            G[first:last] = tables[i][:, : last - first].T

        in_turn(one, cut(k, n), self.n_threads)
        u.sum(axis=0, out=g)
        return grad
