# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""Kernels that work on blocks of rows: full passes, batches, moments and norms.

They do arithmetic and nothing else: which rows, how far, when to look, stop or draw is the
caller's. `skgd._kernels._reference` holds the same algorithms in NumPy.
"""

import numpy as np

from ._pointwise cimport Move, Pointwise, idx_t, loss_t, move_t
from ._view cimport View, check_length, rows_t

cdef extern from "_full_pass.h" nogil:
    int full_pass_run(
        const rows_t*, const loss_t*, idx_t start, idx_t stop, idx_t k, const double* coef,
        const double* intercept, double* value, double* grad, double* eta
    )

cdef extern from "_minibatch.h" nogil:
    ctypedef struct minibatch_t:
        const idx_t* order
        idx_t m, batch_size, k
        double* theta
        double* vectors
        double* scalars
        idx_t t
        const double* rates
        const double* l2
        const double* l1
        const double* shift
        const double* inv_scale
        double weight_factor
        int fit_intercept
        double clip_norm, clip_value
        double* average
        idx_t average_from, n_averaged
    int minibatch_run(const rows_t*, const loss_t*, const move_t*, minibatch_t*)

cdef extern from "_moments.h" nogil:
    int column_moments_run(
        const rows_t*, const double* shift0, double* mean, double* var, double* low,
        double* high
    )
    void row_norms_run(const rows_t*, const double* shift, const double* inv_scale, double* out)


cdef int sum_losses(
    const rows_t* rows, const loss_t* loss, idx_t n, idx_t k, const double* coef,
    const double* intercept, double* value
) noexcept nogil:
    return full_pass_run(rows, loss, 0, n, k, coef, intercept, value, NULL, NULL)


cdef void square_norms(
    const rows_t* rows, const double* shift, const double* inv_scale, double* out
) noexcept nogil:
    row_norms_run(rows, shift, inv_scale, out)


def full_pass(
    rows,
    Py_ssize_t start,
    Py_ssize_t stop,
    const double[:, ::1] coef,
    const double[::1] intercept,
    Pointwise pointwise not None,
    double[::1] grad=None,
    double[:, ::1] eta=None,
):
    r"""Weighted sum of the losses of some rows, and its gradient, in one reading of X.

    .. math:: \sum_{i=start}^{stop-1} s_i \, \ell(y_i, W x_i + b)

    Parameters
    ----------
    rows : Rows
        Dense or CSR, float32 or float64. Rows of weight 0 add exactly nothing, even where
        their loss is not finite.
    start, stop : int
        Range of rows, ``0 <= start <= stop <= n_rows``.
    coef : array of shape (n_outputs, n_features), float64
        Coefficients ``W``.
    intercept : array of shape (n_outputs,), float64
        Intercepts ``b``.
    pointwise : Pointwise
        The loss.
    grad : array of shape (n_outputs * n_features + n_outputs,), float64, default=None
        Set to the sums ``[dW.ravel(), db]``, not divided by anything. None: value only.
    eta : array of shape (stop - start, n_outputs), float64, default=None
        Set to the linear predictors of these rows.

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
    cdef idx_t k = coef.shape[0], d = view.c.d
    cdef double value = 0.0
    cdef int status
    check_length("a row of coef", coef.shape[1], d)
    check_length("intercept", intercept.shape[0], k)
    view.check_targets(k, pointwise)
    view.check_range(start, stop)
    if grad is not None:
        check_length("grad", grad.shape[0], k * d + k)
    if eta is not None:
        check_length("eta", eta.shape[0], stop - start)
        check_length("a row of eta", eta.shape[1], k)
    if k == 0:
        return 0.0
    cdef const double* w = &coef[0, 0] if d else NULL
    cdef double* g = &grad[0] if grad is not None else NULL
    cdef double* e = &eta[0, 0] if eta is not None and start < stop else NULL
    with nogil:
        status = full_pass_run(
            &view.c, &pointwise.c, start, stop, k, w, &intercept[0], &value, g, e
        )
    if status:
        raise MemoryError()
    return value


