/* Value and slope of every loss: y the target, q the linear predictor eta.

   Formulas and boundaries are those of the classes in skgd.losses. Comparisons are written
   so that a NaN predictor gives a NaN value. */
#ifndef SKGD_LOSSES_H
#define SKGD_LOSSES_H

#include "_types.h"
#include "_vmath.h"

#define LOSS(name) \
    INLINE double name##_value(double y, double q, double a)
#define SLOPE(name) \
    INLINE double name##_slope(double y, double q, double a)

INLINE double sign_of(double x) { return x > 0.0 ? 1.0 : (x < 0.0 ? -1.0 : 0.0); }

/* Regression, identity link. */

LOSS(squared_error) { (void)a; double r = q - y; return 0.5 * r * r; }
SLOPE(squared_error) { (void)a; return q - y; }

LOSS(huber)
{
    double r = fabs(q - y);
    return r <= a ? 0.5 * r * r : a * r - 0.5 * a * a;
}
SLOPE(huber)
{
    double r = q - y;
    return fabs(r) <= a ? r : a * sign_of(r);
}

LOSS(absolute_error) { (void)a; return fabs(q - y); }
SLOPE(absolute_error) { (void)a; return sign_of(q - y); }

LOSS(quantile) { return q < y ? a * (y - q) : (1.0 - a) * (q - y); }
SLOPE(quantile) { return q < y ? -a : (q > y ? 1.0 - a : 0.0); }

LOSS(epsilon_insensitive)
{
    double r = fabs(q - y) - a;
    return r <= 0.0 ? 0.0 : r;
}
SLOPE(epsilon_insensitive)
{
    double r = q - y;
    return fabs(r) > a ? sign_of(r) : 0.0;
}

LOSS(squared_epsilon_insensitive)
{
    double r = fabs(q - y) - a;
    return r <= 0.0 ? 0.0 : r * r;
}
SLOPE(squared_epsilon_insensitive)
{
    double r = q - y, over = fabs(r) - a;
    return over > 0.0 ? 2.0 * over * sign_of(r) : 0.0;
}

LOSS(log_cosh)
{
    /* Near zero cosh(r) - 1 keeps the digits that r - log(2) would cancel. */
    double r = fabs(q - y) / a, m = vexpm1_neg(-r), e = 1.0 + m;
    int near = r < 1.0;
    double excess = near ? 0.5 * m * m / e : e * e;
    return a * a * ((near ? 0.0 : r - 0.6931471805599453) + vlog1p_unit(excess));
}
SLOPE(log_cosh)
{
    double r = (q - y) / a, e = vexpm1_neg(-2.0 * fabs(r));
    double tanh_abs = -e / (2.0 + e);
    return r < 0.0 ? -a * tanh_abs : a * tanh_abs;
}

/* Regression, log link: mu = exp(q). */

LOSS(poisson)
{
    (void)a;
    return y * (vlog(y == 0.0 ? 1.0 : y) - q) - y + vexp(q);
}
SLOPE(poisson) { (void)a; return vexp(q) - y; }

LOSS(gamma) { (void)a; return q - vlog(y) + y * vexp(-q) - 1.0; }
SLOPE(gamma) { (void)a; return 1.0 - y * vexp(-q); }

LOSS(tweedie_zero) { (void)a; double r = vexp(q) - y; return 0.5 * r * r; }
SLOPE(tweedie_zero) { (void)a; double mu = vexp(q); return mu * (mu - y); }

/* power a between 1 and 2 */
LOSS(tweedie)
{
    double top = y == 0.0 ? 0.0 : vexp((2.0 - a) * vlog(y)) / ((1.0 - a) * (2.0 - a));
    double cross = y == 0.0 ? 0.0 : y * vexp((1.0 - a) * q) / (1.0 - a);
    return top - cross + vexp((2.0 - a) * q) / (2.0 - a);
}
SLOPE(tweedie)
{
    double cross = y == 0.0 ? 0.0 : y * vexp((1.0 - a) * q);
    return vexp((2.0 - a) * q) - cross;
}

/* power a above 2: one factor in front, since both powers of mu overflow together */
LOSS(tweedie_high)
{
    double top = vexp((2.0 - a) * vlog(y)) / ((1.0 - a) * (2.0 - a));
    return top + vexp((2.0 - a) * q) * (1.0 / (2.0 - a) - y * vexp(-q) / (1.0 - a));
}
SLOPE(tweedie_high) { return vexp((2.0 - a) * q) * (1.0 - y * vexp(-q)); }

/* Classification: y is -1 or +1, z = y * q. */

LOSS(log_loss)
{
    (void)a;
    double z = y * q;
    return (z < 0.0 ? -z : 0.0) + vlog1p_unit(vexp_neg(-fabs(z)));
}
SLOPE(log_loss)
{
    (void)a;
    double z = y * q, u = vexp_neg(-fabs(z));
    return -y * ((z < 0.0 ? 1.0 : u) / (1.0 + u));
}

LOSS(hinge) { (void)a; double z = y * q; return z >= 1.0 ? 0.0 : 1.0 - z; }
SLOPE(hinge) { (void)a; return y * q <= 1.0 ? -y : 0.0; }

