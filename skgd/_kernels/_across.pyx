# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""Sparse rows times many outputs, with the coefficients of a column side by side.

Output by output, an entry of a row costs one cache miss for each of them; side by side it costs
one in all. `skgd._kernels._reference.linear_map` and ``adjoint_map`` are the same in NumPy.
"""

from ._pointwise cimport idx_t
from ._view cimport View, check_length, rows_t

cdef extern from "_across.h" nogil:
    const idx_t LANE
    void linear_across_run(
        const rows_t*, idx_t start, idx_t stop, idx_t k, idx_t width, const double* table,
        const double* intercept, double* eta
    )
    void adjoint_across_run(
        const rows_t*, idx_t k, const double* u, idx_t first, idx_t count, idx_t width,
        double* sums
    )


cdef int check_sparse(View view) except -1:
    if not view.c.width:
        raise ValueError("rows must be CSR.")
    return 0


cdef int check_width(idx_t width, idx_t count) except -1:
    if width % LANE or width < count:
        raise ValueError(
            f"A table for {count} outputs must be as wide as a multiple of {LANE} that holds "
            f"them; got {width}."
        )
    return 0


def table_width(Py_ssize_t n_outputs):
    """Return how wide a table for so many outputs is: whole vector registers."""
    return (n_outputs + LANE - 1) // LANE * LANE


def linear_across(
    rows,
    Py_ssize_t start,
    Py_ssize_t stop,
    const double[:, ::1] table,
    const double[::1] intercept,
    double[:, ::1] eta,
):
    """Set ``eta`` to ``X @ table + intercept`` for a range of rows.

    Parameters
    ----------
    rows : Rows
        CSR, float32 or float64.
    start, stop : int
        Range of rows, ``0 <= start <= stop <= n_rows``.
    table : array of shape (n_features, width), float64
        Coefficients by column, zeros beyond those of the outputs; ``width`` is that of
        `table_width`.
    intercept : array of shape (n_outputs,), float64
        Intercepts.
    eta : array of shape (stop - start, n_outputs), float64
        Overwritten.

    Raises
    ------
    ValueError
        If rows are dense, or shapes disagree.
    """
    cdef View view = View(rows)
    cdef idx_t k = intercept.shape[0], width = table.shape[1]
    check_sparse(view)
    view.check_range(start, stop)
    check_width(width, k)
    check_length("table", table.shape[0], view.c.d)
    check_length("eta", eta.shape[0], stop - start)
    check_length("a row of eta", eta.shape[1], k)
    if k == 0 or start == stop:
        return
    cdef const double* w = &table[0, 0] if view.c.d else NULL
    with nogil:
        linear_across_run(&view.c, start, stop, k, width, w, &intercept[0], &eta[0, 0])


def adjoint_across(
    rows, const double[:, ::1] u, Py_ssize_t first, Py_ssize_t last, double[:, ::1] sums
):
    """Set ``sums`` to ``X.T @ u[:, first:last]``, over all rows.

    Parameters
    ----------
    rows : Rows
        CSR, float32 or float64.
    u : array of shape (n_rows, n_outputs), float64
        Slopes.
    first, last : int
        Range of outputs, ``0 <= first <= last <= n_outputs``: threads share them out.
    sums : array of shape (n_features, width), float64
        Overwritten; ``width`` is that of `table_width` for the range.

    Raises
    ------
    ValueError
        If rows are dense, or shapes disagree.
    """
    cdef View view = View(rows)
    cdef idx_t k = u.shape[1], width = sums.shape[1]
    check_sparse(view)
    if not 0 <= first <= last <= k:
        raise ValueError(f"outputs {first}:{last} are not within 0:{k}.")
    check_width(width, last - first)
    check_length("u", u.shape[0], view.c.n_rows)
    check_length("sums", sums.shape[0], view.c.d)
    if view.c.d == 0 or width == 0:
        return
    if view.c.n_rows == 0:
        sums[:] = 0.0
        return
    with nogil:
        adjoint_across_run(&view.c, k, &u[0, 0], first, last - first, width, &sums[0, 0])
