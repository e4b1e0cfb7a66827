/* Follow the regularised leader: every coefficient is a function of three numbers. */
#ifndef SKGD_FTRL_H
#define SKGD_FTRL_H

#include "_rows.h"

#define FTRL_AHEAD 8 /* rows between a prefetch and its use */

typedef struct {
    const idx_t *order;     /* IN     (m,) */
    idx_t m, k, t;          /* t: steps done before */
    double rate, beta, factor;
    double *coef;           /* INOUT  (k, d)  in scaled variables */
    double *centre;         /* INOUT  (k,) */
    double *z, *square;     /* INOUT  (k, d) */
    double *z0, *square0;   /* INOUT  (k,)  of the centre */
    const double *inv;      /* IN     (d,) */
    const double *shift;    /* IN     (d,) or NULL; dense only */
    const double *l1, *l2;  /* IN     (d,)  strengths for each step, or NULL */
    int fit_intercept;
} ftrl_t;

/* The minimum of z w + D w^2 / 2 + pull |w| + decay w^2 / 2, with D = (beta + root) / rate. */
INLINE double leader(double z, double root, double beta, double rate, double pull, double decay)
{
    const double over = fabs(z) - pull, out = over / ((beta + root) / rate + decay);
    return over > 0.0 ? (z > 0.0 ? -out : out) : 0.0;
}

#define KERNEL "_ftrl_each.h"
#include "_each.h"
#undef KERNEL

/* Returns 0, or -1 where memory ran out. */
static int ftrl_run(const rows_t *rows, const loss_t *loss, const ftrl_t *args)
{
    return DISPATCH(ftrl, rows, rows, loss, args);
}

#endif