LOSS(perceptron) { (void)a; double z = y * q; return z >= 0.0 ? 0.0 : -z; }
SLOPE(perceptron) { (void)a; return y * q <= 0.0 ? -y : 0.0; }

LOSS(squared_hinge)
{
    (void)a;
    double z = y * q, m = 1.0 - z;
    return z >= 1.0 ? 0.0 : m * m;
}
SLOPE(squared_hinge)
{
    (void)a;
    double z = y * q;
    return z < 1.0 ? -2.0 * y * (1.0 - z) : 0.0;
}

LOSS(modified_huber)
{
    (void)a;
    double z = y * q, m = 1.0 - z;
    double inner = z >= 1.0 ? 0.0 : m * m;
    return z < -1.0 ? -4.0 * z : inner;
}
SLOPE(modified_huber)
{
    (void)a;
    double z = y * q;
    double inner = z >= 1.0 ? 0.0 : -2.0 * y * (1.0 - z);
    return z < -1.0 ? -4.0 * y : inner;
}

/* Losses with a kink, rounded: their slopes follow a sigmoid of the width a or w. */

/* exp(-|t|), not below 1.7e-25: the powers of less are no normal numbers, which are slow. */
INLINE double far_less(double t)
{
    double far = fabs(t);
    return vexp_neg(far > 57.0 ? -57.0 : -far);
}
INLINE double softplus(double t)
{
    return (t > 0.0 ? t : 0.0) + vlog1p_unit(far_less(t));
}
INLINE double sigmoid(double t)
{
    double u = far_less(t);
    return (t > 0.0 ? 1.0 : u) / (1.0 + u);
}

LOSS(soft_hinge) { return a * softplus((1.0 - y * q) / a); }
SLOPE(soft_hinge) { return -y * sigmoid((1.0 - y * q) / a); }

INLINE double soft_quantile_slope(double y, double q, double w, double level)
{
    return sigmoid((q - y) / w) - level;
}
INLINE double soft_quantile_value(double y, double q, double w, double level)
{
    double r = q - y;
    return w * softplus(r / w) - level * r;
}

INLINE double soft_tube_slope(double y, double q, double w, double tube)
{
    double r = q - y, far = fabs(r);
    return copysign(sigmoid((far - tube) / w) - sigmoid(-(far + tube) / w), r);
}
INLINE double soft_tube_value(double y, double q, double w, double tube)
{
    double far = fabs(q - y);
    return w * (softplus((far - tube) / w) + softplus(-(far + tube) / w));
}

/* Huber's loss b with its band widened to w. */
INLINE double smooth_huber_slope(double y, double q, double w, double b)
{
    double u = (q - y) / w;
    u = u > -1.0 ? u : -1.0;
    return b * (u < 1.0 ? u : 1.0);
}
INLINE double smooth_huber_value(double y, double q, double w, double b)
{
    double r = fabs(q - y), u = r / w;
    u = u < 1.0 ? u : 1.0;
    return b * u * (r - 0.5 * w * u);
}

/* The square of a softplus, which goes to a squared hinge as a goes to zero. */
LOSS(smooth_squared_hinge)
{
    double soft = a * softplus((1.0 - y * q) / a);
    return soft * soft;
}
SLOPE(smooth_squared_hinge)
{
    double t = (1.0 - y * q) / a;
    return -2.0 * a * y * softplus(t) * sigmoid(t);
}

/* The same as a vector loop over a block and as a function of one number. */
#define SEPARABLE(name) SEPARABLE_OF(name, a)
#define SEPARABLE_OF(name, ...)                                                           \
    CLONES static void name##_block(idx_t n, idx_t k, const double *y, const double *eta, \
                                    const double *par, double *value, double *slope)      \
    {                                                                                     \
        const double *RESTRICT t = y, *RESTRICT q = eta;                                  \
        double *RESTRICT v = value, *RESTRICT g = slope;                                  \
        const double a = par[0], b = par[1];                                              \
        (void)b;                                                                          \
        const idx_t m = n * k;                                                            \
        if (v) {                                                                          \
            SIMD for (idx_t i = 0; i < m; i++) {                                          \
                g[i] = name##_slope(t[i], q[i], __VA_ARGS__);                                      \
                v[i] = name##_value(t[i], q[i], __VA_ARGS__);                                      \
            }                                                                             \
        } else {                                                                          \
            SIMD for (idx_t i = 0; i < m; i++)                                            \
                g[i] = name##_slope(t[i], q[i], __VA_ARGS__);                                      \
        }                                                                                 \
    }                                                                                     \
    CLONES static double name##_at(double y, double eta, const double *par)               \
    {                                                                                     \
        const double a = par[0], b = par[1];                                              \
        (void)b;                                                                          \
        return name##_slope(y, eta, __VA_ARGS__);                                         \
    }

