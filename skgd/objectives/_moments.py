"""Weighted moments of rows, dense or CSR, and second derivatives that are such moments."""

import functools
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from .. import _kernels
from .._kernels._reference import weigh
from .._threads import added, cut, in_turn

__all__ = [
    "Moments",
    "bend_of",
    "bounded_curvature",
    "diagonal_moments",
    "gradient_difference",
    "moments_in_parts",
    "own_moments",
    "second_derivative",
    "second_moments",
    "weighted_squares",
]

_MOST_PARTS = 4  # of the rows of a Hessian
_SMALLEST_PART = 2**21  # products; below, a thread costs more than it saves
_ROOM = 2**22  # bytes that their sums may always take
_ENOUGH = 0.2  # share of the rows that must show a curvature
_WIDENINGS = 60
_SLIGHT = 1e-3  # of the mean curvature of an output: one that is left to the diagonal
_TOGETHER = 128  # rows that are made dense at a time
_SCATTERED = 10.0  # times the products of a block of rows, one of two sparse ones takes
_SLICE = 8192  # rows whose second derivatives are taken at a time


@dataclass(eq=False)
class Moments:
    """Mean, variance and range of columns, which later rows can be added to.

    Parameters
    ----------
    mass : float
        Sum of the weights of the rows.
    mean, var : ndarray of shape (n_features,)
        Weighted mean and variance.
    low, high : ndarray of shape (n_features,)
        Least and largest entry of the rows with a positive weight.
    """

    mass: float
    mean: np.ndarray
    var: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, objective):
        """Return the moments of an objective's rows; reads them once."""
        return cls(float(objective.s.sum()), *objective.moments())

    def merged(self, more):
        """Return the moments of these rows and ``more`` together (Chan et al. 1983).

        Rows seen before leave mean and variance as they are, to the last bit.

        Parameters
        ----------
        more : Moments
            Of other rows, with the same columns.

        Returns
        -------
        Moments
            Of all of them.
        """
        mass = self.mass + more.mass
        share, gap = more.mass / mass, more.mean - self.mean
        with np.errstate(over="ignore", invalid="ignore"):  # `scaling` says so in words
            var = self.var + share * ((more.var - self.var) + (1.0 - share) * gap * gap)
        low, high = np.minimum(self.low, more.low), np.maximum(self.high, more.high)
        return Moments(mass, self.mean + share * gap, var, low, high)


def moments_in_parts(rows, parts, about, n_threads):
    """Return mean, variance, minimum and maximum of the columns of rows, on threads.

    Parameters
    ----------
    rows : Rows
        Dense or CSR.
    parts : list of tuple of int
        Ranges of rows, whose moments are merged from first to last.
    about : ndarray of shape (n_features,)
        Rough means, near which squares lose no digits.
    n_threads : int
        Threads at most.

    Returns
    -------
    tuple of ndarray
        Each of shape (n_features,). Rows of weight zero do not count.
    """
    d = rows.n_features

    def one(i, start, stop):
        s = rows.s[start:stop]
        part = rows._replace(y=rows.y[start:stop], s=s)
        if rows.dense:
            part = part._replace(data=rows.data[start * d : stop * d])
        else:
            part = part._replace(indptr=rows.indptr[start : stop + 1])
        return Moments(float(s.sum()), *_kernels.column_moments(part, about))

    found = [part for part in in_turn(one, parts, n_threads) if part.mass > 0.0]
    whole = functools.reduce(Moments.merged, found)
    return whole.mean, whole.var, whole.low, whole.high


def second_derivative(loss, y, eta):
    """Return the second derivative of a loss at each row.

    Parameters
    ----------
    loss : Loss
        With ``hessian``, or else its slopes are compared a little ahead and behind.
    y, eta : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Targets and linear predictors.

    Returns
    -------
    ndarray of the shape of ``eta``
        Not negative.
    """
    # What wraps a loss of the user's has the method even where that loss does not.
    if hasattr(getattr(loss, "loss", loss), "hessian"):
        return loss.hessian(y, eta, np)
    step = 1e-5 * np.maximum(1.0, np.abs(eta))
    change = loss.gradient(y, eta + step, np) - loss.gradient(y, eta - step, np)
    return np.maximum(change / (2.0 * step), 0.0)


def bend_of(loss, y, eta):
    """Return the second derivative of a loss at each row, for a model of many rows.

    A loss that bends in a few places only, such as Huber's with a small ``epsilon``, shows no
    curvature at most rows, though their sum has one. Its slopes are then compared across a
    band, as wide as a fifth of the rows needs: what one row shows stands for its neighbours.

    Parameters
    ----------
    loss : Loss
        With slopes, and a second derivative where that is cheap.
    y, eta : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Targets and linear predictors.

    Returns
    -------
    ndarray of the shape of ``eta``
        Not negative.
    """
    h = second_derivative(loss, y, eta)
    if not loss.flat:
        return h
    if y.ndim == 2:
        # Targets have scales of their own.
        return np.stack([bend_of(loss, *each) for each in zip(y.T, eta.T, strict=True)], axis=1)
    band = 0.0
    for _ in range(_WIDENINGS):
        total = h.sum()
        if total * total >= _ENOUGH * h.size * np.square(h).sum() > 0.0:
            break
        # From the part that a millionth of the spread is, by doubling.
        band = 2.0 * band if band else 1e-6 * max(float(np.std(y - eta)), 1e-300)
        ahead, behind = loss.gradient(y, eta + band, np), loss.gradient(y, eta - band, np)
        h = (ahead - behind) / (2.0 * band)
    return h


