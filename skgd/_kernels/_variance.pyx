# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""Stochastic steps whose noise vanishes at the optimum, with one remembered slope a row.

`skgd._kernels._reference.sag_block` is the same algorithm in NumPy.
"""

from ._pointwise cimport Pointwise, idx_t, loss_t
from ._view cimport View, check_length, rows_t

cdef extern from "_variance.h" nogil:
    enum:
        SAG_STEPS
        SAGA_STEPS
        SVRG_STEPS
    ctypedef struct variance_t:
        const idx_t* order
        const double* share
        idx_t m, k, batch
        int mode
        double rate, factor, n
        double* coef
        double* intercept
        double* slopes
        double* mean
        double* mean_slope
        int fit_intercept
        const double* inv2
        const double* shift
        const double* a
        const double* l1m
    int variance_run(const rows_t*, const loss_t*, const variance_t*)

MODES = {"sag": SAG_STEPS, "saga": SAGA_STEPS, "svrg": SVRG_STEPS}


def sag_block(
    rows,
    const Py_ssize_t[::1] order,
    const double[::1] share,
    Py_ssize_t batch_size,
    str mode,
    double rate,
    double[:, ::1] coef,
    double[::1] intercept,
    double[:, ::1] slopes,
    double[:, ::1] mean,
    double[::1] mean_slope,
    metric,
    double weight_factor,
    double n_active,
    bint fit_intercept,
    Pointwise pointwise not None,
):
    r"""Steps of SAG, SAGA or SVRG on batches of rows.

    With :math:`z_i = x_i - m`, :math:`g_i` the slope of a row times its weight and
    ``weight_factor``, :math:`h_i` the remembered one, :math:`\bar g` the mean of
    :math:`h_i z_i`, and :math:`q_i` the share of the row, each row of a batch of b does

    .. math::

        w \leftarrow w - \gamma \kappa_i \, p \circ z_i, \qquad
        \bar g \leftarrow \bar g + \delta_i z_i, \qquad h_i \leftarrow g_i

    with :math:`\delta_i = (g_i - h_i) / n` and :math:`\kappa_i = 0` (``sag``),
    :math:`\kappa_i = q_i (g_i - h_i) / b - \delta_i` (``saga``); ``svrg`` has
    :math:`\delta_i = 0` and keeps :math:`h_i`. After a batch every coefficient follows

    .. math:: dw_j / dS = -p_j \bar g_j - a_j w_j - l_j \, \mathrm{sign}(w_j)

    for the time :math:`\gamma`, and the intercept :math:`c = b + m \cdot w` the same without
    penalty and metric. The flow is exact, so that no rate is too large for the penalty.

    Parameters
    ----------
    rows : Rows
        Dense or CSR, float32 or float64.
    order : array of shape (n_steps,), intp
        Rows, batch after batch.
    share : array of shape (n_steps,), float64
        :math:`q_i = 1 / (n p_i)`, with :math:`p_i` the probability of the row in a draw.
    batch_size : int
        Rows of a step, at least 1.
    mode : {"sag", "saga", "svrg"}
        Which steps.
    rate : float
        :math:`\gamma`.
    coef, intercept : arrays of shape (n_outputs, n_features) and (n_outputs,), float64
        In the user's variables; changed in place.
    slopes : array of shape (n_rows, n_outputs), float64
        :math:`h_i`; changed in place but for ``svrg``.
    mean, mean_slope : arrays like ``coef`` and ``intercept``
        :math:`\bar g`, and the mean of :math:`h_i`; changed in place but for ``svrg``.
    metric : tuple (inv2, shift, a, l1m)
        :math:`p`, :math:`m` (or None; must be None for CSR), :math:`a` and :math:`l` (or None),
        each of shape (n_features,), float64.
    weight_factor : float
        Multiplies every weight.
    n_active : float
        :math:`n`.
    fit_intercept : bool
        If False, the intercept stays and a shift is refused.
    pointwise : Pointwise
        The loss.

    Raises
    ------
    ValueError
        If shapes disagree, a row number is out of range, or a shift cannot be served.

    Notes
    -----
    A step costs one reading of its rows and, for dense ones, three passes over the
    coefficients. For CSR the flow of a coordinate is late: it is done when a row next needs it,
    for all the steps since then, which is the same. Beside the arguments it holds one number
    for each column.
    """
    cdef View view = View(rows)
    cdef idx_t k = coef.shape[0], d = view.c.d
    cdef variance_t args
    cdef int status
    cdef const double[::1] inv2, shift, a, l1m
    check_length("share", share.shape[0], order.shape[0])
    check_length("a row of coef", coef.shape[1], d)
    check_length("intercept", intercept.shape[0], k)
    check_length("slopes", slopes.shape[0], view.c.n_rows)
    check_length("a row of slopes", slopes.shape[1], k)
    check_length("mean", mean.shape[0] * mean.shape[1], k * d)
    check_length("mean_slope", mean_slope.shape[0], k)
    view.check_order(order)
    view.check_targets(k, pointwise)
    if mode not in MODES:
        raise ValueError(f"mode must be one of {sorted(MODES)}; got {mode!r}.")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1; got {batch_size}.")
    if order.shape[0] == 0 or k == 0:
        return
    inv2, shift, a, l1m = metric
    check_length("inv2", inv2.shape[0], d)
    check_length("a", a.shape[0], d)
    args.inv2 = args.shift = args.a = args.l1m = NULL
    if d > 0:
        args.inv2, args.a = &inv2[0], &a[0]
    if shift is not None:
        check_length("shift", shift.shape[0], d)
        view.check_centring(fit_intercept)
        args.shift = &shift[0] if d else NULL
    if l1m is not None:
        check_length("l1m", l1m.shape[0], d)
        args.l1m = &l1m[0] if d else NULL
    args.order, args.share, args.m, args.k = &order[0], &share[0], order.shape[0], k
    args.batch, args.mode, args.rate, args.factor = batch_size, MODES[mode], rate, weight_factor
    args.n, args.fit_intercept = n_active, fit_intercept
    args.coef = &coef[0, 0] if d else NULL
    args.mean = &mean[0, 0] if d else NULL
    args.intercept, args.mean_slope, args.slopes = &intercept[0], &mean_slope[0], &slopes[0, 0]
    with nogil:
        status = variance_run(&view.c, &pointwise.c, &args)
    if status:
        raise MemoryError()
