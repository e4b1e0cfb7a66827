# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""Steps of follow-the-regularised-leader, one row each.

`skgd._kernels._reference.ftrl_block` is the same algorithm in NumPy.
"""

from ._pointwise cimport Pointwise, idx_t, loss_t
from ._view cimport View, check_length, rows_t

cdef extern from "_ftrl.h" nogil:
    ctypedef struct ftrl_t:
        const idx_t* order
        idx_t m, k, t
        double rate, beta, factor
        double* coef
        double* centre
        double* z
        double* square
        double* z0
        double* square0
        const double* inv
        const double* shift
        const double* l1
        const double* l2
        int fit_intercept
    int ftrl_run(const rows_t*, const loss_t*, const ftrl_t*)


def ftrl_block(
    rows,
    const Py_ssize_t[::1] order,
    Py_ssize_t t,
    double rate,
    double beta,
    double[:, ::1] coef,
    double[::1] centre,
    double[:, ::1] z,
    double[:, ::1] square,
    double[::1] z0,
    double[::1] square0,
    scales,
    penalties,
    double weight_factor,
    bint fit_intercept,
    Pointwise pointwise not None,
):
    r"""Steps of follow-the-regularised-leader on one row each.

    With :math:`x_j = (x_{ij} - m_j) p_j` and :math:`g` the slope of the row times its weight and
    ``weight_factor``, step t does for every column of the row

    .. math::

        w_j = \arg\min_w \; z_j w + \frac{\beta + \sqrt{n_j}}{2 \gamma} w^2
              + t \left(l_{1j} |w| + \tfrac{l_{2j}}{2} w^2\right), \qquad
        z_j \leftarrow z_j + g x_j - \frac{\sqrt{n_j + g^2 x_j^2} - \sqrt{n_j}}{\gamma} w_j,
        \qquad n_j \leftarrow n_j + g^2 x_j^2

    and for the centre the same without a penalty.

    Parameters
    ----------
    rows : Rows
        Dense or CSR, float32 or float64.
    order : array of shape (n_steps,), intp
        Row of each step.
    t : int
        Steps done before.
    rate, beta : float
        :math:`\gamma` and :math:`\beta`, positive.
    coef, centre : arrays of shape (n_outputs, n_features) and (n_outputs,), float64
        In scaled variables; changed in place. ``coef`` is found from ``z`` and ``square``.
    z, square : arrays like ``coef``
        :math:`z` and :math:`n`; changed in place.
    z0, square0 : arrays like ``centre``
        Those of the centre; changed in place.
    scales : tuple (inv, shift)
        :math:`p`, and :math:`m` or None (must be None for CSR), of shape (n_features,), float64.
    penalties : tuple (l1, l2)
        Strengths for each step, of shape (n_features,), float64, or None.
    weight_factor : float
        Multiplies every weight.
    fit_intercept : bool
        If False, the centre stays.
    pointwise : Pointwise
        The loss.

    Raises
    ------
    ValueError
        If shapes disagree, a row number is out of range, or a shift cannot be served.

    Notes
    -----
    A step costs a few operations for each stored entry, and two square roots; the coefficients
    of all columns are found once more in the end.
    """
    cdef View view = View(rows)
    cdef idx_t k = coef.shape[0], d = view.c.d
    cdef ftrl_t args
    cdef int status
    cdef const double[::1] inv, shift, l1, l2
    check_length("a row of coef", coef.shape[1], d)
    check_length("centre", centre.shape[0], k)
    check_length("z", z.shape[0] * z.shape[1], k * d)
    check_length("square", square.shape[0] * square.shape[1], k * d)
    check_length("z0", z0.shape[0], k)
    check_length("square0", square0.shape[0], k)
    view.check_order(order)
    view.check_targets(k, pointwise)
    if not (rate > 0 and beta > 0):
        raise ValueError(f"rate and beta must be positive; got {rate} and {beta}.")
    if order.shape[0] == 0 or k == 0:
        return
    inv, shift = scales
    l1, l2 = penalties
    check_length("inv", inv.shape[0], d)
    args.inv = args.shift = args.l1 = args.l2 = NULL
    if shift is not None:
        check_length("shift", shift.shape[0], d)
        view.check_centring(True)
        args.shift = &shift[0] if d else NULL
    if l1 is not None:
        check_length("l1", l1.shape[0], d)
        args.l1 = &l1[0] if d else NULL
    if l2 is not None:
        check_length("l2", l2.shape[0], d)
        args.l2 = &l2[0] if d else NULL
    args.coef = args.z = args.square = NULL
    if d > 0:
        args.inv, args.coef, args.z, args.square = &inv[0], &coef[0, 0], &z[0, 0], &square[0, 0]
    args.order, args.m, args.k, args.t = &order[0], order.shape[0], k, t
    args.rate, args.beta, args.factor = rate, beta, weight_factor
    args.centre, args.z0, args.square0 = &centre[0], &z0[0], &square0[0]
    args.fit_intercept = fit_intercept
    with nogil:
        status = ftrl_run(&view.c, &pointwise.c, &args)
    if status:
        raise MemoryError()
