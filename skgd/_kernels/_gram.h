/* Weighted second moments of rows, sum_i h_i z_i z_i' with z = [([x, y] - m) / sigma, 1]. */
#ifndef SKGD_GRAM_H
#define SKGD_GRAM_H

#include "_rows.h"

#define PANEL 8              /* columns that are kept side by side */
#define GRAM_ROWS 64         /* of a block, written out in panels */
#define GRAM_BYTES 262144    /* that a block should take */
#define WRITTEN_OUT 0.25     /* share of stored entries from which zeros are written out too */

typedef struct {
    const idx_t *order;      /* IN  (m,)  rows */
    idx_t m, n_sets;
    const double *h;         /* IN  (m, n_sets)  weights */
    const double *more;      /* IN  (n_rows, n_more)  columns beside those of dense rows */
    idx_t n_more;
    const double *shift;     /* IN  (d + n_more,) or NULL */
    const double *inv_scale; /* IN  (d + n_more,) or NULL */
    double *out;             /* INOUT  (n_sets, D, D), D = d + n_more + 1, upper triangles */
} gram_t;

#define KERNEL "_gram_each.h"
#include "_each.h"
#undef KERNEL

/* Returns 0, or -1 where memory ran out. */
static int gram_run(const rows_t *rows, const gram_t *args)
{
    return DISPATCH(gram, rows, rows, args);
}

#endif
