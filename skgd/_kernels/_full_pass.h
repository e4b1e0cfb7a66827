/* Value and gradient of a range of rows in one reading of X, and the moments of its columns.

   Rows go in blocks that stay in cache: margins, the loss and its slope as a vector loop,
   the accumulation of the gradient. */
#ifndef SKGD_FULL_PASS_H
#define SKGD_FULL_PASS_H

#include "_rows.h"

#define KERNEL "_full_pass_each.h"
#include "_each.h"
#undef KERNEL

/* Linear predictors of these rows go into eta unless it is NULL. Returns 0, or -1 where memory ran out. */
static int full_pass_run(const rows_t *rows, const loss_t *loss, idx_t start, idx_t stop,
                         idx_t k, const double *coef, const double *intercept,
                         double *value, double *grad, double *eta)
{
    const idx_t size = run_of_rows(rows, k);
    double *work = malloc((size_t)size * (4 * (size_t)k + 3) * sizeof(double));
    if (work == NULL) return -1;
    *value = DISPATCH(full_pass, rows, rows, loss, start, stop, k, coef, intercept, grad,
                      size, work, eta);
    free(work);
    return 0;
}

#endif
