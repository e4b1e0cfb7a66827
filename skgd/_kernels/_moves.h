/* Update rules: each turns the gradient g (n,) into the move, in place.

   vectors is (n_vectors, n), scalars has four entries, both start at zero and are changed in
   place; t = 1, 2, ... numbers the step. metric (n,) may be NULL. Recurrences and
   references are in skgd.rules. */
#ifndef SKGD_MOVES_H
#define SKGD_MOVES_H

#include "_types.h"

#define MOVE(name)                                                                    \
    CLONES static void name##_move(idx_t n, double *RESTRICT g, double *RESTRICT vectors, \
                                   double *RESTRICT scalars, const double *hyper, double t, \
                                   double *RESTRICT metric)
#define EACH SIMD for (idx_t i = 0; i < n; i++)

static void set_all(idx_t n, double *metric, double value)
{
    if (metric) for (idx_t i = 0; i < n; i++) metric[i] = value;
}

static void sgd_move(idx_t n, double *g, double *vectors, double *scalars,
                     const double *hyper, double t, double *metric)
{
    (void)g; (void)vectors; (void)scalars; (void)hyper; (void)t;
    set_all(n, metric, 1.0);
}

/* A move that is a sum of gradients asks for a prox as long as the sum of their weights,
   which is kept in scalars[0]. */
MOVE(momentum)
{
    (void)t;
    const double b = hyper[0], part = hyper[1] != 0.0 ? 1.0 - b : 1.0;
    scalars[0] = b * scalars[0] + part;
    EACH g[i] = vectors[i] = b * vectors[i] + part * g[i];
    set_all(n, metric, scalars[0]);
}

MOVE(nesterov)
{
    (void)t;
    const double b = hyper[0];
    scalars[0] = b * scalars[0] + 1.0;
    EACH {
        vectors[i] = b * vectors[i] + g[i];
        g[i] += b * vectors[i];
    }
    set_all(n, metric, 1.0 + b * scalars[0]);
}

/* The metric is computed twice where it is asked for: keeping it in a register in the
   common case is worth more. */
#define KEEP_METRIC(expression) \
    if (metric) EACH metric[i] = (expression)

MOVE(adagrad)
{
    (void)scalars; (void)t;
    const double eps = hyper[0];
    EACH {
        vectors[i] += g[i] * g[i];
        g[i] /= sqrt(vectors[i]) + eps;
    }
    KEEP_METRIC(1.0 / (sqrt(vectors[i]) + eps));
}

MOVE(adadelta)
{
    (void)scalars; (void)t;
    const double r = hyper[0], eps = hyper[1];
    double *RESTRICT e = vectors, *RESTRICT d = vectors + n;
    EACH e[i] = r * e[i] + (1.0 - r) * g[i] * g[i];
    /* Before d changes: the metric belongs to this move. */
    KEEP_METRIC(sqrt(d[i] + eps) / sqrt(e[i] + eps));
    EACH {
        g[i] *= sqrt(d[i] + eps) / sqrt(e[i] + eps);
        d[i] = r * d[i] + (1.0 - r) * g[i] * g[i];
    }
}

MOVE(rmsprop)
{
    (void)scalars; (void)t;
    const double r = hyper[0], eps = hyper[1];
    EACH {
        vectors[i] = r * vectors[i] + (1.0 - r) * g[i] * g[i];
        g[i] /= sqrt(vectors[i]) + eps;
    }
    KEEP_METRIC(1.0 / (sqrt(vectors[i]) + eps));
}

MOVE(adam)
{
    (void)scalars;
    const double b1 = hyper[0], b2 = hyper[1], eps = hyper[2];
    const double first = 1.0 / (1.0 - pow(b1, t)), second = 1.0 / (1.0 - pow(b2, t));
    double *RESTRICT m = vectors, *RESTRICT v = vectors + n;
    EACH {
        m[i] = b1 * m[i] + (1.0 - b1) * g[i];
        v[i] = b2 * v[i] + (1.0 - b2) * g[i] * g[i];
        g[i] = first * m[i] / (sqrt(second * v[i]) + eps);
    }
    KEEP_METRIC(1.0 / (sqrt(second * v[i]) + eps));
}

MOVE(amsgrad)
{
    (void)scalars; (void)t;
    const double b1 = hyper[0], b2 = hyper[1], eps = hyper[2];
    double *RESTRICT m = vectors, *RESTRICT v = vectors + n, *RESTRICT top = vectors + 2 * n;
    EACH {
        m[i] = b1 * m[i] + (1.0 - b1) * g[i];
        v[i] = b2 * v[i] + (1.0 - b2) * g[i] * g[i];
        top[i] = v[i] > top[i] ? v[i] : top[i];
        g[i] = m[i] / (sqrt(top[i]) + eps);
    }
    KEEP_METRIC(1.0 / (sqrt(top[i]) + eps));
}

MOVE(nadam)
{
    const double b1 = hyper[0], b2 = hyper[1], eps = hyper[2], decay = hyper[3];
    const double now = b1 * (1.0 - 0.5 * pow(0.96, t * decay));
    const double next = b1 * (1.0 - 0.5 * pow(0.96, (t + 1.0) * decay));
    /* Kept minus one, so that a memory of zeros is the start. */
    const double product = (1.0 + scalars[0]) * now;
    const double on_m = next / (1.0 - product * next), on_g = (1.0 - now) / (1.0 - product);
    const double second = 1.0 / (1.0 - pow(b2, t));
    double *RESTRICT m = vectors, *RESTRICT v = vectors + n;
    scalars[0] = product - 1.0;
    EACH {
        m[i] = b1 * m[i] + (1.0 - b1) * g[i];
        v[i] = b2 * v[i] + (1.0 - b2) * g[i] * g[i];
        g[i] = (on_m * m[i] + on_g * g[i]) / (sqrt(second * v[i]) + eps);
    }
    KEEP_METRIC(1.0 / (sqrt(second * v[i]) + eps));
}

/* Name, number of hyper-parameters, function, n_vectors, decoupled, adaptive. */
typedef struct {
    const char *name;
    int n_hyper;
    move_fn fn;
    int n_vectors, decoupled, adaptive;
} move_entry;

static const move_entry move_table[] = {
    {"sgd", 0, sgd_move, 0, 0, 0},
    {"momentum", 2, momentum_move, 1, 0, 0},
    {"nesterov", 1, nesterov_move, 1, 0, 0},
    {"adagrad", 1, adagrad_move, 1, 0, 1},
    {"adadelta", 2, adadelta_move, 2, 0, 1},
    {"rmsprop", 2, rmsprop_move, 1, 0, 1},
    {"adam", 3, adam_move, 2, 0, 1},
    {"amsgrad", 3, amsgrad_move, 3, 0, 1},
    {"adamw", 3, adam_move, 2, 1, 1},
    {"nadam", 4, nadam_move, 2, 0, 1},
    {NULL, 0, NULL, 0, 0, 0},
};

#undef EACH
#undef KEEP_METRIC

#endif
