"""The one type switch: what kind of rows, hence which objective."""

import numpy as np
import scipy.sparse as sp

from .. import _kernels
from .._threads import cut, in_turn
from ._linear import LinearObjective
from ._moments import Moments
from ._scaled import ScaledObjective, scaling

__all__ = [
    "Pending",
    "Scales",
    "are_finite",
    "are_plain",
    "check_sparse",
    "is_long",
    "linear_predictor",
    "make_objective",
    "make_scaled",
    "reach",
    "renumbered",
    "stored",
]

_EMPTY = np.empty(0, dtype=np.int32)
_LONG, _PIECES = 1 << 20, 4  # entries from which on so many pieces are checked on threads
_INDICES = np.dtype(np.int32), np.dtype(np.int64)
_FLOATS = np.dtype(np.float64), np.dtype(np.float32)


def are_plain(X, y, n_features=None, n_threads=1, entries=True):
    """Whether rows and targets are such that no check of theirs can fail or change them.

    Parameters
    ----------
    X : object
        Rows as the user gave them.
    y : object
        One target or label a row.
    n_features : int, default=None
        Columns that X must have; None is any number but none.
    n_threads : int, default=1
        Threads that read X.
    entries : bool, default=True
        False where X is not to be read: somebody looks at its entries later.

    Returns
    -------
    bool
        False where it is not certain.
    """
    if sp.issparse(X):
        if type(X) not in (sp.csr_array, sp.csr_matrix) or type(X.data) is not np.ndarray:
            return False
        if X.indices.dtype != X.indptr.dtype or X.indices.dtype.kind != "i":
            return False
        if len(X.indptr) != X.shape[0] + 1 or X.indptr.ndim != 1:
            return False
        if not (X.data.flags.c_contiguous and X.indices.flags.c_contiguous):
            return False
        data = X.data
    elif type(X) is np.ndarray and X.ndim == 2 and X.flags.c_contiguous:
        data = X.reshape(-1)
    else:
        return False
    if data.dtype not in _FLOATS or not X.shape[1] or n_features not in (None, X.shape[1]):
        return False
    if type(y) is not np.ndarray or y.ndim != 1 or len(y) != X.shape[0] or not len(y):
        return False
    if y.dtype.kind not in "biuU":
        if y.dtype not in _FLOATS or not _kernels.is_finite(np.ascontiguousarray(y)):
            return False
    return not entries or _finite(data, n_threads)


def is_long(X):
    """Return whether rows are dense, and so many that each reading of them counts.

    Parameters
    ----------
    X : object
        Rows as the user gave them.

    Returns
    -------
    bool
        False for what is no array.
    """
    return type(X) is np.ndarray and X.size >= _LONG


def are_finite(objective):
    """Return whether moments tell that all entries are finite; reads X once, for these.

    Parameters
    ----------
    objective : LinearObjective
        In the user's variables.

    Returns
    -------
    bool
        False also where squares of entries overflow, or some rows have no weight.
    """
    if objective.n_active < objective.n_rows:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return all(np.isfinite(part).all() for part in objective.moments()[:2])


def _finite(data, n_threads):
    if len(data) < _LONG:
        return _kernels.is_finite(data)
    pieces = cut(len(data), _PIECES)
    return all(in_turn(lambda _, a, b: _kernels.is_finite(data[a:b]), pieces, n_threads))


def check_sparse(X):
    """Raise ValueError if a sparse matrix has column numbers out of range.

    SciPy does not look, and a kernel that trusts them would read past the end of the
    coefficients.

    Parameters
    ----------
    X : ndarray or CSR matrix
        Dense rows pass unseen.

    Raises
    ------
    ValueError
        Says what does not fit: column numbers, or where rows start.
    """
    if not sp.issparse(X):
        return
    if X.indices.dtype == X.indptr.dtype and X.indices.dtype in _INDICES:
        parts = [np.ascontiguousarray(part) for part in (X.indptr, X.indices)]
        fits = len(X.indptr) == X.shape[0] + 1 and parts[0].ndim == parts[1].ndim == 1
        if fits and _kernels.is_csr(*parts, len(X.data), X.shape[1]):
            return
    indptr, nnz = X.indptr, len(X.indices)
    if len(indptr) != X.shape[0] + 1 or indptr[0] != 0 or indptr[-1] > min(nnz, len(X.data)):
        raise ValueError("X is not a valid CSR matrix: its indptr does not match its entries.")
    if len(indptr) > 1 and (np.diff(indptr) < 0).any():
        raise ValueError("X is not a valid CSR matrix: its indptr decreases.")
    if nnz and (X.indices.min() < 0 or X.indices.max() >= X.shape[1]):
        raise ValueError(
            f"X has column indices from {X.indices.min()} to {X.indices.max()}, "
            f"out of range for {X.shape[1]} columns."
        )


def stored(X):
    """Return how rows are stored; nothing is copied.

    Parameters
    ----------
    X : ndarray (C order) or CSR matrix of shape (n_rows, n_features)
        Rows.

    Returns
    -------
    dense, data, indices, indptr : bool and ndarrays
        The first four parts of `skgd._protocols.Rows`.
    """
    if sp.issparse(X):
        used = int(X.indptr[-1])  # behind it there may be room that belongs to no row
        return False, X.data[:used], X.indices[:used], X.indptr
    return True, X.reshape(-1), _EMPTY, _EMPTY


