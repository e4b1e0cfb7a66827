# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""Coordinate descent on a quadratic with an l1 part."""

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