def minibatch_block(
    rows,
    const Py_ssize_t[::1] order,
    Py_ssize_t batch_size,
    double[::1] theta,
    double[:, ::1] vectors,
    double[::1] scalars,
    Py_ssize_t t,
    const double[::1] rates,
    const double[::1] l2,
    const double[::1] l1,
    const double[::1] shift,
    const double[::1] inv_scale,
    double weight_factor,
    bint fit_intercept,
    double clip_norm,
    double clip_value,
    Pointwise pointwise not None,
    Move move not None,
    double[::1] average=None,
    Py_ssize_t average_from=1,
    Py_ssize_t n_averaged=0,
):
    """Steps on batches of rows with any update rule, in centred and scaled variables.

    ``theta = [u.ravel(), c]`` stands for ``w_j = u_j * inv_scale_j`` and
    ``b = c - shift . w``. A batch B has the gradient ``sum_B weight_factor * s_i *
    slope_i * x_i / |B|``, carried over to ``theta`` by the chain rule.

    Parameters
    ----------
    rows : Rows
        Dense or CSR, float32 or float64.
    order : array of shape (m,), intp
        Row numbers; batches are consecutive slices of ``batch_size``, the last may be
        shorter.
    batch_size : int
        Rows per step, at least 1.
    theta : array of shape (n_params,), float64
        The iterate; changed in place. ``n_params = k * (n_features + 1)``.
    vectors : array of shape (n_vectors, n_params), float64
        Memory of the rule; changed in place.
    scalars : array of shape (4,), float64
        Numbers of the rule; changed in place.
    t : int
        Steps done before; the first one here has number ``t + 1``.
    rates : array of shape (n_batches,), float64
        Rate of each step.
    l2 : array of shape (n_features,), float64
        ``l2_j * u_j`` joins the gradient; with a decoupled rule, ``u_j`` shrinks by
        ``rate * l2_j * u_j`` beside the move.
    l1 : array of shape (n_features,), float64, or None
        Soft threshold of ``u_j`` after the move: ``rate * metric_j * l1_j``.
    shift, inv_scale : array of shape (n_features,), float64, or None
        Change of variables; None is 0 and 1.
    weight_factor : float
        Multiplies every weight.
    fit_intercept : bool
        If False, ``c`` stays and ``shift`` must be None.
    clip_norm, clip_value : float
        Bounds on the Euclidean norm and on each entry of the gradient, penalty and
        intercept included; the entries first. Infinity is no bound.
    pointwise : Pointwise
        The loss.
    move : Move
        The rule.
    average : array of shape (n_params,), float64, default=None
        Mean of the iterates; changed in place.
    average_from : int, default=1
        Number of the first step that counts for the mean.
    n_averaged : int, default=0
        Iterates in the mean so far.

    Returns
    -------
    int
        Iterates in the mean now.

    Raises
    ------
    ValueError
        If shapes disagree or a row number is out of range.
    """
    cdef View view = View(rows)
    cdef idx_t d = view.c.d, m = order.shape[0], size = theta.shape[0]
    cdef minibatch_t args
    cdef int status
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1; got {batch_size}.")
    if size == 0 or size % (d + 1):
        raise ValueError(f"theta must have a multiple of {d + 1} entries; got {size}.")
    view.check_order(order)
    args.k = size // (d + 1)
    view.check_targets(args.k, pointwise)
    check_length("rates", rates.shape[0], (m + batch_size - 1) // batch_size)
    check_length("l2", l2.shape[0], d)
    if l1 is not None:
        check_length("l1", l1.shape[0], d)
    if shift is not None:
        check_length("shift", shift.shape[0], d)
        if not fit_intercept:
            raise ValueError("shift must be None without an intercept.")
    if inv_scale is not None:
        check_length("inv_scale", inv_scale.shape[0], d)
    if average is not None:
        check_length("average", average.shape[0], size)
    check_length("scalars", scalars.shape[0], 4)
    check_length("vectors", vectors.shape[0], move.c.n_vectors)
    if move.c.n_vectors:
        check_length("a row of vectors", vectors.shape[1], size)
    if m == 0:
        return n_averaged

    args.order, args.m, args.batch_size = &order[0], m, batch_size
    args.theta, args.scalars, args.t, args.rates = &theta[0], &scalars[0], t, &rates[0]
    args.vectors = &vectors[0, 0] if move.c.n_vectors else NULL
    args.l2 = &l2[0] if d else NULL
    args.l1 = &l1[0] if l1 is not None and d else NULL
    args.shift = &shift[0] if shift is not None and d else NULL
    args.inv_scale = &inv_scale[0] if inv_scale is not None and d else NULL
    args.weight_factor, args.fit_intercept = weight_factor, fit_intercept
    args.clip_norm, args.clip_value = clip_norm, clip_value
    args.average = &average[0] if average is not None else NULL
    args.average_from, args.n_averaged = average_from, n_averaged
    with nogil:
        status = minibatch_run(&view.c, &pointwise.c, &move.c, &args)
    if status:
        raise MemoryError()
    return args.n_averaged


def column_moments(rows, const double[::1] shift0):
    """Weighted mean, variance and extremes of the columns, over rows of positive weight.

    Parameters
    ----------
    rows : Rows
        Dense or CSR; zeros that are not stored count, and no cell may be stored twice.
    shift0 : array of shape (n_features,), float64
        Rough means, such as those of a few rows. Dense sums start about them and move to
        the mean so far every few hundred rows, so that a mean far larger than the
        standard deviation costs no digits. CSR uses each column's first stored value.

    Returns
    -------
    mean, var, minimum, maximum : array of shape (n_features,), float64
        The variance divides by the sum of weights and is never negative; a constant
        column has exactly 0. Without rows of positive weight all are 0.

    Raises
    ------
    ValueError
        If shapes disagree.
    """
    cdef View view = View(rows)
    cdef idx_t d = view.c.d
    cdef int status
    check_length("shift0", shift0.shape[0], d)
    mean, var, low, high = np.empty(d), np.empty(d), np.empty(d), np.empty(d)
    cdef double[::1] mean_ = mean, var_ = var, low_ = low, high_ = high
    if d > 0:
        with nogil:
            status = column_moments_run(
                &view.c, &shift0[0], &mean_[0], &var_[0], &low_[0], &high_[0]
            )
        if status:
            raise MemoryError()
    return mean, var, low, high


def row_norms(rows, const double[::1] shift=None, const double[::1] inv_scale=None):
    """Squared Euclidean norms of the rows of ``(X - shift) * inv_scale``.

    Parameters
    ----------
    rows : Rows
        Dense or CSR; no cell may be stored twice.
    shift, inv_scale : array of shape (n_features,), float64, default=None
        Change of variables; None is 0 and 1.

    Returns
    -------
    array of shape (n_rows,), float64

    Raises
    ------
    ValueError
        If shapes disagree.
    """
    cdef View view = View(rows)
    cdef idx_t d = view.c.d
    cdef const double *m = NULL
    cdef const double *h = NULL
    if shift is not None:
        check_length("shift", shift.shape[0], d)
        m = &shift[0] if d else NULL
    if inv_scale is not None:
        check_length("inv_scale", inv_scale.shape[0], d)
        h = &inv_scale[0] if d else NULL
    out = np.empty(view.c.n_rows)
    cdef double[::1] norms = out
    if view.c.n_rows > 0:
        with nogil:
            row_norms_run(&view.c, m, h, &norms[0])
    return out
