# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""Stochastic gradient steps, one row each.

The kernel does arithmetic and nothing else. The caller decides which rows (``order``), how
far (``rates``), when to look, stop, print or draw, so a run can be replayed from its
arguments alone. `skgd._kernels._reference.sgd_block` is the same algorithm in NumPy.
"""

from libc.math cimport NAN as nan

from ._pointwise cimport Pointwise, idx_t, loss_t
from ._view cimport View, check_length, rows_t

cdef extern from "_steps.h" nogil:
    int steps_run(const rows_t*, const loss_t*, steps_t*)


cdef int take_steps(const rows_t* rows, const loss_t* loss, steps_t* args) noexcept nogil:
    return steps_run(rows, loss, args)


cdef bint any_positive(const double[::1] a) noexcept:
    cdef idx_t j
    for j in range(a.shape[0]):
        if a[j] > 0.0:
            return True
    return False


def sgd_block(
    rows,
    const Py_ssize_t[::1] order,
    const double[::1] rates,
    double[:, ::1] coef,
    double[::1] intercept,
    double l2,
    double l1,
    double weight_factor,
    bint fit_intercept,
    Pointwise pointwise not None,
    double[:, ::1] average_coef=None,
    double[::1] average_intercept=None,
    Py_ssize_t t=0,
    Py_ssize_t average_from=1,
    Py_ssize_t n_averaged=0,
    metric=None,
    double[::1] received=None,
    still=None,
):
    r"""Stochastic gradient steps on one row each.

    With :math:`g = s_i \ell'(y_i, w \cdot x_i + b)` times ``weight_factor``, bounded by
    1e12, a step of the textbook form is

    .. math::

        w \leftarrow \mathrm{soft}(\max(0, 1 - \gamma\, l_2) w - \gamma g x_i,\;
                     u + \mathrm{sign}(w) q), \qquad b \leftarrow b - \gamma g ,

    where :math:`u = \sum \gamma l_1` is the l1 penalty that every coefficient could have
    received by now, and :math:`q` what each has received, with its sign [1]_. While a
    coefficient stays off zero this is the threshold :math:`\gamma l_1`; one that noise
    lifts from zero first owes what it did not receive there.

    With a metric, on centred rows :math:`z = x_i - m` and with
    :math:`c = b + m \cdot w`,

    .. math::

        w_j \leftarrow \mathrm{flow}_j(w_j - \gamma g z_j p_j), \qquad
        c \leftarrow c - \gamma g ,

    where the flow follows :math:`dw/dS = -a_j w - l_j \,\mathrm{sign}(w)` for the time
    :math:`\gamma`, and stops at zero; what is owed from before is taken first.

    Parameters
    ----------
    rows : Rows
        Dense or CSR, float32 or float64.
    order : array of shape (n_steps,), intp
        Row of each step.
    rates : array of shape (n_steps,), float64
        Rate :math:`\gamma` of each step.
    coef : array of shape (n_outputs, n_features), float64
        Coefficients; changed in place.
    intercept : array of shape (n_outputs,), float64
        Intercepts; changed in place.
    l2, l1 : float
        Penalty of the textbook form; not used with a metric.
    weight_factor : float
        Multiplies every weight.
    fit_intercept : bool
        If False, the intercept stays and a shift is refused.
    pointwise : Pointwise
        The loss.
    average_coef, average_intercept : arrays like ``coef`` and ``intercept``, default=None
        Means of the iterates; changed in place.
    t : int, default=0
        Steps done before; the first one here has number ``t + 1``.
    average_from : int, default=1
        Number of the first step that counts for the means.
    n_averaged : int, default=0
        Iterates in the means so far.
    metric : tuple (inv2, shift, a, l1m), default=None
        Preconditioner ``p``, centres ``m`` (or None; must be None for CSR), decay and pull
        per unit of rate (or None); each of shape (n_features,), float64.
    received : array of shape (n_outputs * n_features + 1,), float64, default=None
        :math:`q`, and last :math:`u` (with a metric the sum of rates); changed in place,
        zeros at the start of a run. Needed where there is an l1 part.
    still : tuple (coef, intercept), default=None
        A point that stands still; shapes as of ``coef`` and ``intercept``, and other arrays
        than these. Its loss is summed over the same rows while they are in cache, which
        costs a dot product instead of a reading of the rows.

    Returns
    -------
    n_averaged : int
        Iterates in the means now.
    value : float
        Sum of ``s_i`` times the loss at ``still`` over the rows of ``order``; NaN without
        ``still``.

    Raises
    ------
    ValueError
        If shapes disagree, a row number is out of range, or a shift cannot be served.

    Notes
    -----
    A step costs one reading of the row and, for dense rows, one pass over the
    coefficients. For CSR everything that does not touch the row is late: shrinking is a
    running scale; thresholds and flows are applied when a coordinate is next used, and
    late equals eager (with l1 and l2 together, what a coefficient received when it vanished
    between two touches is exact to first order in ``rate * l2``). Averages over late
    coordinates are exact without l1 and metric; with either, a coefficient is taken to run
    on a straight line between two touches.

    References
    ----------
    .. [1] Y. Tsuruoka, J. Tsujii, S. Ananiadou (2009). "Stochastic gradient descent
       training for L1-regularized log-linear models with cumulative penalty". ACL.
    """
    cdef View view = View(rows)
    cdef idx_t k = coef.shape[0], d = view.c.d
    cdef steps_t args
    cdef int status
    cdef const double[::1] inv2, shift, a, l1m, still_intercept
    cdef const double[:, ::1] still_coef
    check_length("rates", rates.shape[0], order.shape[0])
    check_length("a row of coef", coef.shape[1], d)
    check_length("intercept", intercept.shape[0], k)
    view.check_order(order)
    view.check_targets(k, pointwise)
    if average_coef is not None:
        if average_intercept is None:
            raise ValueError("average_coef needs average_intercept.")
        check_length("average_intercept", average_intercept.shape[0], k)
        check_length("average_coef", average_coef.shape[0] * average_coef.shape[1], k * d)
    args.inv2 = args.shift = args.a = args.l1m = NULL
    if metric is not None:
        inv2, shift, a, l1m = metric
        check_length("inv2", inv2.shape[0], d)
        check_length("a", a.shape[0], d)
        if l1m is not None:
            check_length("l1m", l1m.shape[0], d)
        if d > 0:
            args.inv2, args.a = &inv2[0], &a[0]
        if shift is not None:
            check_length("shift", shift.shape[0], d)
            view.check_centring(fit_intercept)
            args.shift = &shift[0] if d else NULL
    pulls = l1 > 0 if metric is None else l1m is not None and any_positive(l1m)
    if pulls and metric is not None:
        args.l1m = &l1m[0]
    if pulls and received is None:
        raise ValueError("An l1 part needs received, zeros at the start of a run.")
    if received is not None:
        check_length("received", received.shape[0], k * d + 1)
    args.still_coef, args.still_intercept, args.value = NULL, NULL, 0.0
    if still is not None:
        still_coef, still_intercept = still
        check_length("the intercept of still", still_intercept.shape[0], k)
        check_length("the coef of still", still_coef.shape[0] * still_coef.shape[1], k * d)
    if order.shape[0] == 0 or k == 0:
        return n_averaged, nan if still is None else 0.0

    args.order, args.rates, args.m, args.k = &order[0], &rates[0], order.shape[0], k
    args.coef = &coef[0, 0] if d else NULL
    args.intercept = &intercept[0]
    args.l2, args.l1 = l2, l1
    args.weight_factor, args.fit_intercept = weight_factor, fit_intercept
    args.average_coef = args.average_intercept = NULL
    if average_coef is not None:
        # Without features the intercept is still averaged.
        args.average_coef = &average_coef[0, 0] if d else args.intercept
        args.average_intercept = &average_intercept[0]
    args.received, args.due = NULL, 0.0
    if pulls:
        args.received, args.due = &received[0], received[k * d]
    if still is not None:
        # Without features a pointer that is not NULL, to nothing that is read.
        args.still_coef = &still_coef[0, 0] if d else &still_intercept[0]
        args.still_intercept = &still_intercept[0]
    args.t, args.average_from, args.n_averaged = t, average_from, n_averaged
    with nogil:
        status = steps_run(&view.c, &pointwise.c, &args)
    if status:
        raise MemoryError()
    if pulls:
        received[k * d] = args.due
    return args.n_averaged, nan if still is None else args.value
