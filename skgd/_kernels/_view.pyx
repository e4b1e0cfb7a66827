# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""Unpacks `skgd._protocols.Rows` for the C loops, with the checks that keep reads in bounds.

Buffers are taken read-only, so maps of files and other protected arrays serve as they are.
Column numbers are not looked at: whoever makes the rows has checked them once.
"""

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBuffer_Release, PyObject_GetBuffer,
)


cdef int check_length(str name, idx_t got, idx_t wanted) except -1:
    if got != wanted:
        raise ValueError(f"{name} must have {wanted} entries; got {got}.")
    return 0


cdef class View:
    """Pointers into the arrays of a `Rows`, valid as long as this object lives."""

    def __cinit__(self, rows):
        cdef Py_buffer* data
        cdef Py_buffer* y
        cdef Py_buffer* s
        cdef Py_buffer* indices
        cdef Py_buffer* indptr
        cdef idx_t i
        dense, values, columns, starts, n_features, targets, codes, weights = rows
        data = self.take(values, "data", "fd")
        y = self.take(targets, "y", "d")
        s = self.take(weights, "s", "d")
        self.c.data, self.c.y, self.c.s = data.buf, <const double*>y.buf, <const double*>s.buf
        self.c.real = data.itemsize
        self.c.d = n_features
        self.c.codes = codes
        self.c.n_rows = s.len // 8
        if self.c.d < 0:
            raise ValueError(f"n_features must not be negative; got {n_features}.")
        if y.ndim > 2 or y.ndim < 1 or y.shape[0] != self.c.n_rows:
            raise ValueError(f"y must have one entry or row per weight ({self.c.n_rows}).")
        self.c.y_width = y.shape[1] if y.ndim == 2 else 1
        if codes and self.c.y_width != 1:
            raise ValueError("codes need one class number per row; y has two dimensions.")
        if dense:
            self.c.width = 0
            check_length("data", data.len // data.itemsize, self.c.n_rows * self.c.d)
            return
        indices = self.take(columns, "indices", "ilq")
        indptr = self.take(starts, "indptr", "ilq")
        self.c.indices, self.c.indptr = indices.buf, indptr.buf
        self.c.width = indices.itemsize
        if indptr.itemsize != indices.itemsize:
            raise ValueError("indices and indptr must have the same type.")
        check_length("indptr", indptr.len // indptr.itemsize, self.c.n_rows + 1)
        if self.c.width == 4:
            i = (<const int*>self.c.indptr)[self.c.n_rows]
        else:
            i = (<const long long*>self.c.indptr)[self.c.n_rows]
        if i > indices.len // indices.itemsize or i > data.len // data.itemsize:
            raise ValueError(f"indptr ends at {i}, beyond the stored values.")

    def __dealloc__(self):
        cdef int i
        for i in range(self.n_buffers):
            PyBuffer_Release(&self.buffers[i])

    cdef Py_buffer* take(self, object array, str name, str formats) except NULL:
        cdef Py_buffer* buffer = &self.buffers[self.n_buffers]
        PyObject_GetBuffer(array, buffer, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
        self.n_buffers += 1
        if buffer.format.decode("ascii") not in tuple(formats):
            raise ValueError(f"{name} has an unsupported type; got {array.dtype}.")
        return buffer

    cdef int check_order(self, const Py_ssize_t[::1] order) except -1:
        cdef idx_t i, low = 0, high = -1
        for i in range(order.shape[0]):
            low = min(low, order[i])
            high = max(high, order[i])
        if low < 0 or high >= self.c.n_rows:
            raise ValueError(f"order must hold row numbers in [0, {self.c.n_rows}).")
        return 0

    cdef int check_range(self, idx_t start, idx_t stop) except -1:
        if not 0 <= start <= stop <= self.c.n_rows:
            raise ValueError(f"rows {start}:{stop} are not within 0:{self.c.n_rows}.")
        return 0

    cdef int check_centring(self, bint fit_intercept) except -1:
        if self.c.width:
            raise ValueError("shift must be None for CSR rows: they are not centred.")
        if not fit_intercept:
            raise ValueError("shift must be None without an intercept.")
        return 0

    cdef int check_targets(self, idx_t k, Pointwise loss) except -1:
        cdef idx_t width = 1 if loss.c.joint or self.c.codes else k
        if loss.c.joint and self.c.codes:
            raise ValueError(f"{loss.name!r} takes class numbers; codes must be False.")
        if self.c.y_width != width:
            raise ValueError(f"y must have {width} columns; got {self.c.y_width}.")
        return 0


cdef int check_table(str name, const double[:, ::1] a, idx_t n, idx_t k) except -1:
    check_length(name, a.shape[0], n)
    check_length(f"a row of {name}", a.shape[1], k)
    return 0
