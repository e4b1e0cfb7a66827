/* Steps on batches of rows with any update rule, in centred and scaled variables.

   theta = [u.ravel(), c] stands for w = u * inv_scale and b = c - shift . w. */
#ifndef SKGD_MINIBATCH_H
#define SKGD_MINIBATCH_H

#include "_rows.h"

#define MINIBATCH_BYTES 16384

typedef struct {
    const idx_t *order;         /* IN     (m,)  rows, batch after batch */
    idx_t m, batch_size, k;
    double *theta;              /* INOUT  (k * d + k,) */
    double *vectors;            /* INOUT  (n_vectors, k * d + k) */
    double *scalars;            /* INOUT  (4,) */
    idx_t t;                    /* IN     steps done before */
    const double *rates;        /* IN     (n_batches,) */
    const double *l2;           /* IN     (d,) */
    const double *l1;           /* IN     (d,) or NULL */
    const double *shift;        /* IN     (d,) or NULL */
    const double *inv_scale;    /* IN     (d,) or NULL */
    double weight_factor;
    int fit_intercept;
    double clip_norm, clip_value; /* inf: off */
    double *average;            /* INOUT  (k * d + k,) or NULL */
    idx_t average_from, n_averaged;
} minibatch_t;

/* coef (k, d) and intercept (k,) in the user's variables. */
CLONES static void user_variables(const minibatch_t *a, idx_t d, double *coef,
                                  double *intercept)
{
    for (idx_t j = 0; j < a->k; j++) {
        const double *RESTRICT u = a->theta + j * d, *RESTRICT scale = a->inv_scale;
        const double *RESTRICT shift = a->shift;
        double *RESTRICT w = coef + j * d, offset = 0.0;
        if (scale) SIMD for (idx_t c = 0; c < d; c++) w[c] = u[c] * scale[c];
        else memcpy(w, u, (size_t)d * sizeof(double));
        if (shift) SIMD_SUM(offset) for (idx_t c = 0; c < d; c++) offset += shift[c] * w[c];
        intercept[j] = a->theta[a->k * d + j] - offset;
    }
}

/* From sums over rows to the gradient in theta's variables, l2 and clipping included. */
CLONES static void finish_gradient(const minibatch_t *a, int decoupled, idx_t d,
                                   double inv_size, double *grad)
{
    const idx_t k = a->k, n = k * d + k;
    double *RESTRICT tail = grad + k * d;
    for (idx_t j = 0; j < k; j++) {
        double *RESTRICT g = grad + j * d;
        const double *RESTRICT u = a->theta + j * d, *RESTRICT scale = a->inv_scale;
        const double *RESTRICT shift = a->shift, *RESTRICT l2 = a->l2;
        tail[j] = a->fit_intercept ? tail[j] * inv_size : 0.0;
        const double gb = tail[j];
        SIMD for (idx_t c = 0; c < d; c++) g[c] *= inv_size;
        if (shift) SIMD for (idx_t c = 0; c < d; c++) g[c] -= shift[c] * gb;
        if (scale) SIMD for (idx_t c = 0; c < d; c++) g[c] *= scale[c];
        if (!decoupled) SIMD for (idx_t c = 0; c < d; c++) g[c] += l2[c] * u[c];
    }
    double *RESTRICT g = grad;
    if (a->clip_value < INFINITY) {
        const double top = a->clip_value;
        SIMD for (idx_t i = 0; i < n; i++)
            g[i] = g[i] > top ? top : (g[i] < -top ? -top : g[i]);
    }
    if (a->clip_norm < INFINITY) {
        double sum = 0.0;
        SIMD_SUM(sum) for (idx_t i = 0; i < n; i++) sum += g[i] * g[i];
        if (sum > a->clip_norm * a->clip_norm) {
            const double part = a->clip_norm / sqrt(sum);
            SIMD for (idx_t i = 0; i < n; i++) g[i] *= part;
        }
    }
}

/* theta <- prox(theta - rate * move), the prox in the metric; intercepts are not penalised. */
CLONES static void apply_move(const minibatch_t *a, int decoupled, idx_t d, double rate,
                              const double *move, const double *metric)
{
    const idx_t k = a->k;
    for (idx_t j = 0; j < k; j++) {
        double *RESTRICT u = a->theta + j * d;
        const double *RESTRICT g = move + j * d, *RESTRICT l2 = a->l2, *RESTRICT l1 = a->l1;
        if (decoupled) SIMD for (idx_t c = 0; c < d; c++) u[c] -= rate * (g[c] + l2[c] * u[c]);
        else SIMD for (idx_t c = 0; c < d; c++) u[c] -= rate * g[c];
        if (l1) {
            const double *RESTRICT h = metric + j * d;
            SIMD for (idx_t c = 0; c < d; c++) {
                double over = fabs(u[c]) - rate * h[c] * l1[c];
                u[c] = over <= 0.0 ? 0.0 : copysign(over, u[c]);
            }
        }
        a->theta[k * d + j] -= rate * move[k * d + j];
    }
}

CLONES static void add_to_average(idx_t n, const double *RESTRICT theta,
                                  double *RESTRICT average, double part)
{
    SIMD for (idx_t i = 0; i < n; i++) average[i] += (theta[i] - average[i]) * part;
}

#define KERNEL "_minibatch_each.h"
#include "_each.h"
#undef KERNEL

/* Returns 0, or -1 where memory ran out. Sets n_averaged. */
static int minibatch_run(const rows_t *rows, const loss_t *loss, const move_t *move,
                         minibatch_t *a)
{
    const idx_t d = rows->d, k = a->k, n = k * d + k;
    const idx_t size = block_rows(rows, MINIBATCH_BYTES);
    double *work = malloc(((size_t)n * 3 + (size_t)size * (3 * (size_t)k + 1)) * sizeof(double));
    if (work == NULL) return -1;
    double *grad = work, *metric = grad + n, *coef = metric + n, *scratch = coef + n;
    idx_t batch = 0;
    for (idx_t first = 0; first < a->m; first += a->batch_size, batch++) {
        const idx_t stop = first + a->batch_size < a->m ? first + a->batch_size : a->m;
        const idx_t t = a->t + batch + 1;
        user_variables(a, d, coef, coef + k * d);
        memset(grad, 0, (size_t)n * sizeof(double));
        DISPATCH(batch_sums, rows, rows, loss, a, first, stop, size, coef, coef + k * d, grad,
                 scratch);
        finish_gradient(a, move->decoupled, d, 1.0 / (double)(stop - first), grad);
        move->fn(n, grad, a->vectors, a->scalars, move->hyper, (double)t,
                 a->l1 ? metric : NULL);
        apply_move(a, move->decoupled, d, a->rates[batch], grad, metric);
        if (a->average && t >= a->average_from) {
            a->n_averaged += 1;
            add_to_average(n, a->theta, a->average, 1.0 / (double)a->n_averaged);
        }
    }
    free(work);
    return 0;
}

#endif
