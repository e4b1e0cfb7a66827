/* Random orders of rows. */
#ifndef SKGD_ORDER_H
#define SKGD_ORDER_H

#include "_port.h"

#define ORDER_AHEAD 32 /* swaps between a prefetch and its use */

INLINE idx_t drawn(double u, idx_t n) { return (idx_t)(u * (double)n); }

/* Swap each of the last places, from the top down, with one at or below it, as numbers in
   [0, 1) say. */
static void swap_down(idx_t *order, idx_t top, idx_t m, const double *u)
{
    for (idx_t t = 0; t < m; t++) {
        const idx_t i = top - 1 - t, k = t + ORDER_AHEAD;
        if (k < m) PREFETCH(order + drawn(u[k], top - k));
        const idx_t j = drawn(u[t], i + 1), held = order[i];
        order[i] = order[j];
        order[j] = held;
    }
}

#endif