def renumbered(parts, columns, n_columns):
    """Return sparse rows with other numbers for their columns.

    Parameters
    ----------
    parts : tuple
        From `stored`.
    columns : ndarray of int of shape (n_stored,)
        New column of each entry.
    n_columns : int
        How many there are.

    Returns
    -------
    CSR array of shape (n_rows, n_columns)
        Shares the entries.
    """
    _, data, _, indptr = parts
    return sp.csr_array((data, columns, indptr), shape=(len(indptr) - 1, n_columns))


def reach(parts, shift, inv_scale):
    """Return the largest size of a scaled entry of rows.

    Parameters
    ----------
    parts : tuple
        From `stored`.
    shift : ndarray of shape (n_features,) or None
        Centres.
    inv_scale : ndarray of shape (n_features,)
        Inverse scales.

    Returns
    -------
    float
        0 where there are none.
    """
    dense, data, indices, _ = parts
    if dense:
        data = data.reshape(-1, len(inv_scale))
        data = data * inv_scale if shift is None else (data - shift) * inv_scale
    else:
        data = data * inv_scale[indices]
    return float(np.abs(data).max(initial=0.0))


class Scales:
    """Finds the columns of sparse rows whose scales do not serve.

    Parameters
    ----------
    unseen : ndarray of bool of shape (n_features,)
        Columns that no entry has been seen of: they get a scale with their first. Changed in
        place.
    most, wanted : float
        Scaled entries at most, and what the largest of a column that has more will be.
    """

    def __init__(self, unseen, most, wanted):
        self.unseen, self.most, self.wanted = unseen.view(np.uint8), most, wanted
        self._table = np.full(len(unseen), -1, dtype=np.int32)

    def outgrown(self, parts, scale):
        """Return the columns with entries too large for ``scale``, each once, and new scales."""
        # The kernel takes note that these have been seen.
        _, data, indices, _ = parts
        columns, sizes = np.empty_like(indices), np.empty(len(indices))
        args = self.unseen, self.most, self._table, columns, sizes
        count = _kernels.outgrown(data, indices, scale, *args)
        return columns[:count], sizes[:count] / self.wanted


class Pending:
    """Rows whose moments are not taken yet; copies.

    Parameters
    ----------
    n_features : int
        Columns.
    """

    def __init__(self, n_features):
        self.n_features, self.n_rows, self.n_stored, self._parts = n_features, 0, 0, []

    def add(self, parts, n_rows):
        """Keep rows, given as `stored` returns them."""
        dense, data, indices, indptr = parts
        self._parts.append((dense, data.copy(), indices.copy(), indptr.copy()))
        self.n_rows += n_rows
        self.n_stored += len(data)

    def moments(self, loss):
        """Return the `Moments` of the rows, or None if there are none."""
        if not self._parts:
            return None
        dense, shape = self._parts[0][0], (self.n_rows, self.n_features)
        _, data, indices, starts = zip(*self._parts, strict=True)
        data = np.concatenate(data)
        if dense:
            X = data.reshape(shape)
        else:
            indptr = np.append(0, np.cumsum(np.concatenate([np.diff(one) for one in starts])))
            X = sp.csr_array((data, np.concatenate(indices), indptr), shape=shape)
        ones = np.ones(self.n_rows)
        return Moments.of(LinearObjective(X, ones, ones, loss))


def linear_predictor(X, coef, intercept):
    """Return ``X @ coef.T + intercept``, dense whatever the storage of either.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n_rows, n_features)
        Rows.
    coef : ndarray or sparse matrix of shape (n_outputs, n_features) or (n_features,)
        Coefficients.
    intercept : ndarray of shape (n_outputs,)
        Intercepts.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs) or (n_rows,)
        As ``coef`` has rows or is a vector.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        eta = X @ coef.T
    eta = np.asarray(eta.toarray() if sp.issparse(eta) else eta)
    if eta.dtype == np.float32 and not np.isfinite(eta).all():
        eta = linear_predictor(X.astype(np.float64), coef.astype(np.float64), 0.0)
    return eta + intercept


def make_objective(X, y, s, loss, **options):
    """Return the objective of validated rows.

    Parameters
    ----------
    X : ndarray (C order) or CSR matrix of shape (n_rows, n_features)
        float32 or float64; read, never copied.
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        float64 targets, as the loss reads them.
    s : ndarray of shape (n_rows,)
        float64 weights, not negative.
    loss : Loss
        Value and slope of one row.
    **options
        As for `LinearObjective`.

    Returns
    -------
    LinearObjective
        In the user's variables.
    """
    return LinearObjective(X, y, s, loss, **options)


def make_scaled(objective, moments, l2, *, stochastic, uniform):
    """Return an objective in centred and scaled variables that suit the solver.

    Parameters
    ----------
    objective : LinearObjective
        In the user's variables.
    moments : Moments
        Of its columns.
    l2 : float
        Strength of the l2 penalty.
    stochastic : bool
        Whether the solver sees few rows a step.
    uniform : bool
        Whether all columns share one scale, as penalties that are not separable need.

    Returns
    -------
    ScaledObjective
        The same function of other variables.
    """
    shift, scale = scaling(objective, moments, l2, stochastic=stochastic, uniform=uniform)
    return ScaledObjective(objective, shift, scale, moments)
