"""The loss of a linear map over one block of rows, dense or CSR."""

import copy

import numpy as np
import scipy.sparse as sp

from .. import _kernels
from .._kernels import _reference
from .._protocols import Rows
from . import _moments
from ._passes import Passes

__all__ = ["LinearObjective"]

_LEAST_COPY = 2_500_000  # entries that a copy of some columns may always have
_LEAST_SAMPLE = 2**20  # bytes that a sample of the rows may always take
_EMPTY = np.empty(0, dtype=np.int32)
_MERGED = 4  # entries for each column, from which it costs little to merge sums of two parts


class LinearObjective(Passes):
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
    Value and gradient of all rows read X once; twice where rows are sparse and outputs several.
    ``theta`` is ``[W.ravel(), b]``, float64 whatever the type of the rows.
    """

    xp, shift, inv_scale = np, None, None

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
        self.table = self._make_rows()  # for kernels that do not ask for the loss
        self._rows = self.table if self._pointwise is not None else None
        self._scratch = self._cuts = None
        self._of_rows = {}  # what is known of them, whatever the targets
        self._kept_tables = {}

    def _make_rows(self):
        X = self.X
        if self.sparse:
            indices, indptr = X.indices, X.indptr
            if indptr.dtype != indices.dtype:
                indptr = indptr.astype(indices.dtype)
            data = X.data
        else:
            data = X.reshape(-1)
            indices = indptr = _EMPTY
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

    from_user = to_user

    def grad_to_user(self, grad):
        """Return a gradient in the user's variables: here a copy."""
        return grad.copy()

    grad_from_user = grad_to_user

    # -- second derivatives ---------------------------------------------------------

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
        if self._rows is not None and self.loss.joint:
            # p (1 - p): a slope is p, or p - 1. NumPy's sums along short rows are slow.
            u, s = np.abs(self.slopes(eta)[1]), self.s[:, None]
            return u * (1.0 - np.divide(u, s, out=np.zeros_like(u), where=s > 0.0))
        flat = eta[:, 0] if self.n_outputs == 1 and self.y.ndim == 1 else eta
        with np.errstate(over="ignore", invalid="ignore"):
            h = _moments.second_derivative(self.loss, self.y, flat)
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

    def hessian(self, eta, rows, shift=None, inv_scale=None, bend=None, own=False):
        r"""Return the second derivative of sums over some rows, by pairs of outputs.

        .. math:: H_{jl} = \sum_i h_{ijl} z_i z_i^T, \qquad z_i = [(x_i - m) / \sigma, 1]

        Parameters
        ----------
        eta : ndarray of shape (n_rows, n_outputs)
            Linear predictors of all rows.
        rows : ndarray of int of shape (n_sample,)
            Which rows to sum over, each once, in ascending order.
        shift, inv_scale : ndarray of shape (n_features,), default=None
            :math:`m` and :math:`1 / \sigma`.
        bend : ndarray of shape (n_rows, n_outputs), default=None
            What takes the place of second derivatives, not weighted; not for a joint loss.
        own : bool, default=False
            Only ``j == l``, of a joint loss too, and there rows of little curvature through
            their squares alone.

        Returns
        -------
        dict
            ``(j, l)``, ``j <= l``, to an array of shape (n_features + 1, n_features + 1);
            only ``j == l`` where outputs do not depend on each other. Costs
            :math:`O(n_{sample} d^2)` for each; X is not copied.
        """
        if own:
            return _moments.own_moments(self, eta, rows, shift, inv_scale)
        return _moments.second_moments(self, eta, rows, shift, inv_scale, bend)

    def hessian_diagonal(self, eta, shift=None, inv_scale=None):
        r"""Return the diagonal of the second derivative of sums over all rows.

        .. math:: D_{jc} = \sum_i h_{ij} z_{ic}^2, \qquad z_i = [(x_i - m) / \sigma, 1]

        Parameters
        ----------
        eta : ndarray of shape (n_rows, n_outputs)
            Linear predictors.
        shift, inv_scale : ndarray of shape (n_features,), default=None
            :math:`m` and :math:`1 / \sigma`.

        Returns
        -------
        ndarray of shape (n_params,)
            Not divided by the mass. One reading of X for each output.
        """
        return _moments.diagonal_moments(self, eta, shift, inv_scale)

    def mean_squares(self, shift=None, inv_scale=None):
        """Return the weighted means of the squares of the entries of scaled columns."""
        mean, square = self.moments()[:2]
        about = mean if shift is None else mean - shift
        return (square + about * about) * (1.0 if inv_scale is None else inv_scale**2)

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
            return _moments.gradient_difference(self, theta, v)
        return _moments.bounded_curvature(self, v, self._block())

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

    def active_at(self, places):
        """Return the numbers of the rows at places, rounded down, among those with a weight."""
        places = places.astype(np.intp)
        return places if self.n_active == self.n_rows else self.active()[places]

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
        # The sample is a copy: beyond a megabyte it stays within 3 % of X.
        size = self.n_stored * self.X.dtype.itemsize
        most = min(most, max(self.n_rows // 32, _LEAST_SAMPLE * self.n_rows // max(size, 1)))
        most = max(most, 1)
        if self.n_active == self.n_rows <= most:
            return self
        rows = self.active_at(np.linspace(0, self.n_active - 1, min(most, self.n_active)))
        share = self.mass / self.n_active  # 1 where weights are taken as they are
        y = np.ascontiguousarray(self.y[rows])
        return self._like(self.X[rows], y, self.s[rows], len(rows) * share, self.loss)

    def of_rows(self, rows):
        """Return an objective of some rows alone, a copy with the mass of all of them.

        Parameters
        ----------
        rows : ndarray of int
            Which, each once, in ascending order, at least one.

        Returns
        -------
        LinearObjective
            This one where they are all there are.
        """
        if len(rows) == self.n_rows:
            return self
        y = np.ascontiguousarray(self.y[rows])
        return self._like(self.X[rows], y, self.s[rows], self.mass, self.loss)

    def row_products(self, weight, shift=None, inv_scale=None):
        r"""Return the products of all pairs of rows, :math:`z_i^T \mathrm{diag}(w) z_l`.

        Parameters
        ----------
        weight : ndarray of shape (n_features,)
            :math:`w`.
        shift, inv_scale : ndarray of shape (n_features,), default=None
            As of `hessian`; there is no entry for the intercept.

        Returns
        -------
        ndarray of shape (n_rows, n_rows)
            In float64. Costs the stored entries times the rows; a hundred rows are made dense, or
            copied, at a time.
        """
        weight = weight if inv_scale is None else weight * inv_scale**2
        return _moments.row_products(self.X, weight, shift)

    def one_row(self):
        """Return an objective of the same loss and variables, on a copy of the first row."""
        one, y = np.ones(1), self.y[:1].copy()
        return self._like(self.X[:1].copy(), y, one, 1.0, self.loss)

    def columns(self, columns, copies=1):
        """Return an objective of some columns alone, a copy.

        Parameters
        ----------
        columns : ndarray of int
            Which, each once, in ascending order.
        copies : int, default=1
            How many there will be.

        Returns
        -------
        LinearObjective or None
            None where the copies would be more than 5 % of a large X. Of a small one all columns
            are kept, side by side, for the next time.
        """
        most, entries = max(_LEAST_COPY, self.n_stored // 20 // copies), None
        if self.sparse and self.n_stored <= _LEAST_COPY:
            entries = self._keep_entries()[:, columns]
            X, stored = entries.tocsr(), entries.nnz
        elif self.sparse:
            X = self._pruned()[:, columns]
            stored = X.nnz
        else:
            stored = self.n_rows * len(columns)
            X = np.take(self.X, columns, axis=1) if stored <= most else None
        if stored > most:
            return None
        out = self._like(X, self.y, self.s, self.mass, self.loss)
        out._of_rows = {} if entries is None else {"entries": entries}
        return out

    def _pruned(self):
        # SciPy takes what is behind the last row for entries, and writes too far.
        X = self.X
        if len(X.indices) > self.n_stored:
            X = copy.copy(X)
            X.prune()
        return X

    def _keep_entries(self):
        """Return the rows in CSC, a copy that is kept: where they are few it costs little."""
        if "entries" not in self._of_rows:
            self._of_rows["entries"] = self._pruned().tocsc()
        return self._of_rows["entries"]

    def by_column(self, inv_scale=None):
        """Return the entries of sparse rows by columns, in float64; not to be changed.

        Parameters
        ----------
        inv_scale : ndarray of shape (n_features,), default=None
            What each column is multiplied by.

        Returns
        -------
        csc_array of shape (n_rows, n_features)
            Not shifted, with int32 row numbers.
        """
        X = self._of_rows["entries"] if "entries" in self._of_rows else self.X.tocsc()
        data = X.data.astype(float)
        if inv_scale is not None:
            data *= np.repeat(inv_scale, np.diff(X.indptr))
        places = (part.astype(np.int32, copy=False) for part in (X.indices, X.indptr))
        return type(X)((data, *places), shape=X.shape)

    def with_loss(self, loss):
        """Return the objective of the same rows with another loss, in the same variables."""
        return self._beside(self.y, loss, self.n_outputs)

    def outputs(self):
        """Return an objective for each output, or this one alone where they are coupled."""
        if self.n_outputs == 1 or self.loss.joint:
            return [self]
        codes, loss = self.loss.codes, self.loss.loss if self.loss.codes else self.loss
        targets = (
            np.where(self.y == j, 1.0, -1.0) if codes else np.ascontiguousarray(self.y[:, j])
            for j in range(self.n_outputs)
        )
        return [self._beside(y, loss, 1) for y in targets]

    def _beside(self, y, loss, n_outputs):
        """Return an objective of the same rows: what one learns of them all know."""
        out = self._like(self.X, y, self.s, self.mass, loss, n_outputs)
        out._of_rows = self._of_rows
        return out

    def _like(self, X, y, s, mass, loss, n_outputs=None):
        more = {"n_outputs": n_outputs or self.n_outputs, "fit_intercept": self.fit_intercept}
        return LinearObjective(X, y, s, loss, **more, mass=mass, n_threads=self.n_threads)

    def moments(self):
        """Return mean, variance, minimum and maximum of each column, weighted.

        One reading of X, the first time. Rows of weight zero do not count; implicit zeros do.

        Returns
        -------
        mean, var, low, high : ndarray of shape (n_features,)
            In float64 whatever the type of the rows; not to be changed.
        """
        if "moments" not in self._of_rows:
            self._of_rows["moments"] = self._read_moments()
        return self._of_rows["moments"]

    @property
    def knows_moments(self):
        """Whether `moments` reads nothing."""
        return "moments" in self._of_rows

    def _read_moments(self):
        rows = self._rows if self._rows is not None else self._make_rows()
        about = self._provisional_mean()
        if not self.n_active:
            return _kernels.column_moments(rows, about)
        # Parts of sparse rows have sums of as many columns each, which are then merged.
        few = 2 if self.n_stored >= _MERGED * self.n_features else 1
        parts = self._parts(few) if self.sparse else self._prepared_parts()
        return _moments.moments_in_parts(rows, parts, about, self.n_threads)

    def _provisional_mean(self):
        # Squares are summed about this point: near the mean they lose no digits.
        if self.sparse:
            return np.zeros(self.n_features)
        few = slice(32) if self.n_active == self.n_rows else self.active()[:32]
        return self.X[few].mean(axis=0, dtype=np.float64)

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
