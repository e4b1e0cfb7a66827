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

/* slope (n, k) is weighted in place; total and size (k,) gain its sums and absolute sums. */
CLONES static void weigh_slopes(idx_t n, idx_t k, const double *RESTRICT s,
                                double *RESTRICT slope, double *total, double *size)
{
    for (idx_t j = 0; j < k; j++) {
        double sum = 0.0, sizes = 0.0;
        if (k == 1) {
            SIMD_SUM(sum, sizes) for (idx_t r = 0; r < n; r++) {
                const double g = s[r] == 0.0 ? 0.0 : s[r] * slope[r];
                slope[r] = g;
                sum += g;
                sizes += fabs(g);
            }
        } else {
            for (idx_t r = 0; r < n; r++) {
                const double g = weigh(s[r], slope[r * k + j]);
                slope[r * k + j] = g;
                sum += g;
                sizes += fabs(g);
            }
        }
        total[j] += sum;
        size[j] += sizes;
    }
}

CLONES static double weighted_losses(idx_t n, idx_t k, const double *s, const double *value)
{
    return weighted_sum(n, k, s, value);
}

/* Weighted losses of rows start .. stop at eta + shift, summed. eta (n, k) may be NULL, which is
   zero, and so may u, which takes the weighted slopes; total and size (k,) are the sums of these
   and of their absolute values. Returns 0, or -1 where memory ran out. */
static int shifted_run(const rows_t *rows, const loss_t *loss, idx_t start, idx_t stop, idx_t k,
                       const double *eta, const double *shift, double *u, double *value,
                       double *total, double *size)
{
    const idx_t per_row = loss->joint ? 1 : k;
    double *y = malloc(MAPS_ROWS * (4 * (size_t)k + 1) * sizeof(double));
    if (y == NULL) return -1;
    double *at = y + MAPS_ROWS * k, *each = at + MAPS_ROWS * k, *s = each + MAPS_ROWS * k;
    double *own = s + MAPS_ROWS;
    *value = 0.0;
    for (idx_t j = 0; j < k; j++) total[j] = size[j] = 0.0;
    for (idx_t first = start; first < stop; first += MAPS_ROWS) {
        const idx_t n = first + MAPS_ROWS < stop ? MAPS_ROWS : stop - first;
        const idx_t from = (first - start) * k;
        double *slope = u ? u + from : own;
        take_run(rows, first, n, k, loss->joint, y, s);
        if (k == 1 && eta) SIMD for (idx_t r = 0; r < n; r++) at[r] = eta[from + r] + shift[0];
        else
            for (idx_t r = 0; r < n; r++)
                for (idx_t j = 0; j < k; j++)
                    at[r * k + j] = (eta ? eta[from + r * k + j] : 0.0) + shift[j];
        loss->block(n, k, y, at, loss->par, each, slope);
        *value += weighted_losses(n, per_row, s, each);
        weigh_slopes(n, k, s, slope, total, size);
    }
    free(y);
    return 0;
}

/* The same at eta = begin + t * moved, which is set; along is the sum of the slopes times moved. */
static int losses_run(const rows_t *rows, const loss_t *loss, idx_t start, idx_t stop, idx_t k,
                      const double *begin, const double *moved, double t, double *eta, double *u,
                      double *total, double *along)
{
    const idx_t per_row = loss->joint ? 1 : k;
    double *y = malloc(MAPS_ROWS * (2 * (size_t)k + 1) * sizeof(double));
    if (y == NULL) return -1;
    double *value = y + MAPS_ROWS * k, *s = value + MAPS_ROWS * k;
    *total = 0.0;
    *along = 0.0;
    for (idx_t first = start; first < stop; first += MAPS_ROWS) {
        const idx_t n = first + MAPS_ROWS < stop ? MAPS_ROWS : stop - first;
        const idx_t at = (first - start) * k;
        double *slope = u + at, rise = 0.0;
        take_run(rows, first, n, k, loss->joint, y, s);
        SIMD for (idx_t c = at; c < at + n * k; c++) eta[c] = begin[c] + t * moved[c];
        loss->block(n, k, y, eta + at, loss->par, value, slope);
        *total += weighted_losses(n, per_row, s, value);
        weigh_all(n, k, s, slope);
        SIMD_SUM(rise) for (idx_t c = 0; c < n * k; c++) rise += slope[c] * moved[at + c];
        *along += rise;
    }
    free(y);
    return 0;
}

#endif
