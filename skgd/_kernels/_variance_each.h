/* Included once per layout by _variance.h.

   A batch of rows is multiplied by the coefficients as they are, then each row moves them:

       w <- w - rate kappa h z,    mean <- mean + change z / n,

   and last comes what all coordinates do alike, the flow along the mean and the penalty. On sparse
   rows it is late: a coordinate flows when a row next needs it, for all steps since then, which
   gives the same, as its mean has not changed. */

INLINE void T(variance_slopes)(const rows_t *rows, const loss_t *loss, const variance_t *a,
                               idx_t i, const double *eta, double *y, double *g)
{
    const double s = a->factor * rows->s[i];
    double own;
    take_targets(rows, &i, 1, a->k, loss->joint, y, &own);
    if (a->k == 1 && !loss->joint) g[0] = loss->slope(y[0], eta[0], loss->par);
    else loss->block(1, a->k, y, eta, loss->par, NULL, g);
    for (idx_t j = 0; j < a->k; j++) g[j] = weigh(s, g[j]);
}

/* kappa and change of output j: how far a row moves the coefficients, and its memory. */
INLINE void T(variance_move)(const variance_t *a, idx_t step, idx_t i, idx_t j, double was,
                             double slope, double count, double *kappa, double *change)
{
    double *kept = a->slopes + i * a->k + j;
    *change = a->mode == SVRG_STEPS ? 0.0 : (slope - *kept) / a->n;
    *kappa = a->mode == SAG_STEPS ? 0.0 : a->share[step] / count * (slope - was) - *change;
    if (a->mode != SVRG_STEPS) *kept = slope;
}

INLINE void T(variance_prefetch)(const rows_t *rows, const variance_t *a, idx_t step)
{
    if (step + VARIANCE_AHEAD < a->m) {
        const idx_t i = a->order[step + VARIANCE_AHEAD];
        T(prefetch_row)(rows, i);
        PREFETCH(rows->y + i * rows->y_width);
        PREFETCH(rows->s + i);
        PREFETCH(a->slopes + i * a->k);
    }
    if (step + 2 * VARIANCE_AHEAD < a->m)
        T(prefetch_start)(rows, a->order[step + 2 * VARIANCE_AHEAD]);
}

#if SPARSE

/* Brings coordinate c of all outputs to the time of step now. */
INLINE void T(variance_late)(const variance_t *a, idx_t d, idx_t c, idx_t now, idx_t *last)
{
    const idx_t steps = now - last[c];
    if (steps == 0) return;
    const double time = (double)steps * a->rate, decay = a->a[c];
    const double pull = a->l1m ? a->l1m[c] : 0.0, inv2 = a->inv2[c];
    const stretch_t over = stretch(decay, time);
    for (idx_t j = 0; j < a->k; j++) {
        double *w = a->coef + j * d + c;
        *w = drifted(*w, decay, inv2 * a->mean[j * d + c], pull, time, over);
    }
    last[c] = now;
}

static int T(variance)(const rows_t *rows, const loss_t *loss, const variance_t *a)
{
    const idx_t d = rows->d, k = a->k, batch = a->batch;
    double *eta = malloc((size_t)(batch * k * 3 + k) * sizeof(double));
    idx_t *last = calloc((size_t)(d > 0 ? d : 1), sizeof(idx_t)), now = 0;
    if (eta == NULL || last == NULL) {
        free(eta);
        free(last);
        return -1;
    }
    double *slope = eta + batch * k, *was = slope + batch * k, *y = was + batch * k;
    const INDEX *indptr = (const INDEX *)rows->indptr;
    for (idx_t first = 0; first < a->m; first += batch, now++) {
        const idx_t size = first + batch < a->m ? batch : a->m - first;
        for (idx_t r = 0; r < size; r++) {
            const idx_t i = a->order[first + r], start = indptr[i], stop = indptr[i + 1];
            const INDEX *col = (const INDEX *)rows->indices;
            T(variance_prefetch)(rows, a, first + r);
            for (idx_t p = start; p < stop; p++) T(variance_late)(a, d, col[p], now, last);
            T(margins)(rows, &i, 1, k, a->coef, a->intercept, eta + r * k);
            T(variance_slopes)(rows, loss, a, i, eta + r * k, y, slope + r * k);
            memcpy(was + r * k, a->slopes + i * k, (size_t)k * sizeof(double));
        }
        for (idx_t r = 0; r < size; r++) {
            const idx_t i = a->order[first + r], start = indptr[i], stop = indptr[i + 1];
            const INDEX *col = (const INDEX *)rows->indices;
            const REAL *x = (const REAL *)rows->data;
            for (idx_t j = 0; j < k; j++) {
                double kappa, change, *w = a->coef + j * d, *mean = a->mean + j * d;
                T(variance_move)(a, first + r, i, j, was[r * k + j], slope[r * k + j],
                                 (double)size, &kappa, &change);
                const double move = a->rate * kappa;
                if (move != 0.0)
                    for (idx_t p = start; p < stop; p++)
                        w[col[p]] -= move * a->inv2[col[p]] * (double)x[p];
                if (change != 0.0)
                    for (idx_t p = start; p < stop; p++) mean[col[p]] += change * (double)x[p];
                if (a->fit_intercept) a->intercept[j] -= move;
                a->mean_slope[j] += change;
            }
        }
        if (a->fit_intercept)
            for (idx_t j = 0; j < k; j++) a->intercept[j] -= a->rate * a->mean_slope[j];
    }
    for (idx_t c = 0; c < d; c++) T(variance_late)(a, d, c, now, last);
    free(eta);
    free(last);
    return 0;
}

