# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""Checks of rows: of few at next to no cost, of many at the speed of reading them."""

cdef extern from "_checks.h" nogil:
    double sum_double(Py_ssize_t, const double*)
    double sum_float(Py_ssize_t, const float*)
    int any_outside_int(Py_ssize_t, const int*, Py_ssize_t)
    int any_outside_long(Py_ssize_t, const long long*, Py_ssize_t)

ctypedef fused real:
    float
    double

ctypedef fused index:
    int
    long long


def is_finite(const real[::1] data):
    """Whether all numbers are finite.

    Parameters
    ----------
    data : array of shape (n,), float32 or float64
        Numbers.

    Returns
    -------
    bool
        False also where they are so large that their sum overflows in float64.
    """
    cdef double total = 0.0
    if data.shape[0] == 0:
        return True
    with nogil:
        if real is float:
            total = sum_float(data.shape[0], &data[0])
        else:
            total = sum_double(data.shape[0], &data[0])
    return total - total == 0.0


def is_csr(
    const index[::1] indptr, const index[::1] indices, Py_ssize_t n_stored, Py_ssize_t n_features
):
    """Whether rows start and end where there are entries, in columns that there are.

    Parameters
    ----------
    indptr : array of shape (n_rows + 1,), int32 or int64
        Where rows start.
    indices : array of shape (n_entries,), same type
        Column numbers; there may be more than rows use.
    n_stored : int
        Entries that have a value.
    n_features : int
        Columns.

    Returns
    -------
    bool
        Whether a kernel may trust them.
    """
    cdef Py_ssize_t i, n = indptr.shape[0] - 1
    cdef bint sound = True
    if n < 0 or indptr[0] != 0 or indptr[n] > min(n_stored, indices.shape[0]):
        return False
    with nogil:
        for i in range(n):
            sound &= indptr[i] <= indptr[i + 1]
        if indices.shape[0] == 0:
            pass
        elif index is int:
            sound &= not any_outside_int(indices.shape[0], &indices[0], n_features)
        else:
            sound &= not any_outside_long(indices.shape[0], &indices[0], n_features)
    return sound
