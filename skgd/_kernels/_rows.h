/* Blocks of rows: margins, accumulation, targets. Dense and CSR behind the same names.

   Sums are in double also for float rows, whose rounding then cannot pile up. */
#ifndef SKGD_ROWS_H
#define SKGD_ROWS_H

#include "_types.h"

/* The weighted slope; a row of weight 0 gives exactly nothing, whatever its slope. */
INLINE double weigh(double s, double x) { return s == 0.0 ? 0.0 : s * x; }

/* Copies targets (n, width) and weights (n,) of some rows; codes become -1 and +1. */
INLINE void take_targets(const rows_t *rows, const idx_t *ids, idx_t n, idx_t k, int joint,
                         double *RESTRICT y, double *RESTRICT s)
{
    for (idx_t r = 0; r < n; r++) s[r] = rows->s[ids[r]];
    if (rows->codes) {
        for (idx_t r = 0; r < n; r++)
            for (idx_t j = 0; j < k; j++)
                y[r * k + j] = rows->y[ids[r]] == (double)j ? 1.0 : -1.0;
    } else if (joint || k == 1) {
        for (idx_t r = 0; r < n; r++) y[r] = rows->y[ids[r]];
    } else {
        for (idx_t r = 0; r < n; r++)
            for (idx_t j = 0; j < k; j++) y[r * k + j] = rows->y[ids[r] * k + j];
    }
}

/* The same of rows first .. first + n. */
INLINE void take_run(const rows_t *rows, idx_t first, idx_t n, idx_t k, int joint,
                     double *RESTRICT y, double *RESTRICT s)
{
    memcpy(s, rows->s + first, (size_t)n * sizeof(double));
    if (rows->codes) {
        for (idx_t r = 0; r < n; r++)
            for (idx_t j = 0; j < k; j++)
                y[r * k + j] = rows->y[first + r] == (double)j ? 1.0 : -1.0;
    } else {
        const idx_t width = joint ? 1 : k;
        memcpy(y, rows->y + first * width, (size_t)(n * width) * sizeof(double));
    }
}

/* The weighted sum of values (n, k). One output is a vector loop: one number after the other
   would wait for each addition. */
INLINE double weighted_sum(idx_t n, idx_t k, const double *RESTRICT s, const double *RESTRICT value)
{
    double sum = 0.0;
    if (k == 1)
        SIMD_SUM(sum) for (idx_t r = 0; r < n; r++) sum += s[r] == 0.0 ? 0.0 : s[r] * value[r];
    else
        for (idx_t r = 0; r < n; r++)
            for (idx_t j = 0; j < k; j++) sum += weigh(s[r], value[r * k + j]);
    return sum;
}

/* slope (n, k) is weighted in place. */
INLINE void weigh_all(idx_t n, idx_t k, const double *RESTRICT s, double *RESTRICT slope)
{
    if (k == 1)
        SIMD for (idx_t r = 0; r < n; r++) slope[r] = s[r] == 0.0 ? 0.0 : s[r] * slope[r];
    else
        for (idx_t r = 0; r < n; r++)
            for (idx_t j = 0; j < k; j++) slope[r * k + j] = weigh(s[r], slope[r * k + j]);
}

/* out (k,) += the sums of u (n, k) by output. */
INLINE void add_outputs(idx_t n, idx_t k, const double *RESTRICT u, double *RESTRICT out)
{
    for (idx_t j = 0; j < k; j++) {
        double sum = 0.0;
        if (k == 1)
            SIMD_SUM(sum) for (idx_t r = 0; r < n; r++) sum += u[r];
        else
            for (idx_t r = 0; r < n; r++) sum += u[r * k + j];
        out[j] += sum;
    }
}

/* Rows per block, so that a block is still in the first cache when it is read again. */
INLINE idx_t block_rows(const rows_t *rows, idx_t bytes)
{
    idx_t row = rows->d * rows->real;
    if (rows->width && rows->n_rows > 0) {
        idx_t nnz = rows->width == 4 ? ((const int32_t *)rows->indptr)[rows->n_rows]
                                     : (idx_t)((const int64_t *)rows->indptr)[rows->n_rows];
        row = nnz / rows->n_rows * (rows->real + rows->width);
    }
    idx_t n = bytes / (row + 1);
    n = n < 4 ? 4 : n;
    return n > 256 ? 256 : n / 4 * 4;
}

/* The same for rows of k outputs that follow each other. Sparse ones wait in the second cache:
   turns between two vectors of many columns, coefficients and sums, cost more than that. So do
   those of several outputs, whose coefficients would else push each other out of the first. */
#define DENSE_BLOCK 16384
#define WIDE_BLOCK 262144
#define SPARSE_BLOCK 131072

INLINE idx_t run_of_rows(const rows_t *rows, idx_t k)
{
    return block_rows(rows, rows->width ? SPARSE_BLOCK : k > 1 ? WIDE_BLOCK : DENSE_BLOCK);
}

/* Columns between two bursts of prefetches. */
#define TILE 128
#define PREFETCH_BYTES 1024 /* of one row; the machine's own prefetcher takes over */

INLINE void prefetch_range(const char *p, idx_t bytes)
{
    bytes = bytes < PREFETCH_BYTES ? bytes : PREFETCH_BYTES;
    /* From the start of a line: a range that begins inside one may end on one more. */
    const char *line = (const char *)((uintptr_t)p & ~(uintptr_t)63);
    for (; line < p + bytes; line += 64) PREFETCH(line);
}

/* Calls the instance of name for these rows and this processor. */
#define BY_LAYOUT(name, level, rows, ...)                                   \
    ((rows)->real == 4 ? ((rows)->width == 0   ? name##_f4_##level(__VA_ARGS__)    \
                          : (rows)->width == 4 ? name##_f4_i4_##level(__VA_ARGS__) \
                                               : name##_f4_i8_##level(__VA_ARGS__)) \
                       : ((rows)->width == 0   ? name##_f8_##level(__VA_ARGS__)    \
                          : (rows)->width == 4 ? name##_f8_i4_##level(__VA_ARGS__) \
                                               : name##_f8_i8_##level(__VA_ARGS__)))
#if X86_LEVELS
#define DISPATCH(name, rows, ...)                                                            \
    (__builtin_cpu_supports("x86-64-v4")   ? BY_LAYOUT(name, v4, rows, __VA_ARGS__) \
     : __builtin_cpu_supports("x86-64-v3") ? BY_LAYOUT(name, v3, rows, __VA_ARGS__) \
                                           : BY_LAYOUT(name, base, rows, __VA_ARGS__))
#else
#define DISPATCH(name, rows, ...) BY_LAYOUT(name, base, rows, __VA_ARGS__)
#endif

#define KERNEL "_rows_each.h"
#include "_each.h"
#undef KERNEL

#endif
