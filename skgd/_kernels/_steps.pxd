"""Steps of a row each, for modules that take them."""

from ._pointwise cimport idx_t, loss_t
from ._view cimport rows_t

cdef extern from "_types.h" nogil:
    ctypedef struct steps_t:
        const idx_t* order
        const double* rates
        idx_t m, k
        double* coef
        double* intercept
        double l2, l1
        double weight_factor
        int fit_intercept
        double* average_coef
        double* average_intercept
        idx_t t, average_from, n_averaged
        const double* inv2
        const double* shift
        const double* a
        const double* l1m
        double* received
        double due
        const double* still_coef
        const double* still_intercept
        double value

# Compiled in one module alone, which takes half a minute.
cdef int take_steps(const rows_t*, const loss_t*, steps_t*) noexcept nogil
