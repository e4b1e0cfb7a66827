/* Stochastic gradient steps, one row each: textbook form, or preconditioned ("metric"). */
#ifndef SKGD_STEPS_H
#define SKGD_STEPS_H

#include "_rows.h"
#include "_vmath.h"

#define AHEAD 8          /* rows between a prefetch and its use */
#define LARGEST_SLOPE 1e12

typedef struct {
    const idx_t *order;         /* IN     (m,)  row of each step */
    const double *rates;        /* IN     (m,) */
    idx_t m, k;
    double *coef;               /* INOUT  (k, d) */
    double *intercept;          /* INOUT  (k,) */
    double l2, l1;              /* not used with a metric */
    double weight_factor;
    int fit_intercept;
    double *average_coef;       /* INOUT  (k, d) or NULL */
    double *average_intercept;  /* INOUT  (k,) */
    idx_t t, average_from, n_averaged;
    /* The metric; inv2 is NULL for the textbook form. */
    const double *inv2;         /* IN  (d,)  preconditioner */
    const double *shift;        /* IN  (d,)  centre of the columns, or NULL; dense only */
    const double *a;            /* IN  (d,)  l2 decay per unit of rate */
    const double *l1m;          /* IN  (d,)  l1 pull per unit of rate */
    double *received;           /* INOUT  (k, d)  l1 penalty received, or NULL without l1 */
    double due;                 /* INOUT  what could have been received, over l1m */
} steps_t;

/* g (k,) = the weighted slopes of a row, bounded as in scikit-learn. */
INLINE void row_slopes(const rows_t *rows, const loss_t *loss, idx_t i, idx_t k, double factor,
                       const double *eta, double *y, double *g)
{
    const double s = factor * rows->s[i];
    if (k == 1 && !loss->joint) {
        const double target = rows->codes ? (rows->y[i] == 0.0 ? 1.0 : -1.0) : rows->y[i];
        g[0] = loss->slope(target, eta[0], loss->par);
    } else {
        double unused;
        take_targets(rows, &i, 1, k, loss->joint, y, &unused);
        loss->block(1, k, y, eta, loss->par, NULL, g);
    }
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

#define KERNEL "_steps_each.h"
#include "_each.h"
#undef KERNEL

/* Returns 0, or -1 where memory ran out. Sets n_averaged. */
static int steps_run(const rows_t *rows, const loss_t *loss, steps_t *args)
{
    return DISPATCH(steps, rows, rows, loss, args);
}

#endif
