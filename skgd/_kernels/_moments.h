/* Weighted moments and extremes of columns, and norms of rows, in one reading. */
#ifndef SKGD_MOMENTS_H
#define SKGD_MOMENTS_H

#include "_rows.h"

/* Sums of one column about a shift near its mean, so that squares do not cancel. */
typedef struct {
    double shift, mass, first, second, low, high, count, unused;
} column_t;

#define KERNEL "_moments_each.h"
#include "_each.h"
#undef KERNEL

/* Returns 0, or -1 where memory ran out. */
static int column_moments_run(const rows_t *rows, const double *shift0, double *mean,
                              double *var, double *low, double *high)
{
    const idx_t d = rows->d;
    double mass = 0.0, count = 0.0;
    SIMD_SUM(mass, count) for (idx_t i = 0; i < rows->n_rows; i++) {
        mass += rows->s[i] > 0.0 ? rows->s[i] : 0.0;
        count += rows->s[i] > 0.0 ? 1.0 : 0.0;
    }
    for (idx_t c = 0; c < d; c++) {
        mean[c] = var[c] = 0.0;
        low[c] = INFINITY;
        high[c] = -INFINITY;
    }
    if (mass > 0.0) {
        column_t *work = malloc((size_t)d * sizeof(column_t));
        if (work == NULL) return -1;
        DISPATCH(moments, rows, rows, mass, count, shift0, mean, var, low, high, work);
        free(work);
    }
    for (idx_t c = 0; c < d; c++) {
        if (!(mass > 0.0)) low[c] = high[c] = 0.0;
        /* Rounding must not give a constant column a spread; NaN, which is no extreme, has one. */
        if (low[c] == high[c] && var[c] - var[c] == 0.0) { mean[c] = low[c]; var[c] = 0.0; }
        if (var[c] < 0.0) var[c] = 0.0;
    }
    return 0;
}

static void row_norms_run(const rows_t *rows, const double *shift, const double *inv_scale,
                          double *out)
{
    DISPATCH(norms, rows, rows, shift, inv_scale, out);
}

#endif