def second_moments(objective, eta, rows, shift=None, inv_scale=None, bend=None):
    """Return what `LinearObjective.hessian` describes.

    Ranges of rows go to threads, each of which adds up sums of its own; how many there are
    depends on the shape of the data alone.
    """
    y, s, loss = objective.y, objective.s, objective.loss
    d, k = objective.n_features, objective.n_outputs
    rows = np.ascontiguousarray(rows, dtype=np.intp)
    joint = k > 1 and loss.joint
    pairs = [(j, i) for j in range(k) for i in range(j, k if joint else j + 1)]
    parts = _gram_parts(objective, len(rows), d + 1, len(pairs))
    everything = len(rows) == objective.n_rows  # their numbers are known, and nothing is gathered

    def one(_, first, last):
        out = np.zeros((len(pairs), d + 1, d + 1))
        for start in range(first, last, _SLICE):
            numbers = some = rows[start : min(start + _SLICE, last)]
            if everything:
                some = slice(start, start + len(numbers))
            q = eta[some]
            flat = q[:, 0] if k == 1 and y.ndim == 1 else q
            with np.errstate(over="ignore", invalid="ignore"):
                h = bend_of(loss, y[some], flat) if bend is None else bend[some]
                h = h.reshape(q.shape)
                if joint:
                    p = loss.proba(q, np)
                    each = (h[:, j] if i == j else -p[:, j] * p[:, i] for j, i in pairs)
                    h = np.stack(list(each), axis=1)
            h = weigh(s[some], h)
            if loss.banded or loss.jumps:
                held = np.flatnonzero(h.any(axis=1))
                numbers, h = numbers[held], h[held]
            _kernels.gram_block(objective.table, numbers, h, shift, inv_scale, out)
        return out

    found = added(in_turn(one, parts, objective.n_threads))
    for matrix in found:
        matrix += np.triu(matrix, 1).T
    return dict(zip(pairs, found, strict=True))


