# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""Weighted second moments of rows: Hessians of linear models."""

from ._pointwise cimport idx_t
from ._view cimport View, check_length, rows_t

cdef extern from "_gram.h" nogil:
    ctypedef struct gram_t:
        const idx_t* order
        idx_t m, n_sets
        const double* h
        const double* more
        idx_t n_more
        const double* shift
        const double* inv_scale
        double* out
    int gram_run(const rows_t*, const gram_t*)


def gram_block(
    rows,
    const Py_ssize_t[::1] order,
    const double[:, ::1] h,
    const double[::1] shift,
    const double[::1] inv_scale,
    double[:, :, ::1] out,
    const double[:, ::1] more=None,
):
    r"""Add weighted second moments of some rows to the upper triangles of ``out``.

    .. math:: \sum_i h_{it} z_i z_i^T, \qquad z_i = [([x_i, y_i] - m) / \sigma, 1]

    Parameters
    ----------
    rows : Rows
        Dense or CSR, float32 or float64; their targets and weights are not read.
    order : array of shape (m,), intp
        Row numbers.
    h : array of shape (m, n_sets), float64
        Weights of these rows, of any sign, one set after the other.
    shift, inv_scale : array of shape (n_columns,), float64, or None
        :math:`m` and :math:`1 / \sigma`; None is 0 and 1.
    out : array of shape (n_sets, n_columns + 1, n_columns + 1), float64
        Changed in place; below the diagonals it is left as it is.
    more : array of shape (n_rows, n_more), float64, default=None
        :math:`y`, columns beside the ``n_features`` of dense rows.

    Raises
    ------
    ValueError
        If shapes disagree, a row number is out of range, or sparse rows are to have more columns.

    Notes
    -----
    Costs :math:`O(m d^2)` for each set, and for CSR rows of few entries the square of these.
    Such rows are not centred entry by entry: the shift is subtracted from the sums, which
    costs digits where a mean is far above its spread. Who needs them all must not ask here.
    """
    cdef View view = View(rows)
    cdef gram_t args
    cdef int status
    cdef idx_t d = view.c.d
    view.check_order(order)
    args.more, args.n_more = NULL, 0
    if more is not None:
        if view.c.width:
            raise ValueError("Only dense rows have more columns beside them.")
        check_length("more", more.shape[0], view.c.n_rows)
        d += more.shape[1]
        args.n_more = more.shape[1]
        args.more = &more[0, 0] if more.shape[0] and more.shape[1] else NULL
    check_length("h", h.shape[0], order.shape[0])
    check_length("out", out.shape[0], h.shape[1])
    check_length("a block of out", out.shape[1], d + 1)
    check_length("a row of out", out.shape[2], d + 1)
    args.shift = args.inv_scale = NULL
    if shift is not None:
        check_length("shift", shift.shape[0], d)
        args.shift = &shift[0] if d else NULL
    if inv_scale is not None:
        check_length("inv_scale", inv_scale.shape[0], d)
        args.inv_scale = &inv_scale[0] if d else NULL
    if order.shape[0] == 0 or h.shape[1] == 0:
        return
    args.order, args.m, args.n_sets = &order[0], order.shape[0], h.shape[1]
    args.h, args.out = &h[0, 0], &out[0, 0, 0]
    with nogil:
        status = gram_run(&view.c, &args)
    if status:
        raise MemoryError()