#else

/* One row's move and memory, of one output; over (2, d) is the flow that follows, or NULL. */
INLINE void T(variance_row)(const REAL *RESTRICT x, idx_t d, const variance_t *a, double move,
                            double change, double *RESTRICT w, double *RESTRICT mean,
                            const double *RESTRICT over)
{
    const double *RESTRICT inv2 = a->inv2, *RESTRICT m = a->shift;
#define Z(c) ((double)x[c] - (m ? m[c] : 0.0))
    if (over && a->l1m) {
        for (idx_t c = 0; c < d; c++) {
            const double z = Z(c);
            const stretch_t one = {over[c], over[d + c]};
            mean[c] += change * z;
            w[c] = drifted(w[c] - move * inv2[c] * z, a->a[c], inv2[c] * mean[c], a->l1m[c],
                           a->rate, one);
        }
    } else if (over && m) {
        SIMD for (idx_t c = 0; c < d; c++) {
            const double z = (double)x[c] - m[c], g = mean[c] + change * z;
            mean[c] = g;
            w[c] = (w[c] - move * inv2[c] * z) * over[c] - inv2[c] * g * over[d + c];
        }
    } else if (over) {
        SIMD for (idx_t c = 0; c < d; c++) {
            const double z = (double)x[c], g = mean[c] + change * z;
            mean[c] = g;
            w[c] = (w[c] - move * inv2[c] * z) * over[c] - inv2[c] * g * over[d + c];
        }
    } else {
        for (idx_t c = 0; c < d; c++) {
            const double z = Z(c);
            mean[c] += change * z;
            w[c] -= move * inv2[c] * z;
        }
    }
#undef Z
}

static int T(variance)(const rows_t *rows, const loss_t *loss, const variance_t *a)
{
    const idx_t d = rows->d, k = a->k, batch = a->batch;
    double *eta = malloc((size_t)(batch * k * 3 + 2 * k + 2 * d) * sizeof(double));
    if (eta == NULL) return -1;
    double *slope = eta + batch * k, *was = slope + batch * k, *y = was + batch * k;
    double *centre = y + k, *over = centre + k;
    for (idx_t c = 0; c < d; c++) {
        const stretch_t one = stretch(a->a[c], a->rate);
        over[c] = one.keep;
        over[d + c] = one.gain;
    }
    /* The intercept of centred rows, which moves by itself. */
    for (idx_t j = 0; j < k; j++) {
        double sum = a->intercept[j];
        for (idx_t c = 0; a->shift && c < d; c++) sum += a->shift[c] * a->coef[j * d + c];
        centre[j] = sum;
    }
    for (idx_t first = 0; first < a->m; first += batch) {
        const idx_t size = first + batch < a->m ? batch : a->m - first;
        for (idx_t r = 0; r < size; r++) {
            const idx_t i = a->order[first + r];
            const REAL *x = (const REAL *)rows->data + i * d;
            T(variance_prefetch)(rows, a, first + r);
            for (idx_t j = 0; j < k; j++)
                eta[r * k + j] = centre[j] + T(dot)(x, a->shift, a->coef + j * d, d);
            T(variance_slopes)(rows, loss, a, i, eta + r * k, y, slope + r * k);
            memcpy(was + r * k, a->slopes + i * k, (size_t)k * sizeof(double));
        }
        for (idx_t r = 0; r < size; r++) {
            const idx_t i = a->order[first + r];
            const REAL *x = (const REAL *)rows->data + i * d;
            for (idx_t j = 0; j < k; j++) {
                double kappa, change;
                T(variance_move)(a, first + r, i, j, was[r * k + j], slope[r * k + j],
                                 (double)size, &kappa, &change);
                const double move = a->rate * kappa;
                T(variance_row)(x, d, a, move, change, a->coef + j * d, a->mean + j * d,
                                r + 1 == size ? over : NULL);
                if (a->fit_intercept) centre[j] -= move;
                a->mean_slope[j] += change;
            }
        }
        for (idx_t j = 0; j < k; j++)
            centre[j] = a->fit_intercept ? centre[j] - a->rate * a->mean_slope[j] : centre[j];
    }
    for (idx_t j = 0; a->fit_intercept && j < k; j++) {
        double sum = centre[j];
        for (idx_t c = 0; a->shift && c < d; c++) sum -= a->shift[c] * a->coef[j * d + c];
        a->intercept[j] = sum;
    }
    free(eta);
    return 0;
}

#endif
