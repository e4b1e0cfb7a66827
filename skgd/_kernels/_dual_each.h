/* Included once per layout by _dual.h. */

static void T(dual)(const rows_t *rows, dual_t *a)
{
    const double t = a->threshold;
#if !SPARSE
    const idx_t d = rows->d;
#endif
    double *RESTRICT z = a->z, c = a->intercept;
    for (idx_t n = 0; n < a->m; n++) {
        const idx_t i = a->order[n];
        if (n + 2 * DUAL_AHEAD < a->m) {
            const idx_t later = a->order[n + 2 * DUAL_AHEAD];
            T(prefetch_start)(rows, later);
            PREFETCH(a->u + later);
            PREFETCH(a->norms + later);
            PREFETCH(rows->s + later);
            PREFETCH(rows->y + later * rows->y_width);
        }
        if (n + DUAL_AHEAD < a->m) T(prefetch_row)(rows, a->order[n + DUAL_AHEAD]);
        const double s = rows->s[i];
        if (s == 0.0) continue;
        double eta = 0.0;
#if SPARSE
        const idx_t start = ((const INDEX *)rows->indptr)[i];
        const idx_t length = ((const INDEX *)rows->indptr)[i + 1] - start;
        const REAL *RESTRICT x = (const REAL *)rows->data + start;
        const INDEX *RESTRICT col = (const INDEX *)rows->indices + start;
        if (t > 0.0)
            for (idx_t p = 0; p < length; p++) eta += (double)x[p] * beyond(z[col[p]], t);
        else
            eta = T(row_dot)(x, col, length, z);
#else
        const REAL *RESTRICT x = (const REAL *)rows->data + i * d;
        const double *RESTRICT m = a->shift;
        if (t > 0.0 && m)
            SIMD_SUM(eta) for (idx_t p = 0; p < d; p++)
                eta += ((double)x[p] - m[p]) * beyond(z[p], t);
        else if (t > 0.0)
            SIMD_SUM(eta) for (idx_t p = 0; p < d; p++) eta += (double)x[p] * beyond(z[p], t);
        else
            eta = T(dot)(x, m, z, d);
#endif
        const double y = rows->codes ? (rows->y[i] == (double)a->output ? 1.0 : -1.0)
                                     : rows->y[i * rows->y_width + a->output];
        const double q = s * (a->norms[i] * a->per_row + a->per_intercept);
        const double old = a->u[i];
        /* A row of zeros without an intercept has a margin that nothing moves. */
        const double u = a->slope(y, eta + c + q * old, q > 1e-150 ? q : 1e-150, a->par);
        const double moved = s * (u - old);
        if (u == old || !isfinite(u)) {
            a->still[i] = a->still[i] < 255 ? a->still[i] + 1 : 255;
            continue;
        }
        a->still[i] = 0;
        a->u[i] = u;
        c -= a->per_intercept * moved;
        const double g = -a->per_row * moved;
#if SPARSE
        for (idx_t p = 0; p < length; p++) z[col[p]] += g * (double)x[p];
#else
        if (m)
            SIMD for (idx_t p = 0; p < d; p++) z[p] += g * ((double)x[p] - m[p]);
        else
            SIMD for (idx_t p = 0; p < d; p++) z[p] += g * (double)x[p];
#endif
    }
    a->intercept = c;
}

static void T(joint)(const rows_t *rows, joint_t *a)
{
    const double t = a->threshold;
    const idx_t k = a->k;
    double *RESTRICT eta = a->work, *RESTRICT moved = a->work + k, *RESTRICT c = a->intercept;
    for (idx_t n = 0; n < a->m; n++) {
        const idx_t i = a->order[n];
        if (n + 2 * DUAL_AHEAD < a->m) {
            T(prefetch_start)(rows, a->order[n + 2 * DUAL_AHEAD]);
            PREFETCH(a->u + a->order[n + 2 * DUAL_AHEAD] * k);
        }
        if (n + DUAL_AHEAD < a->m) T(prefetch_row)(rows, a->order[n + DUAL_AHEAD]);
        const double s = rows->s[i];
        if (s == 0.0) continue;
#if SPARSE
        const idx_t start = ((const INDEX *)rows->indptr)[i];
        const idx_t length = ((const INDEX *)rows->indptr)[i + 1] - start;
        const REAL *RESTRICT x = (const REAL *)rows->data + start;
        const INDEX *RESTRICT col = (const INDEX *)rows->indices + start;
#define VALUE(p) ((double)x[p])
#define PLACE(p) (a->z + (idx_t)col[p] * k)
#else
        const idx_t length = rows->d;
        const REAL *RESTRICT x = (const REAL *)rows->data + i * length;
        const double *RESTRICT m = a->shift;
#define VALUE(p) (m ? (double)x[p] - m[p] : (double)x[p])
#define PLACE(p) (a->z + (p) * k)
#endif
        double *RESTRICT u = a->u + i * k;
        const double q = s * (a->norms[i] * a->per_row + a->per_intercept);
        for (idx_t j = 0; j < k; j++) eta[j] = c[j] + q * u[j];
        for (idx_t p = 0; p < length; p++) {
            const double *RESTRICT z = PLACE(p);
            const double v = VALUE(p);
            if (t > 0.0)
                for (idx_t j = 0; j < k; j++) eta[j] += v * beyond(z[j], t);
            else
                SIMD for (idx_t j = 0; j < k; j++) eta[j] += v * z[j];
        }
        dual_softmax(k, (idx_t)rows->y[i], eta, q > 1e-150 ? q : 1e-150, moved);
        double most = 0.0;
        for (idx_t j = 0; j < k; j++) most = fmax(most, fabs(moved[j] - u[j]));
        if (!(most > 0.0 && most <= 2.0)) {
            a->still[i] = a->still[i] < 255 ? a->still[i] + 1 : 255;
            continue;
        }
        a->still[i] = 0;
        for (idx_t j = 0; j < k; j++) {
            const double change = s * (moved[j] - u[j]);
            u[j] = moved[j];
            c[j] -= a->per_intercept * change;
            moved[j] = -a->per_row * change;
        }
        for (idx_t p = 0; p < length; p++) {
            double *RESTRICT z = PLACE(p);
            const double v = VALUE(p);
            SIMD for (idx_t j = 0; j < k; j++) z[j] += v * moved[j];
        }
#undef VALUE
#undef PLACE
    }
}
