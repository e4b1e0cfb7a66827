# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
r"""Coefficients that decay at every step, looked at when a row has an entry in their column.

Of model m, a coefficient of column j is :math:`u_{mj} \exp(-a_j (\tau_m - \tau_{mj}))`: what it was
when it was last touched, at the time :math:`\tau_{mj}`, and what is left of it since.
"""

import numpy as np

from libc.math cimport fabs

from ._pointwise cimport idx_t
from ._view cimport check_length

cdef extern from "_late.h" nogil:
    double vexp_neg(double)
    void decay_run(idx_t, double*, const double*, const double*, double)
    double product_run(idx_t, const double*, const double*)

ctypedef fused real:
    float
    double

ctypedef fused index:
    int
    long long

cdef int check_last(const double[:, :, :] coef) except -1:
    if coef.shape[2] > 1 and coef.strides[2] != sizeof(double):
        raise ValueError("The last axis of coef must be contiguous.")
    return 0


cdef int check_late(
    const double[:, :, :] coef, const double[::1] decay, const double[:, ::1] seen,
    const double[::1] clock
) except -1:
    cdef idx_t d = coef.shape[2]
    if decay is not None:
        check_length("decay", decay.shape[0], d)
    check_length("seen", seen.shape[0], coef.shape[0])
    check_length("a row of seen", seen.shape[1], d)
    check_length("clock", clock.shape[0], coef.shape[0])
    return check_last(coef)


cdef int check_columns(const index[::1] columns, idx_t d) except -1:
    cdef idx_t p
    for p in range(columns.shape[0]):
        if not 0 <= columns[p] < d:
            raise ValueError(f"Column {columns[p]} is out of range for {d} columns.")
    return 0


cdef int check_part(
    str name, const double[:, :, :] coef, const index[::1] columns, const double[:, :, ::1] part
) except -1:
    check_columns(columns, coef.shape[2])
    check_length(name, part.shape[0], coef.shape[0])
    check_length(f"a model of {name}", part.shape[1], coef.shape[1])
    check_length(f"a row of {name}", part.shape[2], columns.shape[0])
    return 0


def decay_all(
    double[:, :, :] coef, const double[::1] decay, double[:, ::1] seen, double[::1] clock
):
    r"""Bring all coefficients up to date.

    .. math:: u_{mj} \leftarrow u_{mj} \exp(-a_j (\tau_m - \tau_{mj})), \qquad
        \tau \leftarrow 0

    Parameters
    ----------
    coef : array of shape (n_models, n_outputs, n_features), float64
        The :math:`u_{mj}`; changed in place. Its last axis must be contiguous.
    decay : array of shape (n_features,), float64, or None
        The :math:`a_j`, at least 0; None is one for all.
    seen : array of shape (n_models, n_features), float64
        The :math:`\tau_{mj}`, no later than ``clock``; set to zero.
    clock : array of shape (n_models,), float64
        The :math:`\tau_m`; set to zero.

    Raises
    ------
    ValueError
        If shapes disagree, or the last axis is not contiguous.
    """
    cdef idx_t d = coef.shape[2], i, j
    cdef const double* a = NULL
    check_late(coef, decay, seen, clock)
    if d == 0:
        return
    if decay is not None:
        a = &decay[0]
    with nogil:
        for i in range(coef.shape[0]):
            for j in range(coef.shape[1]):
                decay_run(d, &coef[i, j, 0], a, &seen[i, 0], clock[i])
            # At once, so that an interrupt finds all done or nothing.
            for j in range(d):
                seen[i, j] = 0.0
            clock[i] = 0.0


def take_columns(
    const double[:, :, :] coef, const double[::1] decay, const double[:, ::1] seen,
    const double[::1] clock, const index[::1] columns, double[:, :, ::1] out
):
    """Look at some columns.

    Parameters
    ----------
    coef, decay, seen, clock : arrays
        As for `decay_all`; not changed.
    columns : array of shape (n_columns,), int32 or int64
        Which.
    out : array of shape (n_models, n_outputs, n_columns), float64
        Set to their coefficients.

    Raises
    ------
    ValueError
        If shapes disagree, or a column is out of range.
    """
    cdef idx_t m, j, p, c, k = coef.shape[1], n = columns.shape[0]
    cdef double left
    check_late(coef, decay, seen, clock)
    check_part("out", coef, columns, out)
    with nogil:
        for m in range(coef.shape[0]):
            for p in range(n):
                c = columns[p]
                left = clock[m] - seen[m, c]
                left = vexp_neg(-left if decay is None else -decay[c] * left)
                for j in range(k):
                    out[m, j, p] = coef[m, j, c] * left


def put_columns(
    double[:, :, :] coef, double[:, ::1] seen, const double[::1] clock,
    const index[::1] columns, const double[:, :, ::1] values
):
    """Set some columns, as of now.

    Parameters
    ----------
    coef, seen, clock : arrays
        As for `decay_all`; the first two are changed in place.
    columns : array of shape (n_columns,), int32 or int64
        Which.
    values : array of shape (n_models, n_outputs, n_columns), float64
        Their coefficients.

    Raises
    ------
    ValueError
        If shapes disagree, or a column is out of range.
    """
    cdef idx_t m, j, p, c, k = coef.shape[1], n = columns.shape[0]
    check_late(coef, None, seen, clock)
    check_part("values", coef, columns, values)
    with nogil:
        for m in range(coef.shape[0]):
            for p in range(n):
                c = columns[p]
                seen[m, c] = clock[m]
                for j in range(k):
                    coef[m, j, c] = values[m, j, p]


