/* Steps of dual coordinate ascent: one slope at a time, the best one for its row. */
#ifndef SKGD_DUAL_H
#define SKGD_DUAL_H

#include "_rows.h"

#define DUAL_AHEAD 8     /* rows between a prefetch and its use */
#define DUAL_NEWTON 60   /* steps of the safeguarded method at most; a handful is usual */

/* The slope u of the loss at a - q u: where the conjugate and a parabola balance. */
typedef double (*dual_fn)(double y, double a, double q, const double *par);

typedef struct {
    const idx_t *order;   /* IN     (m,)  row of each step */
    idx_t m, output;
    dual_fn slope;
    const double *par;
    double *z;            /* INOUT  (d,)  coefficients before the threshold */
    double intercept;     /* INOUT */
    double *u;            /* INOUT  (n_rows,)  slopes */
    unsigned char *still; /* INOUT  (n_rows,)  visits since a slope last moved, at most 255 */
    const double *norms;  /* IN     (n_rows,)  squared norms of the rows, centred where they are */
    double per_row;       /* 1 / (mass l2) */
    double per_intercept; /* what a weighted slope takes from the intercept */
    double threshold;     /* l1 / l2 */
    const double *shift;  /* IN     (d,) or NULL; dense only */
} dual_t;

/* The same of a loss of several outputs: tables have the k numbers of a column, or of a row,
   side by side. */
typedef struct {
    const idx_t *order;   /* IN     (m,)  row of each step */
    idx_t m, k;
    double *z;            /* INOUT  (d, k)  coefficients before the threshold */
    double *intercept;    /* INOUT  (k,) */
    double *u;            /* INOUT  (n_rows, k)  slopes */
    unsigned char *still; /* INOUT  (n_rows,) */
    const double *norms;  /* IN     (n_rows,) */
    double per_row, per_intercept, threshold;
    const double *shift;  /* IN     (d,) or NULL; dense only */
    double *work;         /* (2, k) */
} joint_t;

INLINE double between(double x, double low, double high)
{
    x = x > low ? x : low;
    return x < high ? x : high;
}

static double dual_squared_error(double y, double a, double q, const double *par)
{
    (void)par;
    return (a - y) / (1.0 + q);
}
static double dual_huber(double y, double a, double q, const double *par)
{
    return between((a - y) / (1.0 + q), -par[0], par[0]);
}
static double dual_absolute_error(double y, double a, double q, const double *par)
{
    (void)par;
    return between((a - y) / q, -1.0, 1.0);
}
static double dual_quantile(double y, double a, double q, const double *par)
{
    return between((a - y) / q, -par[0], 1.0 - par[0]);
}
static double dual_epsilon_insensitive(double y, double a, double q, const double *par)
{
    return copysign(between((fabs(a - y) - par[0]) / q, 0.0, 1.0), a - y);
}
static double dual_squared_epsilon_insensitive(double y, double a, double q, const double *par)
{
    const double over = fabs(a - y) - par[0];
    return copysign(over > 0.0 ? 2.0 * over / (1.0 + 2.0 * q) : 0.0, a - y);
}
static double dual_hinge(double y, double a, double q, const double *par)
{
    (void)par;
    return -y * between((1.0 - y * a) / q, 0.0, 1.0);
}
static double dual_squared_hinge(double y, double a, double q, const double *par)
{
    (void)par;
    const double less = 1.0 - y * a;
    return less > 0.0 ? -2.0 * y * less / (1.0 + 2.0 * q) : 0.0;
}
static double dual_log_loss(double y, double a, double q, const double *par)
{
    (void)par;
    /* z = y eta solves z - q / (1 + exp(z)) = y a, whose left side rises at least as z. */
    const double from = y * a;
    double low = from, high = from + q, z = from + q / (1.0 + exp(from));
    double p = 0.0;
    z = z < high ? z : high;
    if (low < 0.0 && 0.0 < high) z = between(0.0, low, high);
    for (int k = 0; k < DUAL_NEWTON; k++) {
        p = 1.0 / (1.0 + exp(z));
        const double off = z - from - q * p;
        if (off > 0.0) high = z; else low = z;
        const double step = off / (1.0 + q * p * (1.0 - p));
        double next = z - step;
        if (!(next > low && next < high)) next = 0.5 * (low + high);
        if (fabs(next - z) <= 4e-16 * (fabs(z) + 1.0)) break;
        z = next;
    }
    return -y * p;
}

