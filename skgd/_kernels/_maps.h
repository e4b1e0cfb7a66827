/* The two halves of a full pass: rows to linear predictors, and back; between them the loss. */
#ifndef SKGD_MAPS_H
#define SKGD_MAPS_H

#include "_rows.h"

#define MAPS_ROWS 256

#define KERNEL "_maps_each.h"
#include "_each.h"
#undef KERNEL

static void linear_map_run(const rows_t *rows, idx_t start, idx_t stop, idx_t k,
                           const double *coef, const double *intercept, double *eta)
{
    DISPATCH(linear_map, rows, rows, start, stop, k, coef, intercept, eta);
}

static void adjoint_map_run(const rows_t *rows, idx_t start, idx_t stop, idx_t k,
                            const double *u, double *grad)
{
    DISPATCH(adjoint_map, rows, rows, start, stop, k, u, grad);
}

/* Weighted losses of rows start .. stop at eta, summed, and weighted slopes into u; all arrays
   hold these rows only. With moved, first eta = from + t * moved, and the sum of the weighted
   slopes times moved goes into along. Returns 0, or -1 where memory ran out. */
static int losses_run(const rows_t *rows, const loss_t *loss, idx_t start, idx_t stop, idx_t k,
                      double *eta, double *total, double *u, const double *from,
                      const double *moved, double t, double *along)
{
    const idx_t per_row = loss->joint ? 1 : k;
    double *y = malloc(MAPS_ROWS * (2 * (size_t)k + 1) * sizeof(double));
    idx_t ids[MAPS_ROWS];
    if (y == NULL) return -1;
    double *value = y + MAPS_ROWS * k, *s = value + MAPS_ROWS * k;
    *total = 0.0;
    *along = 0.0;
    for (idx_t first = start; first < stop; first += MAPS_ROWS) {
        const idx_t n = first + MAPS_ROWS < stop ? MAPS_ROWS : stop - first;
        const idx_t at = (first - start) * k;
        double *slope = u + at, part = 0.0;
        for (idx_t r = 0; r < n; r++) ids[r] = first + r;
        take_targets(rows, ids, n, k, loss->joint, y, s);
        if (moved)
            SIMD for (idx_t c = at; c < at + n * k; c++) eta[c] = from[c] + t * moved[c];
        loss->block(n, k, y, eta + at, loss->par, value, slope);
        for (idx_t r = 0; r < n; r++)
            for (idx_t j = 0; j < per_row; j++) part += weigh(s[r], value[r * per_row + j]);
        for (idx_t r = 0; r < n; r++)
            for (idx_t j = 0; j < k; j++) slope[r * k + j] = weigh(s[r], slope[r * k + j]);
        *total += part;
        if (moved) {
            double rise = 0.0;
            SIMD_SUM(rise) for (idx_t c = 0; c < n * k; c++) rise += slope[c] * moved[at + c];
            *along += rise;
        }
    }
    free(y);
    return 0;
}

#endif
