# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""A full pass in its parts: rows to linear predictors, losses, and back to a gradient.

For solvers that search along a line: with the predictors of point and direction at hand, F
along the line costs no reading of X.
"""

from ._pointwise cimport Pointwise, idx_t, loss_t
from ._view cimport View, check_length, rows_t

cdef extern from "_maps.h" nogil:
    void linear_map_run(
        const rows_t*, idx_t start, idx_t stop, idx_t k, const double* coef,
        const double* intercept, double* eta
    )
    void adjoint_map_run(
        const rows_t*, idx_t start, idx_t stop, idx_t k, const double* u, double* grad
    )
    int losses_run(
        const rows_t*, const loss_t*, idx_t start, idx_t stop, idx_t k, const double* eta,
        double* total, double* u
    )


cdef int check_range(View view, idx_t start, idx_t stop) except -1:
    if not 0 <= start <= stop <= view.c.n_rows:
        raise ValueError(f"rows {start}:{stop} are not within 0:{view.c.n_rows}.")
    return 0


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
    check_range(view, start, stop)
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
    check_range(view, start, stop)
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
    Pointwise pointwise not None,
    double[:, ::1] u,
):
    """Sum of the weighted losses of a range of rows; their weighted slopes go into ``u``.

    Parameters
    ----------
    rows : Rows
        Their targets and weights are read, X is not.
    start, stop : int
        Range of rows, ``0 <= start <= stop <= n_rows``.
    eta : array of shape (stop - start, n_outputs), float64
        Linear predictors.
    pointwise : Pointwise
        The loss.
    u : array of shape (stop - start, n_outputs), float64
        Set to ``s_i`` times the slope; exactly 0 where ``s_i`` is.

    Returns
    -------
    float
        Sum of ``s_i * loss_i``.

    Raises
    ------
    ValueError
        If shapes disagree.
    """
    cdef View view = View(rows)
    cdef idx_t k = eta.shape[1]
    cdef double value = 0.0
    cdef int status
    check_range(view, start, stop)
    view.check_targets(k, pointwise)
    for name, got in (("eta", eta.shape[0]), ("u", u.shape[0])):
        check_length(name, got, stop - start)
    check_length("a row of u", u.shape[1], k)
    if k == 0 or start == stop:
        return 0.0
    with nogil:
        status = losses_run(
            &view.c, &pointwise.c, start, stop, k, &eta[0, 0], &value, &u[0, 0]
        )
    if status:
        raise MemoryError()
    return value
