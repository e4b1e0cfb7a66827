"""Sums over rows, for modules that take them."""

from ._pointwise cimport idx_t, loss_t
from ._view cimport rows_t

# Compiled in one module alone, which takes half a minute.
cdef int sum_losses(
    const rows_t*, const loss_t*, idx_t n, idx_t k, const double* coef, const double* intercept,
    double* value
) noexcept nogil
cdef void square_norms(
    const rows_t*, const double* shift, const double* inv_scale, double* out
) noexcept nogil
