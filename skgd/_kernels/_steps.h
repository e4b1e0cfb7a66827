/* Stochastic gradient steps, one row each: textbook form, or preconditioned ("metric"). */
#ifndef SKGD_STEPS_H
#define SKGD_STEPS_H

#include "_rows.h"
#include "_vmath.h"

#define AHEAD 8          /* rows between a prefetch and its use */
#define LONG_AHEAD 3     /* the same where a row is long */
#define LARGEST_SLOPE 1e12

/* What some hundred steps need of their rows beside the entries: read in one go, since rows
   in random order miss the cache, and many misses at a time cost little more than one. */
typedef struct {
    idx_t size;                 /* rows */
    double *y, *s;              /* targets, -1 and +1 for codes; weights */
    double *eta;                /* (size, k)  of the point that stands still */
    double *loss, *slope;       /* of its rows */
} ahead_t;

/* Allocates for k outputs; NULL where memory ran out. The caller frees y. */
INLINE double *ahead_alloc(ahead_t *block, idx_t k)
{
    const idx_t size = 4096 / k;
    block->size = size < 8 ? 8 : (size > 256 ? 256 : size);
    block->y = malloc((size_t)block->size * (4 * (size_t)k + 1) * sizeof(double));
    if (block->y == NULL) return NULL;
    block->eta = block->y + block->size * k;
    block->loss = block->eta + block->size * k;
    block->slope = block->loss + block->size * k;
    block->s = block->slope + block->size * k;
    return block->y;
}

/* At step n: reads on where a block ends. */
INLINE void ahead_read(ahead_t *block, const rows_t *rows, const loss_t *loss, const steps_t *a,
                       idx_t n)
{
    if (n % block->size) return;
    const idx_t left = a->m - n, size = left < block->size ? left : block->size;
    take_targets(rows, a->order + n, size, a->k, loss->joint, block->y, block->s);
}

/* After step n: adds the losses of a block that is full, as a vector loop. */
INLINE void ahead_value(ahead_t *block, const loss_t *loss, steps_t *a, idx_t n)
{
    const idx_t r = n % block->size;
    if (a->still_coef == NULL || (r + 1 < block->size && n + 1 < a->m)) return;
    const idx_t per_row = loss->joint ? 1 : a->k;
    double part = 0.0;
    loss->block(r + 1, a->k, block->y, block->eta, loss->par, block->loss, block->slope);
    for (idx_t q = 0; q <= r; q++)
        for (idx_t j = 0; j < per_row; j++) part += weigh(block->s[q], block->loss[q * per_row + j]);
    a->value += part;
}

/* g (k,) = the weighted slopes of row r of a block, bounded as in scikit-learn. */
INLINE void row_slopes(const ahead_t *block, const loss_t *loss, idx_t r, idx_t k, double factor,
                       const double *eta, double *g)
{
    const double s = factor * block->s[r], *y = block->y + r * (loss->joint ? 1 : k);
    if (k == 1 && !loss->joint) g[0] = loss->slope(y[0], eta[0], loss->par);
    else loss->block(1, k, y, eta, loss->par, NULL, g);
    for (idx_t j = 0; j < k; j++) {
        const double v = weigh(s, g[j]);
        g[j] = v > LARGEST_SLOPE ? LARGEST_SLOPE : (v < -LARGEST_SLOPE ? -LARGEST_SLOPE : v);
    }
}

INLINE double soft(double w, double decay, double pull)
{
    const double over = fabs(w) * decay - pull;
    return over <= 0.0 ? 0.0 : copysign(over, w);
}

/* The flow dw/dS = -a w - pull sign(w) over a time S multiplies |w| by decay and takes
   pull * (return value) away. */
INLINE double flow(double a, double time, double *decay)
{
    const double x = a * time, e = vexpm1_neg(-x);
    *decay = 1.0 + e;
    return x < 1e-8 ? time * (1.0 - 0.5 * x) : -e / a;
}

/* What belongs to a column of sparse rows: coefficient, clock at the last touch, decay and
   pace per unit of rate. */
typedef struct {
    double u, seen, decay, inv2;
} touched_t;

#define KERNEL "_decaying_each.h"
#include "_each.h"
#undef KERNEL
#define KERNEL "_overlap_each.h"
#include "_each.h"
#undef KERNEL
#define KERNEL "_steps_each.h"
#include "_each.h"
#undef KERNEL

/* Returns 0, or -1 where memory ran out. Sets n_averaged. */
static int steps_run(const rows_t *rows, const loss_t *loss, steps_t *args)
{
    return DISPATCH(steps, rows, rows, loss, args);
}

#endif
