# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""Coordinate descent on quadratics with an l1 part: a matrix, or the entries of columns."""

from libc.math cimport fabs, sqrt


def descend_quadratic(
    const double[:, ::1] H,
    double[::1] x,
    double[::1] slope,
    const double[::1] l1,
    Py_ssize_t sweeps,
    double tol,
):
    r"""Minimise a quadratic plus weighted absolute values, one coordinate at a time.

    .. math:: \tfrac{1}{2} x^T H x - c^T x + \sum_j \lambda_j |x_j|

    Each coordinate in turn goes to the minimum along itself. A sweep over all is followed by
    sweeps over those that are not zero while these still move.

    Parameters
    ----------
    H : array of shape (n, n), float64
        Symmetric, with a positive diagonal.
    x : array of shape (n,), float64
        Start; changed in place.
    slope : array of shape (n,), float64
        ``H @ x - c`` at the start; changed in place.
    l1 : array of shape (n,), float64
        Weights :math:`\lambda`, at least 0.
    sweeps : int
        Sweeps at most, over all coordinates or some.
    tol : float
        Largest ``|move| * sqrt(H_jj)`` of a full sweep at which to stop.

    Returns
    -------
    int
        Sweeps done.

    Notes
    -----
    A coordinate that moves costs O(n), one that stays O(1).
    """
    cdef Py_ssize_t n = x.shape[0], i, j, done = 0
    cdef double old, new, move, size, largest, before
    cdef bint everything = True
    if H.shape[0] != n or H.shape[1] != n or slope.shape[0] != n or l1.shape[0] != n:
        raise ValueError(f"H, slope and l1 must fit x, which has {n} entries.")
    with nogil:
        before = 0.0
        while done < sweeps:
            largest = 0.0
            for j in range(n):
                old = x[j]
                if not everything and old == 0.0 and l1[j] > 0.0:
                    continue
                new = old * H[j, j] - slope[j]
                size = fabs(new) - l1[j]
                new = 0.0 if size <= 0.0 else (size if new > 0.0 else -size) / H[j, j]
                move = new - old
                if move == 0.0:
                    continue
                x[j] = new
                for i in range(n):
                    slope[i] += move * H[j, i]
                size = fabs(move) * sqrt(H[j, j])
                largest = max(largest, size)
            done += 1
            if everything:
                if largest <= tol:
                    break
                everything = False
                before = largest
            elif largest <= 0.1 * before or largest <= tol:
                everything = True
    return done


def column_sums(
    const int[::1] indptr,
    const int[::1] indices,
    const double[::1] values,
    const double[::1] weights,
    double[::1] sums,
    double[::1] squares,
):
    """Write the weighted sums of the columns of a CSC matrix, and those of their squares.

    Parameters
    ----------
    indptr, indices, values : array
        Of the matrix, int32 and float64; row numbers are not looked at.
    weights : array of shape (n_rows,), float64
        Of the rows.
    sums, squares : array of shape (n_columns,), float64
        Overwritten.
    """
    cdef Py_ssize_t j, i, n = sums.shape[0]
    cdef double one, total, square
    _check_columns(indptr, indices, values, n)
    if squares.shape[0] != n:
        raise ValueError(f"squares must have {n} entries.")
    with nogil:
        for j in range(n):
            total = square = 0.0
            for i in range(indptr[j], indptr[j + 1]):
                one = weights[indices[i]] * values[i]
                total += one
                square += one * values[i]
            sums[j] = total
            squares[j] = square


def descend_columns(
    const int[::1] indptr,
    const int[::1] indices,
    const double[::1] values,
    const double[::1] bent,
    double[::1] slopes,
    double[::1] x,
    const double[::1] base,
    const double[::1] sums,
    const double[::1] diagonal,
    const double[::1] l1,
    const double[::1] l2,
    double level,
    double total,
    double[:, ::1] trail,
    bint everything,
    double tol,
):
    r"""Minimise a quadratic of sparse columns plus weighted absolute values.

    .. math:: \tfrac{1}{2} \sum_i h_i (a_i^T (x - x_0) + b)^2 + c^T x + g b
        + \tfrac{1}{2} \sum_j \mu_j x_j^2 + \sum_j \lambda_j |x_j|

    Each coordinate in turn goes to the minimum along itself and the intercept b, which is at its
    best at all times.

    Parameters
    ----------
    indptr, indices, values : array
        The columns of A as a CSC matrix, int32 and float64; row numbers are not looked at.
    bent : array of shape (n_rows,), float64
        Curvatures h, at least 0.
    slopes : array of shape (n_rows,), float64
        ``bent * (A @ (x - x0))`` at the start; changed in place.
    x : array of shape (n_columns,), float64
        Start; changed in place.
    base, sums, diagonal, l1, l2 : array of shape (n_columns,), float64
        c; ``A.T @ bent``; second derivatives at the best intercepts, positive; and the weights
        :math:`\lambda` and :math:`\mu`, at least 0.
    level : float
        The best b at the start.
    total : float
        Sum of ``bent``; 0 holds b where it is.
    trail : array of shape (sweeps, n_columns), float64
        Overwritten with x after each sweep.
    everything : bool
        False passes over coordinates that are zero and would be pulled there.
    tol : float
        Largest ``|move| * sqrt(diagonal_j)`` of a sweep, to be the last.

    Returns
    -------
    level : float
        The best b in the end.
    largest : float
        ``|move| * sqrt(diagonal_j)`` of the last sweep, at most.
    done : int
        Sweeps done.

    Notes
    -----
    A coordinate costs as many operations as its column has entries, twice that where it moves.
    """
    cdef Py_ssize_t n = x.shape[0], i, j, done = 0
    cdef double old, new, move, size, slope, largest = 0.0
    _check_columns(indptr, indices, values, n)
    if slopes.shape[0] != bent.shape[0] or trail.shape[1] != n:
        raise ValueError("slopes must fit bent, and trail must fit x.")
    if not (base.shape[0] == sums.shape[0] == diagonal.shape[0] == l1.shape[0] == l2.shape[0] == n):
        raise ValueError(f"base, sums, diagonal, l1 and l2 must fit x, which has {n} entries.")
    with nogil:
        while done < trail.shape[0]:
            largest = 0.0
            for j in range(n):
                old = x[j]
                if not everything and old == 0.0 and l1[j] > 0.0:
                    continue
                slope = base[j] + level * sums[j] + l2[j] * old
                for i in range(indptr[j], indptr[j + 1]):
                    slope += values[i] * slopes[indices[i]]
                new = old * diagonal[j] - slope
                size = fabs(new) - l1[j]
                new = 0.0 if size <= 0.0 else (size if new > 0.0 else -size) / diagonal[j]
                move = new - old
                if move == 0.0:
                    continue
                x[j] = new
                for i in range(indptr[j], indptr[j + 1]):
                    slopes[indices[i]] += move * values[i] * bent[indices[i]]
                if total > 0.0:
                    level -= move * sums[j] / total
                largest = max(largest, fabs(move) * sqrt(diagonal[j]))
            trail[done, :] = x
            done += 1
            if largest <= tol:
                break
    return level, largest, done


cdef int _check_columns(
    const int[::1] indptr, const int[::1] indices, const double[::1] values, Py_ssize_t n
) except -1:
    if indptr.shape[0] != n + 1 or indptr[0] != 0 or indptr[n] > indices.shape[0]:
        raise ValueError(f"indptr does not fit {n} columns and {indices.shape[0]} entries.")
    if indices.shape[0] != values.shape[0]:
        raise ValueError("indices and values must be of one length.")
    return 0
