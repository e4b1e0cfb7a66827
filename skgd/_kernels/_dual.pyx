# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""Steps of dual coordinate ascent.

`skgd._kernels._dual_reference` holds the same algorithms in NumPy.
"""

import numpy as np

from ._pointwise cimport Pointwise, idx_t
from ._view cimport View, check_length, check_table, rows_t

cdef extern from "_dual.h" nogil:
    ctypedef double (*dual_fn)(double, double, double, const double*) noexcept nogil
    ctypedef struct dual_t:
        const idx_t* order
        idx_t m, output
        dual_fn slope
        const double* par
        double* z
        double intercept
        double* u
        unsigned char* still
        const double* norms
        double per_row, per_intercept, threshold
        const double* shift
    ctypedef struct joint_t:
        const idx_t* order
        idx_t m, k
        double* z
        double* intercept
        double* u
        unsigned char* still
        const double* norms
        double per_row, per_intercept, threshold
        const double* shift
        double* work
    dual_fn dual_slope(const char*)
    void dual_run(const rows_t*, dual_t*)
    void joint_run(const rows_t*, joint_t*)


def awake(
    const unsigned char[::1] still,
    const unsigned char[::1] rests,
    unsigned int turn,
    const Py_ssize_t[::1] rows,
):
    """Return the rows to visit in a pass: those that moved lately, and some of the others.

    Parameters
    ----------
    still : array of shape (n_rows,), uint8
        Visits since a slope last moved.
    rests : array of shape (256,), uint8
        For each such number the passes that a row then misses, one less than a power of two.
    turn : int
        Number of the pass.
    rows : array of shape (n_active,), intp, or None
        Rows that there are, ascending; None for all. Their places here say which of them a pass
        takes of those that rest, so that each has its turn.

    Returns
    -------
    ndarray of intp
        Ascending.

    Raises
    ------
    ValueError
        If a row number is out of range, or there are not 256 numbers of passes.
    """
    cdef idx_t n = still.shape[0] if rows is None else rows.shape[0], i, row, count = 0
    cdef const Py_ssize_t* some = NULL
    check_length("rests", rests.shape[0], 256)
    found = np.empty(n, dtype=np.intp)
    if n == 0:
        return found
    if rows is not None:
        some = &rows[0]
        for i in range(n):
            if not 0 <= rows[i] < still.shape[0]:
                raise ValueError(f"row {rows[i]} is not one of {still.shape[0]}.")
    cdef Py_ssize_t[::1] out = found
    with nogil:
        for i in range(n):
            row = i if some == NULL else some[i]
            out[count] = row
            count += (rests[still[row]] & <unsigned char>(i + turn)) == 0
    return found[:count]


def sdca_block(
    rows,
    const Py_ssize_t[::1] order,
    Py_ssize_t output,
    double[::1] z,
    double intercept,
    double[::1] u,
    unsigned char[::1] still,
    const double[::1] norms,
    double per_row,
    double per_intercept,
    double threshold,
    const double[::1] shift,
    Pointwise pointwise not None,
):
    r"""Dual steps of one output on one row each.

    With :math:`w = \mathrm{soft}(z, t)`, :math:`\eta = w \cdot (x_i - m) + c` and
    :math:`q = s_i (\|x_i - m\|^2 p + p_c)`, a step is

    .. math::

        u' = \ell'(y_i, \eta + q u_i - q u'), \qquad
        z \leftarrow z - p s_i (u' - u_i) (x_i - m), \qquad
        c \leftarrow c - p_c s_i (u' - u_i), \qquad u_i \leftarrow u'

    Parameters
    ----------
    rows : Rows
        Dense or CSR, float32 or float64.
    order : array of shape (n_steps,), intp
        Row of each step; rows of weight zero are passed over.
    output : int
        Which output's targets to learn.
    z : array of shape (n_features,), float64
        Coefficients before the threshold; changed in place.
    intercept : float
        :math:`c`.
    u : array of shape (n_rows,), float64
        Slopes; changed in place.
    still : array of shape (n_rows,), uint8
        Visits since a slope last moved, up to 255; changed in place.
    norms : array of shape (n_rows,), float64
        :math:`\|x_i - m\|^2`.
    per_row, per_intercept, threshold : float
        :math:`p`, :math:`p_c` and :math:`t`, not negative.
    shift : array of shape (n_features,), float64, or None
        :math:`m`; must be None for CSR.
    pointwise : Pointwise
        The loss.

    Returns
    -------
    float
        The new :math:`c`.

    Raises
    ------
    ValueError
        If shapes disagree, a row number is out of range, or the loss has no such step.
    """
    cdef View view = View(rows)
    cdef dual_t a
    cdef bytes name = pointwise.name.encode()
    view.check_order(order)
    check_length("z", z.shape[0], view.c.d)
    for label, array in (("u", u), ("still", still), ("norms", norms)):
        check_length(label, array.shape[0], view.c.n_rows)
    if output < 0 or (not view.c.codes and output >= view.c.y_width):
        raise ValueError(f"output must be in [0, {view.c.y_width}); got {output}.")
    a.slope = dual_slope(name)
    if a.slope == NULL:
        raise ValueError(f"There is no dual step for loss {pointwise.name!r}.")
    a.shift = NULL
    if shift is not None:
        check_length("shift", shift.shape[0], view.c.d)
        view.check_centring(True)
        a.shift = &shift[0] if view.c.d else NULL
    if order.shape[0] == 0:
        return intercept
    a.order, a.m, a.output, a.par = &order[0], order.shape[0], output, pointwise.c.par
    a.z = &z[0] if view.c.d else NULL
    a.u, a.still, a.norms, a.intercept = &u[0], &still[0], &norms[0], intercept
    a.per_row, a.per_intercept, a.threshold = per_row, per_intercept, threshold
    with nogil:
        dual_run(&view.c, &a)
    return a.intercept


def sdca_joint_block(
    rows,
    const Py_ssize_t[::1] order,
    double[:, ::1] z,
    double[::1] intercept,
    double[:, ::1] u,
    unsigned char[::1] still,
    const double[::1] norms,
    double per_row,
    double per_intercept,
    double threshold,
    const double[::1] shift,
    Pointwise pointwise not None,
):
    r"""The same for the softmax loss: the best slopes of all classes of one row at once.

    With :math:`p` the probabilities at the slopes :math:`u' = p - e_y`, the step solves
    :math:`\log p_j + q p_j = \eta_j + q (u_j + [j = y]) - t` with :math:`\sum_j p_j = 1`.

    Parameters
    ----------
    rows : Rows
        Dense or CSR, float32 or float64; targets are class numbers.
    order : array of shape (n_steps,), intp
        Row of each step; rows of weight zero are passed over.
    z : array of shape (n_features, n_outputs), float64
        Coefficients before the threshold; changed in place.
    intercept : array of shape (n_outputs,), float64
        Changed in place.
    u : array of shape (n_rows, n_outputs), float64
        Slopes; changed in place.
    still : array of shape (n_rows,), uint8
        Visits since slopes last moved, up to 255; changed in place.
    norms, per_row, per_intercept, threshold, shift
        As in `sdca_block`.
    pointwise : Pointwise
        The loss.

    Raises
    ------
    ValueError
        If shapes disagree, a row or class number is out of range, or the loss has no such step.
    """
    cdef View view = View(rows)
    cdef joint_t a
    cdef idx_t k = intercept.shape[0], n = view.c.n_rows, i
    view.check_order(order)
    if not pointwise.c.joint:
        raise ValueError(f"There is no joint dual step for loss {pointwise.name!r}.")
    view.check_targets(k, pointwise)
    check_table("z", z, view.c.d, k)
    check_table("u", u, n, k)
    for label, array in (("still", still), ("norms", norms)):
        check_length(label, array.shape[0], n)
    for i in range(n):
        if not 0 <= view.c.y[i] < k:
            raise ValueError(f"y must hold class numbers in [0, {k}); got {view.c.y[i]}.")
    a.shift = NULL
    if shift is not None:
        check_length("shift", shift.shape[0], view.c.d)
        view.check_centring(True)
        a.shift = &shift[0] if view.c.d else NULL
    if order.shape[0] == 0:
        return
    cdef double[::1] work = np.empty(2 * k)
    a.order, a.m, a.k = &order[0], order.shape[0], k
    a.z = &z[0, 0] if view.c.d else NULL
    a.intercept, a.u, a.still, a.norms = &intercept[0], &u[0, 0], &still[0], &norms[0]
    a.per_row, a.per_intercept, a.threshold = per_row, per_intercept, threshold
    a.work = &work[0]
    with nogil:
        joint_run(&view.c, &a)
