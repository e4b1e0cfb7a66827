/* Steps whose noise vanishes at the optimum: SAG, SAGA and SVRG with a remembered slope a row. */
#ifndef SKGD_VARIANCE_H
#define SKGD_VARIANCE_H

#include "_rows.h"
#include "_vmath.h"

#define VARIANCE_AHEAD 8 /* rows between a prefetch and its use */

enum { SAG_STEPS, SAGA_STEPS, SVRG_STEPS };

typedef struct {
    const idx_t *order;    /* IN     (m,)  rows, batch after batch */
    const double *share;   /* IN     (m,)  1 / (n p) of each, p how likely it is drawn */
    idx_t m, k, batch;
    int mode;
    double rate, factor;   /* factor: of every weight */
    double n;              /* rows that count */
    double *coef;          /* INOUT  (k, d) */
    double *intercept;     /* INOUT  (k,) */
    double *slopes;        /* INOUT  (n_rows, k)  remembered, weighted */
    double *mean;          /* INOUT  (k, d)  of slope times centred row */
    double *mean_slope;    /* INOUT  (k,) */
    int fit_intercept;
    const double *inv2;    /* IN     (d,)  metric */
    const double *shift;   /* IN     (d,)  centre of the columns, or NULL; dense only */
    const double *a;       /* IN     (d,)  decay per unit of rate */
    const double *l1m;     /* IN     (d,)  pull per unit of rate, or NULL */
} variance_t;

/* Where dw/dS = -a w - drift - pull sign(w) leads from w in the time S. */
typedef struct { double keep, gain; } stretch_t; /* exp(-a S), (1 - exp(-a S)) / a */

INLINE stretch_t stretch(double a, double time)
{
    const double x = a * time;
    stretch_t out;
    if (x < 1e-4) {
        out.keep = 1.0 - x * (1.0 - 0.5 * x * (1.0 - x / 3.0));
        out.gain = time * (1.0 - 0.5 * x * (1.0 - x / 3.0 * (1.0 - 0.25 * x)));
    } else {
        const double e = vexpm1_neg(-x);
        out.keep = 1.0 + e;
        out.gain = -e / a;
    }
    return out;
}

INLINE double drifted(double w, double a, double drift, double pull, double time, stretch_t over)
{
    if (pull == 0.0) return w * over.keep - drift * over.gain;
    if (w == 0.0)
        return fabs(drift) <= pull ? 0.0 : -copysign(fabs(drift) - pull, drift) * over.gain;
    const double side = w > 0.0 ? 1.0 : -1.0, force = drift + pull * side;
    const double there = w * over.keep - force * over.gain;
    if (there * side > 0.0) return there;
    if (fabs(drift) <= pull) return 0.0;
    /* Through zero, and on with the other sign for the time that is left. */
    const double ratio = w / force, to_zero = a > 0.0 ? log1p(a * ratio) / a : ratio;
    const double left = time - to_zero;
    return left > 0.0 ? -(drift - pull * side) * stretch(a, left).gain : 0.0;
}

#define KERNEL "_variance_each.h"
#include "_each.h"
#undef KERNEL

/* Returns 0, or -1 where memory ran out. */
static int variance_run(const rows_t *rows, const loss_t *loss, const variance_t *args)
{
    return DISPATCH(variance, rows, rows, loss, args);
}

#endif
