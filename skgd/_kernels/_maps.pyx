# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""A full pass in its parts: rows to linear predictors, losses, and back to a gradient.

For solvers that search along a line: with the predictors of point and direction at hand, F
along the line costs no reading of X.
"""

import numpy as np

from ._pointwise cimport Pointwise, idx_t, loss_t
from ._view cimport View, check_length, check_table, rows_t

cdef extern from "_maps.h" nogil:
    void linear_map_run(
        const rows_t*, idx_t start, idx_t stop, idx_t k, const double* coef,
        const double* intercept, double* eta
    )
    void adjoint_map_run(
        const rows_t*, idx_t start, idx_t stop, idx_t k, const double* u, double* grad
    )
    int shifted_run(
        const rows_t*, const loss_t*, idx_t start, idx_t stop, idx_t k, const double* eta,
        const double* shift, double* u, double* value, double* total, double* size
    )
    int losses_run(
        const rows_t*, const loss_t*, idx_t start, idx_t stop, idx_t k, const double* begin,
        const double* moved, double t, double* eta, double* u, double* total, double* along
    )


def linear_map(
    rows,
    Py_ssize_t start,
    Py_ssize_t stop,
    const double[:, ::1] coef,
    const double[::1] intercept,
    double[:, ::1] eta,
):
    """Set ``eta`` to ``X @ coef.T + intercept`` for a range of rows.

    Parameters
    ----------
    rows : Rows
        Dense or CSR, float32 or float64.
    start, stop : int
        Range of rows, ``0 <= start <= stop <= n_rows``.
    coef : array of shape (n_outputs, n_features), float64
        Coefficients.
    intercept : array of shape (n_outputs,), float64
        Intercepts.
    eta : array of shape (stop - start, n_outputs), float64
        Overwritten.

    Raises
    ------
    ValueError
        If shapes disagree.
    """
    cdef View view = View(rows)
    cdef idx_t k = coef.shape[0], d = view.c.d
    view.check_range(start, stop)
    check_length("a row of coef", coef.shape[1], d)
    check_length("intercept", intercept.shape[0], k)
    check_length("eta", eta.shape[0], stop - start)
    check_length("a row of eta", eta.shape[1], k)
    if k == 0 or start == stop:
        return
    cdef const double* w = &coef[0, 0] if d else NULL
    with nogil:
        linear_map_run(&view.c, start, stop, k, w, &intercept[0], &eta[0, 0])


def adjoint_map(rows, Py_ssize_t start, Py_ssize_t stop, const double[:, ::1] u, double[::1] grad):
    """Set ``grad`` to ``[u.T @ X, sums of u]`` for a range of rows.

    Parameters
    ----------
    rows : Rows
        Dense or CSR, float32 or float64.
    start, stop : int
        Range of rows, ``0 <= start <= stop <= n_rows``.
    u : array of shape (stop - start, n_outputs), float64
        Slopes of these rows.
    grad : array of shape (n_outputs * n_features + n_outputs,), float64
        Overwritten.

    Raises
    ------
    ValueError
        If shapes disagree.
    """
    cdef View view = View(rows)
    cdef idx_t k = u.shape[1], d = view.c.d
    view.check_range(start, stop)
    check_length("u", u.shape[0], stop - start)
    check_length("grad", grad.shape[0], k * d + k)
    if k == 0:
        return
    if start == stop:
        grad[:] = 0.0
        return
    with nogil:
        adjoint_map_run(&view.c, start, stop, k, &u[0, 0], &grad[0])


def losses_at(
    rows,
    Py_ssize_t start,
    Py_ssize_t stop,
    const double[:, ::1] eta,
    const double[::1] shift,
    Pointwise pointwise not None,
    double[:, ::1] u,
):
    """Losses of a range of rows at ``eta + shift``; their weighted slopes go into ``u``.

    Parameters
    ----------
    rows : Rows
        Their targets and weights are read, X is not.
    start, stop : int
        Range of rows, ``0 <= start <= stop <= n_rows``.
    eta : array of shape (stop - start, n_outputs), float64, or None
        Linear predictors; None is zero.
    shift : array of shape (n_outputs,), float64
        Added to each of them.
    pointwise : Pointwise
        The loss.
    u : array of shape (stop - start, n_outputs), float64, or None
        Set to ``s_i`` times the slope; exactly 0 where ``s_i`` is.

    Returns
    -------
    value : float
        Sum of ``s_i * loss_i``.
    total, size : ndarray of shape (n_outputs,)
        Sums of the weighted slopes and of their absolute values.

    Raises
    ------
    ValueError
        If shapes disagree.
    """
    cdef View view = View(rows)
    cdef idx_t k = shift.shape[0]
    cdef double value = 0.0
    cdef double[:, ::1] sums = np.zeros((2, k))
    cdef int status = 0
    view.check_range(start, stop)
    view.check_targets(k, pointwise)
    if eta is not None:
        check_table("eta", eta, stop - start, k)
    if u is not None:
        check_table("u", u, stop - start, k)
    if k > 0 and start < stop:
        with nogil:
            status = shifted_run(
                &view.c, &pointwise.c, start, stop, k, NULL if eta is None else &eta[0, 0],
                &shift[0], NULL if u is None else &u[0, 0], &value, &sums[0, 0], &sums[1, 0]
            )
    if status:
        raise MemoryError()
    total, size = np.asarray(sums)
    return value, total, size


def losses_along(
    rows,
    Py_ssize_t start,
    Py_ssize_t stop,
    const double[:, ::1] begin,
    const double[:, ::1] moved,
    double t,
    Pointwise pointwise not None,
    double[:, ::1] eta,
    double[:, ::1] u,
):
    """Do what `losses_at` does at ``eta = begin + t * moved``, which is set too.

    Parameters
    ----------
    rows : Rows
        Their targets and weights are read, X is not.
    start, stop : int
        Range of rows, ``0 <= start <= stop <= n_rows``.
    begin, moved : array of shape (stop - start, n_outputs), float64
        Linear predictors, and how they change along a line.
    t : float
        How far to go.
    pointwise : Pointwise
        The loss.
    eta, u : array of shape (stop - start, n_outputs), float64
        Set to the predictors and to the weighted slopes there.

    Returns
    -------
    value, along : float
        Sum of the weighted losses, and its derivative in ``t``.

    Raises
    ------
    ValueError
        If shapes disagree.
    """
    cdef View view = View(rows)
    cdef idx_t k = eta.shape[1]
    cdef double value = 0.0, along = 0.0
    cdef int status
    view.check_range(start, stop)
    view.check_targets(k, pointwise)
    for name, array in (("begin", begin), ("moved", moved), ("eta", eta), ("u", u)):
        check_table(name, array, stop - start, k)
    if k == 0 or start == stop:
        return 0.0, 0.0
    with nogil:
        status = losses_run(
            &view.c, &pointwise.c, start, stop, k, &begin[0, 0], &moved[0, 0], t, &eta[0, 0],
            &u[0, 0], &value, &along
        )
    if status:
        raise MemoryError()
    return value, along
