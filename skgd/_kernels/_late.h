/* Models of many columns, one at a time. */
#ifndef SKGD_LATE_H
#define SKGD_LATE_H

#include "_vmath.h"

CLONES static double product_run(idx_t n, const double *RESTRICT a, const double *RESTRICT b)
{
    double sum = 0.0;
    SIMD_SUM(sum) for (idx_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* Lets coefficients decay over the time since each was seen; decay NULL is one for all. */
CLONES static void decay_run(idx_t d, double *RESTRICT w, const double *RESTRICT decay,
                             const double *RESTRICT seen, double clock)
{
    if (decay)
        SIMD for (idx_t c = 0; c < d; c++) w[c] *= vexp_neg(-decay[c] * (clock - seen[c]));
    else
        SIMD for (idx_t c = 0; c < d; c++) w[c] *= vexp_neg(seen[c] - clock);
}

#endif