def _gram_parts(objective, n_rows, order, n_sets=1):
    """Return ranges of rows whose second moments are added up apart."""
    size = n_sets * order**2
    parts = _MOST_PARTS if 8 * _MOST_PARTS * size <= max(_ROOM, objective.n_stored // 4) else 1
    parts = max(1, min(parts, n_rows // (4 * order), n_rows * size // _SMALLEST_PART))
    return cut(n_rows, parts)


def weighted_squares(objective, shift, inv_scale, more=None):
    r"""Return the weighted second moments of all rows and a 1.

    .. math:: \sum_i s_i z_i z_i^T, \qquad z_i = [([x_i, y_i] - m) / \sigma, 1]

    Parameters
    ----------
    objective : LinearObjective
        In the user's variables.
    shift, inv_scale : ndarray of shape (n_columns,)
        :math:`m` and :math:`1 / \sigma`.
    more : ndarray of shape (n_rows, n_more), default=None
        :math:`y`, columns beside those of dense rows.

    Returns
    -------
    ndarray of shape (n_columns + 1, n_columns + 1)
        One reading of X, on threads.
    """
    rows, order = objective.active(), len(shift) + 1
    h = objective.s[:, None] if len(rows) == objective.n_rows else objective.s[rows, None]

    def one(_, first, last):
        out, some = np.zeros((1, order, order)), slice(first, last)
        given = rows[some], h[some], shift, inv_scale
        _kernels.gram_block(objective.table, *given, out, more)
        return out

    parts = _gram_parts(objective, len(rows), order)
    found = added(in_turn(one, parts, objective.n_threads))[0]
    found += np.triu(found, 1).T
    return found


def row_products(X, weight, shift):
    """Return what `LinearObjective.row_products` does."""
    if sp.issparse(X):
        out = _sparse_products(X, weight)
    else:
        n = X.shape[0]
        out = np.empty((n, n))
        for first in range(0, n, _TOGETHER):
            # From the first row on: what lies above the diagonal is below it too.
            few = X[first : first + _TOGETHER] * weight
            stop = first + len(few)
            for i in range(first, n, _TOGETHER):
                # In pieces: rows of another type than float64 are copied here.
                out[i : i + _TOGETHER, first:stop] = X[i : i + _TOGETHER] @ few.T
            out[first:stop, first:] = out[first:, first:stop].T
    if shift is not None:
        along = X @ (weight * shift)
        out -= along[:, None] + along
        out += float(weight @ (shift * shift))
    return out


def _sparse_products(X, weight):
    n = X.shape[0]
    counts = np.bincount(X.indices, minlength=X.shape[1])
    used = np.flatnonzero(counts)
    place = np.zeros(X.shape[1], dtype=X.indices.dtype)
    place[used] = np.arange(len(used))
    # Of what no row has nothing is left: most columns, where rows are few.
    X = type(X)((X.data.astype(np.float64), place[X.indices], X.indptr), shape=(n, len(used)))
    other = X.copy()
    other.data *= weight[used][X.indices]
    if _SCATTERED * float(counts @ counts) < float(X.nnz) * n:
        return (X @ other.T).toarray()
    out = np.empty((n, n))
    for first in range(0, n, _TOGETHER):
        few = other[first : first + _TOGETHER].T.toarray(order="C")
        stop = first + few.shape[1]
        out[first:, first:stop] = X[first:] @ few
        out[first:stop, first:] = out[first:, first:stop].T
    return out


def own_moments(objective, eta, rows, shift=None, inv_scale=None):
    """Return what `LinearObjective.hessian` gives for each output with itself, or nearly.

    Rows whose curvatures are small for an output, and add up to a thousandth of what all are
    at most, count there through the squares of their entries alone: where rows are fitted well,
    these are nearly all. Outputs go to threads.
    """
    d, s = objective.n_features, objective.s
    rows = np.ascontiguousarray(rows, dtype=np.intp)
    with np.errstate(over="ignore", invalid="ignore"):
        h = weigh(s[rows], second_derivative(objective.loss, objective.y[rows], eta[rows]))

    def one(j, *_):
        out, mine = np.zeros((1, d + 1, d + 1)), h[:, j]
        held = mine > _SLIGHT * mine.mean()
        some = np.flatnonzero(held)
        for start in range(0, len(some), _SLICE):
            part = some[start : start + _SLICE]
            own = np.ascontiguousarray(mine[part, None])
            _kernels.gram_block(objective.table, rows[part], own, shift, inv_scale, out)
        out[0] += np.triu(out[0], 1).T
        if len(some) < len(rows):
            slight = np.where(held, 0.0, mine)
            out[0].flat[:: d + 2] += _squares(objective, rows, slight, shift, inv_scale)
        return out[0]

    outputs = [(j, j + 1) for j in range(objective.n_outputs)]
    found = in_turn(one, outputs, objective.n_threads)
    return {(j, j): matrix for j, matrix in enumerate(found)}


def _squares(objective, rows, h, shift, inv_scale):
    """Return the sums of the squared entries of scaled rows and a 1, weighted by ``h``."""
    weights, mass = np.zeros(objective.n_rows), float(h.sum())
    weights[rows] = h
    # About the shift where rows are dense: squares near it lose no digits.
    near = np.zeros(objective.n_features) if shift is None or objective.sparse else shift
    mean, var = _kernels.column_moments(objective.table._replace(s=weights), near)[:2]
    about = mean if shift is None else mean - shift
    square = (var + about**2) * (1.0 if inv_scale is None else inv_scale**2)
    return mass * np.append(square, 1.0) if mass > 0.0 else np.zeros(len(mean) + 1)


def diagonal_moments(objective, eta, shift=None, inv_scale=None):
    """Return what `LinearObjective.hessian_diagonal` describes; outputs go to threads."""
    h, everything = objective.curvatures(eta), np.arange(objective.n_rows)
    out = np.empty(objective.n_params)
    W, b = objective.split(out)

    def one(j, *_):
        squares = _squares(objective, everything, h[:, j], shift, inv_scale)
        W[j], b[j] = squares[:-1], squares[-1]

    in_turn(one, [(j, j + 1) for j in range(objective.n_outputs)], objective.n_threads)
    return out


def gradient_difference(objective, theta, v):
    """Return the derivative of the gradient sums along ``v``, by central differences."""
    # The third root of the precision, relative to the point: errors of the difference
    # and of rounding are then about equal.
    step = 1e-5 * max(1.0, np.abs(theta).max()) / max(np.abs(v).max(), 1e-300)
    ahead, behind = objective.sums(theta + step * v)[1], objective.sums(theta - step * v)[1]
    return (ahead - behind) / (2 * step)


def bounded_curvature(objective, v, block):
    """Return ``sum_i s_i c x_i (x_i @ v)`` with the largest curvature c of the loss."""
    W, b = objective.split(v)
    out = np.zeros(objective.n_params)
    into, into_b = objective.split(out)
    # In blocks, since NumPy widens a copy of float32 rows for a product with float64.
    for start in range(0, objective.n_rows, block):
        x, s = objective.X[start : start + block], objective.s[start : start + block]
        eta = (x @ W.T + b) * (objective.loss.curvature * s[:, None])
        into += np.asarray(eta.T @ x)
        into_b += eta.sum(axis=0)
    if not objective.fit_intercept:
        out[objective.n_coef :] = 0.0
    return out