def products(const double[:, :, :] coef):
    """Multiply models with each other.

    Parameters
    ----------
    coef : array of shape (n_models, n_outputs, n_features), float64
        Its last axis must be contiguous.

    Returns
    -------
    ndarray of shape (n_models, n_models), float64
        Sums of the products of two models' coefficients.

    Raises
    ------
    ValueError
        If the last axis is not contiguous.
    """
    cdef idx_t m = coef.shape[0], k = coef.shape[1], d = coef.shape[2], i, j, o
    out = np.zeros((m, m))
    cdef double[:, ::1] sums = out
    check_last(coef)
    if d == 0:
        return out
    with nogil:
        for i in range(m):
            for j in range(i + 1):
                for o in range(k):
                    sums[i, j] += product_run(d, &coef[i, o, 0], &coef[j, o, 0])
                sums[j, i] = sums[i, j]
    return out


def distinct(const index[::1] indices, int[::1] table, index[::1] columns, index[::1] place):
    """Number the columns of entries in the order in which they come.

    Parameters
    ----------
    indices : array of shape (n_entries,), int32 or int64
        Column of each entry.
    table : array of shape (n_features,), int32
        All -1; is so again afterwards.
    columns : array of shape (n_entries,), type of ``indices``
        Its first entries are set to the columns, each once.
    place : array of shape (n_entries,), type of ``indices``
        Set to where in ``columns`` each entry's column is.

    Returns
    -------
    int
        How many columns there are.

    Raises
    ------
    ValueError
        If shapes disagree, or a column is out of range.
    """
    cdef idx_t p, n = indices.shape[0], count = 0
    check_columns(indices, table.shape[0])
    check_length("columns", columns.shape[0], n)
    check_length("place", place.shape[0], n)
    with nogil:
        for p in range(n):
            if table[indices[p]] < 0:
                table[indices[p]] = <int>count
                columns[count] = indices[p]
                count += 1
            place[p] = table[indices[p]]
        for p in range(count):
            table[columns[p]] = -1
    return count


def outgrown(
    const real[::1] data, const index[::1] indices, const double[::1] scale,
    unsigned char[::1] unseen, double most, int[::1] table, index[::1] columns,
    double[::1] sizes
):
    """Find the columns with entries that are too large for their scales.

    Parameters
    ----------
    data : array of shape (n_entries,), float32 or float64
        Entries.
    indices : array of shape (n_entries,), int32 or int64
        Their columns.
    scale : array of shape (n_features,), float64
        Of the columns.
    unseen : array of shape (n_features,), uint8
        Not 0 where any entry but zero is too large; 0 afterwards in the columns found.
    most : float
        Scaled entries at most.
    table : array of shape (n_features,), int32
        All -1; is so again afterwards.
    columns : array of shape (n_entries,), type of ``indices``
        Its first entries are set to the columns found, each once.
    sizes : array of shape (n_entries,), float64
        Its first entries are set to the largest size of an entry that is too large in each.

    Returns
    -------
    int
        How many there are.

    Raises
    ------
    ValueError
        If shapes disagree, or a column is out of range.
    """
    cdef idx_t p, c, d = table.shape[0], count = 0
    cdef double size
    check_columns(indices, d)
    check_length("data", data.shape[0], indices.shape[0])
    check_length("scale", scale.shape[0], d)
    check_length("unseen", unseen.shape[0], d)
    check_length("columns", columns.shape[0], indices.shape[0])
    check_length("sizes", sizes.shape[0], indices.shape[0])
    with nogil:
        for p in range(indices.shape[0]):
            c = indices[p]
            size = fabs(data[p])
            if size > 0.0 and (unseen[c] or size > most * scale[c]):
                if table[c] < 0:
                    table[c] = <int>count
                    columns[count], sizes[count] = c, size
                    count += 1
                sizes[table[c]] = max(sizes[table[c]], size)
        for p in range(count):
            table[columns[p]] = -1
            unseen[columns[p]] = 0
    return count


def set_scales(
    const index[::1] columns, const double[::1] scales, double strength, double most,
    double[::1] scale, double[::1] inv_scale, double[::1] inv2, double[::1] decay, double[::1] l2
):
    r"""Give columns other scales, and all that follows from these.

    Parameters
    ----------
    columns : array of shape (n_columns,), int32 or int64
        Which.
    scales : array of shape (n_columns,), float64
        Their scales :math:`q`.
    strength : float
        The :math:`\alpha` of the l2 part :math:`\alpha / q^2`.
    most : float
        Bound on ``decay``.
    scale, inv_scale, inv2 : array of shape (n_features,), float64
        Set to :math:`q`, :math:`1 / q` and :math:`1 / q^2`.
    decay, l2 : array of shape (n_features,), float64
        Set to the l2 part, the former to no more than ``most``.

    Returns
    -------
    float
        The largest of ``decay`` in these columns.

    Raises
    ------
    ValueError
        If shapes disagree, or a column is out of range.
    """
    cdef idx_t p, c, d = scale.shape[0]
    cdef double inv, largest = 0.0
    check_columns(columns, d)
    check_length("scales", scales.shape[0], columns.shape[0])
    check_length("inv_scale", inv_scale.shape[0], d)
    check_length("inv2", inv2.shape[0], d)
    check_length("decay", decay.shape[0], d)
    check_length("l2", l2.shape[0], d)
    with nogil:
        for p in range(columns.shape[0]):
            c, inv = columns[p], 1.0 / scales[p]
            scale[c], inv_scale[c], inv2[c], l2[c] = scales[p], inv, inv * inv, strength * inv * inv
            decay[c] = min(l2[c], most)
            largest = max(largest, decay[c])
    return largest
