# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""Steps of several models at rates of their own, and weights for what each has foretold.

For calls of a few rows: done model by model from outside, most of the time would be spent there.
"""

from libc.math cimport INFINITY as inf, exp, isfinite
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from ._blocks cimport square_norms, sum_losses
from ._pointwise cimport Pointwise, idx_t
from ._steps cimport steps_t, take_steps
from ._view cimport View, check_length

cdef void weigh(
    idx_t m, double* losses, double* weights, double trust, double share, double most
) noexcept nogil:
    """Multiply weights by ``exp(-trust * loss)``; of all a share is spread evenly."""
    cdef idx_t i
    cdef double least = inf, total = 0.0
    for i in range(m):
        if not isfinite(losses[i]):
            losses[i] = inf
        least = min(least, losses[i])
    if least == inf:
        return
    for i in range(m):
        weights[i] *= exp(-trust * min(losses[i] - least, most))
        total += weights[i]
    for i in range(m):
        weights[i] = (1.0 - share) / total * weights[i] + share / <double>m


cdef const double* start_of(const double[::1] a) noexcept nogil:
    if a is None or a.shape[0] == 0:
        return NULL
    return &a[0]


def hedge_block(
    rows,
    const Py_ssize_t[::1] order,
    double[:, :, :] coef,
    double[:, :] intercept,
    double[::1] weights,
    double[:, ::1] rates,
    terms,
    scales,
    metric,
    double l2,
    bint fit_intercept,
    Pointwise pointwise not None,
):
    r"""Weigh models by their losses on rows, then take a step of each on each row.

    With :math:`L_m` the sum of the losses of model m over the rows, relative to
    :math:`\ell_0`,

    .. math::

        p_m \leftarrow (1 - \sigma) \frac{p_m e^{-\eta \min(L_m - \min L, B)}}{\sum \dots}
        + \frac{\sigma}{M}, \qquad
        \gamma_{mi} = \frac{f \rho_m}{h (1 + \rho_m (\|z_i\|^2 + 1))}

    and steps as of `skgd._kernels.sgd_block` at the rates :math:`\gamma`. Weights stay where no
    loss is finite.

    Parameters
    ----------
    rows : Rows
        Dense or CSR, float32 or float64; their weights count in the losses and steps, not in
        the rates.
    order : array of shape (n_steps,), intp
        Row of each step.
    coef : array of shape (n_models, n_outputs, n_features), float64
        Changed in place; the last two axes must be contiguous.
    intercept : array of shape (n_models, n_outputs), float64
        Changed in place; the last axis must be contiguous.
    weights : array of shape (n_models,), float64
        The :math:`p`; changed in place.
    rates : array of shape (n_models, n_steps), float64
        Set to the :math:`\gamma`.
    terms : tuple
        :math:`\rho`, a sequence of n_models numbers, and
        :math:`h, f, \ell_0, \eta, \sigma, B`.
    scales : tuple (shift, inv_scale)
        For the norms of rows; arrays of shape (n_features,) or None. Without an intercept the 1
        in the rates is left out.
    metric : tuple or None
        As for `skgd._kernels.sgd_block`, without an l1 part.
    l2 : float
        Penalty of the textbook form; not used with a metric.
    fit_intercept : bool
        If False, the intercepts stay and a shift is refused.
    pointwise : Pointwise
        The loss.

    Raises
    ------
    ValueError
        If shapes disagree, a row number is out of range, or a shift cannot be served.
    """
    cdef View view = View(rows)
    cdef idx_t m = coef.shape[0], k = coef.shape[1], d = view.c.d, n = order.shape[0], i, j
    cdef const double[::1] inv2, centre, a, shift, inv_scale
    cdef double bend, factor, null, trust, share, most
    cdef double* work
    cdef double* pace
    cdef double* norms
    cdef steps_t args
    cdef int status = 0
    rho, bend, factor, null, trust, share, most = terms
    check_length("a row of coef", coef.shape[2], d)
    check_length("intercept", intercept.shape[0], m)
    check_length("a row of intercept", intercept.shape[1], k)
    check_length("weights", weights.shape[0], m)
    check_length("rates", rates.shape[0], m)
    check_length("a row of rates", rates.shape[1], n)
    check_length("the rates of terms", len(rho), m)
    if (d > 1 and coef.strides[2] != sizeof(double)) or (
        d > 0 and k > 1 and coef.strides[1] != d * <idx_t>sizeof(double)
    ):
        raise ValueError("The last two axes of coef must be contiguous.")
    if k > 1 and intercept.strides[1] != sizeof(double):
        raise ValueError("The last axis of intercept must be contiguous.")
    view.check_order(order)
    view.check_targets(k, pointwise)
    shift, inv_scale = scales
    for one in scales:
        if one is not None:
            check_length("scales", len(one), d)
    if shift is not None:
        view.check_centring(fit_intercept)
    memset(&args, 0, sizeof(steps_t))
    if metric is not None:
        inv2, centre, a, l1m = metric
        if l1m is not None:
            raise ValueError("An l1 part needs sgd_block.")
        check_length("inv2", inv2.shape[0], d)
        check_length("a", a.shape[0], d)
        args.inv2, args.a = start_of(inv2), start_of(a)
        if centre is not None:
            check_length("shift", centre.shape[0], d)
            view.check_centring(fit_intercept)
            args.shift = start_of(centre)
    if n == 0 or m == 0 or k == 0:
        return
    args.order, args.m, args.k = &order[0], n, k
    args.l2, args.weight_factor, args.fit_intercept = l2, 1.0, fit_intercept
    args.average_from = 1
    work = <double*>malloc((2 * m + view.c.n_rows) * sizeof(double))
    if work == NULL:
        raise MemoryError()
    pace, norms = work + m, work + 2 * m
    for i in range(m):
        pace[i] = rho[i]
    with nogil:
        for i in range(m):
            status |= sum_losses(
                &view.c, &pointwise.c, view.c.n_rows, k, &coef[i, 0, 0] if d else NULL,
                &intercept[i, 0], &work[i]
            )
            work[i] /= null
        weigh(m, work, &weights[0], trust, share, most)
        square_norms(&view.c, start_of(shift), start_of(inv_scale), norms)
        for i in range(m):
            for j in range(n):
                rates[i, j] = pace[i] * factor / (
                    bend * (1.0 + pace[i] * (norms[order[j]] + fit_intercept))
                )
            args.rates, args.coef = &rates[i, 0], &coef[i, 0, 0] if d else NULL
            args.intercept = &intercept[i, 0]
            status |= take_steps(&view.c, &pointwise.c, &args)
    free(work)
    if status:
        raise MemoryError()
