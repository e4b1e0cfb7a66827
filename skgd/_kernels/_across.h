/* Sparse rows times many outputs, with the coefficients of a column side by side: an entry then
   costs one place in memory, where output by output it costs one for each. */
#ifndef SKGD_ACROSS_H
#define SKGD_ACROSS_H

#include "_rows.h"

#define LANE 8           /* outputs in a piece; tables are as wide as whole pieces */
#define MOST_LANES 4     /* pieces that are summed in registers at a time */
#define ENTRIES_AHEAD 12 /* entries between a prefetch and its use */

/* A line may begin inside a piece. */
INLINE void prefetch_pieces(const double *p, int pieces)
{
    for (int q = 0; q <= pieces; q++) PREFETCH(p + q * LANE);
}

#define KERNEL "_across_each.h"
#include "_each.h"
#undef KERNEL

/* As DISPATCH, of what sparse rows alone have. */
#define SPARSE_BY_LAYOUT(name, level, rows, ...)                      \
    ((rows)->real == 4 ? ((rows)->width == 4 ? name##_f4_i4_##level(__VA_ARGS__)  \
                                             : name##_f4_i8_##level(__VA_ARGS__)) \
                       : ((rows)->width == 4 ? name##_f8_i4_##level(__VA_ARGS__)  \
                                             : name##_f8_i8_##level(__VA_ARGS__)))
#if X86_LEVELS
#define SPARSE_DISPATCH(name, rows, ...)                                                  \
    (__builtin_cpu_supports("x86-64-v4")   ? SPARSE_BY_LAYOUT(name, v4, rows, __VA_ARGS__) \
     : __builtin_cpu_supports("x86-64-v3") ? SPARSE_BY_LAYOUT(name, v3, rows, __VA_ARGS__) \
                                           : SPARSE_BY_LAYOUT(name, base, rows, __VA_ARGS__))
#else
#define SPARSE_DISPATCH(name, rows, ...) SPARSE_BY_LAYOUT(name, base, rows, __VA_ARGS__)
#endif

/* eta (n, k) = intercept + rows @ table for rows start .. stop; table is (d, width). */
static void linear_across_run(const rows_t *rows, idx_t start, idx_t stop, idx_t k, idx_t width,
                              const double *table, const double *intercept, double *eta)
{
    SPARSE_DISPATCH(linear_across, rows, rows, start, stop, k, width, table, intercept, eta);
}

/* sums (d, width) = rows.T @ u[:, first : first + count] over all rows; u is (n_rows, k). */
static void adjoint_across_run(const rows_t *rows, idx_t k, const double *u, idx_t first,
                               idx_t count, idx_t width, double *sums)
{
    SPARSE_DISPATCH(adjoint_across, rows, rows, k, u, first, count, width, sums);
}

#endif