/* w > 0 of w + log(w) = x: two steps of third order (Fritsch, Shafer, Crowley 1973). */
INLINE double omega(double x)
{
    if (x < -40.0) return exp(x);
    const double e = exp(x < 1.0 ? x : 1.0);
    double w = x < 1.0 ? e / (1.0 + 0.8 * e) : x - log(x);
    for (int n = 0; n < 2; n++) {
        const double r = x - w - log(w), h = (1.0 + w) * (1.0 + w + 2.0 * r / 3.0);
        w *= 1.0 + r / (1.0 + w) * (h - 0.5 * r) / (h - r);
    }
    return w;
}

/* Slopes u (k,) of the softmax loss of class y at a - q u: with p the probabilities,
   log(p_j) + q p_j = a_j + q [j = y] - t, so that q p_j = omega(.), and t makes them add up to 1.
   `a` is changed. */
static void dual_softmax(idx_t k, idx_t y, double *RESTRICT a, double q, double *RESTRICT u)
{
    double top = -INFINITY, total = 0.0;
    a[y] += q;
    for (idx_t j = 0; j < k; j++) top = a[j] > top ? a[j] : top;
    /* The largest alone gives q at `low`; k like it give less than q beyond `high`. */
    const double log_q = log(q), part = q / (double)k;
    double low = top - q, high = top - part + log((double)k), t = low;
    for (int n = 0; n < DUAL_NEWTON; n++) {
        double fall = 0.0;
        total = 0.0;
        for (idx_t j = 0; j < k; j++) {
            u[j] = omega(a[j] - t + log_q);
            total += u[j];
            fall += u[j] / (1.0 + u[j]);
        }
        /* Newton's method on the logarithm of the sum, which is nearly straight. */
        const double off = log(total / q), next = t + off * total / fall;
        if (off > 0.0) low = t; else high = t;
        if (fabs(off) <= 1e-14 || !(high > low)) break;
        t = next > low && next < high ? next : 0.5 * (low + high);
    }
    for (idx_t j = 0; j < k; j++) u[j] /= total;
    u[y] -= 1.0;
}

static const struct { const char *name; dual_fn slope; } dual_table[] = {
    {"squared_error", dual_squared_error},
    {"huber", dual_huber},
    {"absolute_error", dual_absolute_error},
    {"quantile", dual_quantile},
    {"epsilon_insensitive", dual_epsilon_insensitive},
    {"squared_epsilon_insensitive", dual_squared_epsilon_insensitive},
    {"hinge", dual_hinge},
    {"squared_hinge", dual_squared_hinge},
    {"log_loss", dual_log_loss},
    {NULL, NULL},
};

static dual_fn dual_slope(const char *name)
{
    for (int k = 0; dual_table[k].name; k++)
        if (strcmp(dual_table[k].name, name) == 0) return dual_table[k].slope;
    return NULL;
}

INLINE double beyond(double z, double threshold)
{
    const double over = fabs(z) - threshold;
    return over > 0.0 ? copysign(over, z) : 0.0;
}

#define KERNEL "_dual_each.h"
#include "_each.h"
#undef KERNEL

static void dual_run(const rows_t *rows, dual_t *args) { DISPATCH(dual, rows, rows, args); }
static void joint_run(const rows_t *rows, joint_t *args) { DISPATCH(joint, rows, rows, args); }

#endif