SEPARABLE(squared_error)
SEPARABLE(huber)
SEPARABLE(absolute_error)
SEPARABLE(quantile)
SEPARABLE(epsilon_insensitive)
SEPARABLE(squared_epsilon_insensitive)
SEPARABLE(log_cosh)
SEPARABLE(poisson)
SEPARABLE(gamma)
SEPARABLE(tweedie_zero)
SEPARABLE(tweedie)
SEPARABLE(tweedie_high)
SEPARABLE(log_loss)
SEPARABLE(hinge)
SEPARABLE(perceptron)
SEPARABLE(squared_hinge)
SEPARABLE(modified_huber)
SEPARABLE(soft_hinge)
SEPARABLE(smooth_squared_hinge)
SEPARABLE_OF(soft_quantile, a, b)
SEPARABLE_OF(soft_tube, a, b)
SEPARABLE_OF(smooth_huber, a, b)

/* A class number outside 0..k-1 is the caller's fault, but must not read elsewhere. */
INLINE idx_t class_of(double y, idx_t k)
{
    return y >= 0.0 && y < (double)k ? (idx_t)y : 0;
}

/* Joint: y (n,) class numbers, eta (n, k); value logsumexp(eta_i) - eta_i[y_i]. */
CLONES static void softmax_block(idx_t n, idx_t k, const double *y, const double *eta,
                                 const double *par, double *value, double *slope)
{
    (void)par;
    for (idx_t i = 0; i < n; i++) {
        const double *q = eta + i * k;
        double *g = slope + i * k, top = q[0];
        /* The largest eta is subtracted first, so exp cannot overflow. */
        for (idx_t j = 1; j < k; j++) top = q[j] > top ? q[j] : top;
        for (idx_t j = 0; j < k; j++) g[j] = q[j] - top;
    }
    double own[64];
    for (idx_t first = 0; first < n; first += 64) {
        const idx_t stop = first + 64 < n ? first + 64 : n;
        double *RESTRICT g = slope;
        for (idx_t i = first; i < stop; i++)
            own[i - first] = slope[i * k + class_of(y[i], k)];
        SIMD for (idx_t i = first * k; i < stop * k; i++) g[i] = vexp(g[i]);
        for (idx_t i = first; i < stop; i++) {
            double *RESTRICT p = slope + i * k, sum = 0.0;
            for (idx_t j = 0; j < k; j++) sum += p[j];
            const double inverse = 1.0 / sum;
            for (idx_t j = 0; j < k; j++) p[j] *= inverse;
            p[class_of(y[i], k)] -= 1.0;
            if (value) value[i] = sum;
        }
        if (value) {
            double *RESTRICT v = value + first;
            SIMD for (idx_t i = 0; i < stop - first; i++) v[i] = vlog(v[i]) - own[i];
        }
    }
}

/* Name, number of hyper-parameters, functions; ends with an empty name. */
typedef struct {
    const char *name;
    int n_params;
    block_fn block;
    slope_fn slope;
} loss_entry;

#define ENTRY(name, n_params) {#name, n_params, name##_block, name##_at}

static const loss_entry loss_table[] = {
    ENTRY(squared_error, 0),
    ENTRY(huber, 1),
    ENTRY(absolute_error, 0),
    ENTRY(quantile, 1),
    ENTRY(epsilon_insensitive, 1),
    ENTRY(squared_epsilon_insensitive, 1),
    ENTRY(log_cosh, 1),
    ENTRY(poisson, 0),
    ENTRY(gamma, 0),
    ENTRY(tweedie_zero, 0),
    ENTRY(tweedie, 1),
    ENTRY(tweedie_high, 1),
    ENTRY(log_loss, 0),
    ENTRY(hinge, 0),
    ENTRY(perceptron, 0),
    ENTRY(squared_hinge, 0),
    ENTRY(modified_huber, 0),
    ENTRY(soft_hinge, 1),
    ENTRY(smooth_squared_hinge, 1),
    ENTRY(soft_quantile, 2),
    ENTRY(soft_tube, 2),
    ENTRY(smooth_huber, 2),
    {"softmax", 0, softmax_block, NULL},
    {NULL, 0, NULL, NULL},
};

#undef ENTRY

CLONES static void exp_all(idx_t n, const double *RESTRICT x, double *RESTRICT out)
{
    SIMD for (idx_t i = 0; i < n; i++) out[i] = vexp(x[i]);
}
CLONES static void exp_neg_all(idx_t n, const double *RESTRICT x, double *RESTRICT out)
{
    SIMD for (idx_t i = 0; i < n; i++) out[i] = vexp_neg(x[i]);
}
CLONES static void expm1_all(idx_t n, const double *RESTRICT x, double *RESTRICT out)
{
    SIMD for (idx_t i = 0; i < n; i++) out[i] = vexpm1_neg(x[i]);
}
CLONES static void log_all(idx_t n, const double *RESTRICT x, double *RESTRICT out)
{
    SIMD for (idx_t i = 0; i < n; i++) out[i] = vlog(x[i]);
}
CLONES static void log1p_all(idx_t n, const double *RESTRICT x, double *RESTRICT out)
{
    SIMD for (idx_t i = 0; i < n; i++) out[i] = vlog1p_unit(x[i]);
}

#endif
