/* Checks of long arrays at the speed of reading them. */
#ifndef SKGD_CHECKS_H
#define SKGD_CHECKS_H

#include "_port.h"

CLONES static double sum_double(idx_t n, const double *a)
{
    double sum = 0.0;
    SIMD_SUM(sum) for (idx_t i = 0; i < n; i++) sum += a[i];
    return sum;
}

CLONES static double sum_float(idx_t n, const float *a)
{
    double sum = 0.0;
    SIMD_SUM(sum) for (idx_t i = 0; i < n; i++) sum += (double)a[i];
    return sum;
}

/* Whether any number is not in [0, n): as unsigned ones, negative numbers are large. */
CLONES static int any_outside_int(idx_t m, const int *a, idx_t n)
{
    const unsigned end = n > INT32_MAX ? (unsigned)INT32_MAX + 1 : (unsigned)n;
    int bad = 0;
    SIMD_OR(bad) for (idx_t i = 0; i < m; i++) bad |= (unsigned)a[i] >= end;
    return bad;
}

CLONES static int any_outside_long(idx_t m, const long long *a, idx_t n)
{
    const unsigned long long end = (unsigned long long)n;
    long long bad = 0;
    SIMD_OR(bad) for (idx_t i = 0; i < m; i++) bad |= (unsigned long long)a[i] >= end;
    return bad != 0;
}

#endif
