/* The records that the Cython wrappers fill and the C loops read. */
#ifndef SKGD_TYPES_H
#define SKGD_TYPES_H

#include "_port.h"

/* Rows in memory: skgd._protocols.Rows, unpacked. */
typedef struct {
    int real;               /* bytes of a value: 4 or 8 */
    int width;              /* bytes of an index: 0 (dense), 4 or 8 */
    const void *data;
    const void *indices;
    const void *indptr;
    idx_t n_rows;
    idx_t d;                /* columns */
    const double *y;
    idx_t y_width;          /* numbers of y per row */
    int codes;              /* y holds class numbers; output j learns +1 where y == j */
    const double *s;
} rows_t;

/* value (may be NULL) has n * k entries, or n where the loss is joint; slope has n * k. */
typedef void (*block_fn)(idx_t n, idx_t k, const double *y, const double *eta,
                         const double *par, double *value, double *slope);
typedef double (*slope_fn)(double y, double eta, const double *par);

typedef struct {
    block_fn block;         /* many rows, a vector loop */
    slope_fn slope;         /* one number; NULL where joint */
    int joint;              /* one value per row couples its outputs (softmax) */
    double par[4];
} loss_t;

/* Turns the gradient g into the move, in place; metric may be NULL. */
typedef void (*move_fn)(idx_t n, double *g, double *vectors, double *scalars,
                        const double *hyper, double t, double *metric);

typedef struct {
    move_fn fn;
    int n_vectors;
    int decoupled;          /* l2 acts on theta directly, not through the gradient */
    int adaptive;           /* the metric is per coordinate */
    double hyper[4];
} move_t;

/* Steps of a row each: textbook form, or preconditioned ("metric"). */
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
    const double *l1m;          /* IN  (d,)  l1 pull per unit of rate, or NULL */
    double *received;           /* INOUT  (k, d)  l1 penalty received, or NULL without l1 */
    double due;                 /* INOUT  what could have been received, over l1m */
    const double *still_coef;   /* IN  (k, d)  a point whose loss is summed, or NULL */
    const double *still_intercept; /* IN  (k,) */
    double value;               /* OUT */
} steps_t;

#endif
