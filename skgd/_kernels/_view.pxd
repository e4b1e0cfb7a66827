# Rows in memory as the C loops read them.
from ._pointwise cimport Pointwise, idx_t, loss_t

cdef extern from "_types.h" nogil:
    ctypedef struct rows_t:
        int real
        int width
        const void* data
        const void* indices
        const void* indptr
        idx_t n_rows
        idx_t d
        const double* y
        idx_t y_width
        int codes
        const double* s


cdef class View:
    cdef rows_t c
    cdef Py_buffer buffers[5]
    cdef int n_buffers

    cdef Py_buffer* take(self, object array, str name, str formats) except NULL
    cdef int check_order(self, const Py_ssize_t[::1] order) except -1
    cdef int check_range(self, idx_t start, idx_t stop) except -1
    cdef int check_centring(self, bint fit_intercept) except -1
    cdef int check_targets(self, idx_t k, Pointwise loss) except -1


cdef int check_length(str name, idx_t got, idx_t wanted) except -1
cdef int check_table(str name, const double[:, ::1] a, idx_t n, idx_t k) except -1
