/* Included once per layout by _ftrl.h. A coefficient that no row holds changes with the strength of
   the penalty alone, and is found from its numbers when a row needs it: nothing is late. */

static int T(ftrl)(const rows_t *rows, const loss_t *loss, const ftrl_t *a)
{
    const idx_t d = rows->d, k = a->k;
    double *y = malloc((size_t)(3 * k) * sizeof(double));
    if (y == NULL) return -1;
    double *eta = y + k, *g = eta + k;
    for (idx_t n = 0; n < a->m; n++) {
        const idx_t i = a->order[n];
        const double t = (double)(a->t + n), s = a->factor * rows->s[i];
        double own;
        if (n + FTRL_AHEAD < a->m) T(prefetch_row)(rows, a->order[n + FTRL_AHEAD]);
        if (n + 2 * FTRL_AHEAD < a->m) T(prefetch_start)(rows, a->order[n + 2 * FTRL_AHEAD]);
        take_targets(rows, &i, 1, k, loss->joint, y, &own);
#if SPARSE
        const idx_t start = ((const INDEX *)rows->indptr)[i];
        const idx_t length = ((const INDEX *)rows->indptr)[i + 1] - start;
        const REAL *x = (const REAL *)rows->data + start;
        const INDEX *col = (const INDEX *)rows->indices + start;
#define COLUMN(p) ((idx_t)col[p])
#define ENTRY(p) ((double)x[p] * a->inv[COLUMN(p)])
#else
        const idx_t length = d;
        const REAL *x = (const REAL *)rows->data + i * d;
#define COLUMN(p) (p)
#define ENTRY(p) (((double)x[p] - (a->shift ? a->shift[p] : 0.0)) * a->inv[p])
#endif
        for (idx_t j = 0; j < k; j++) {
            double sum = a->centre[j], *w = a->coef + j * d;
            const double *z = a->z + j * d, *square = a->square + j * d;
            for (idx_t p = 0; p < length; p++) {
                const idx_t c = COLUMN(p);
                w[c] = leader(z[c], sqrt(square[c]), a->beta, a->rate, a->l1 ? t * a->l1[c] : 0.0,
                              a->l2 ? t * a->l2[c] : 0.0);
                sum += w[c] * ENTRY(p);
            }
            eta[j] = sum;
        }
        if (k == 1 && !loss->joint) g[0] = loss->slope(y[0], eta[0], loss->par);
        else loss->block(1, k, y, eta, loss->par, NULL, g);
        for (idx_t j = 0; j < k; j++) {
            const double slope = weigh(s, g[j]), *w = a->coef + j * d;
            double *z = a->z + j * d, *square = a->square + j * d;
            for (idx_t p = 0; p < length; p++) {
                const idx_t c = COLUMN(p);
                const double h = slope * ENTRY(p), after = square[c] + h * h;
                z[c] += h - (sqrt(after) - sqrt(square[c])) / a->rate * w[c];
                square[c] = after;
            }
            if (a->fit_intercept) {
                const double after = a->square0[j] + slope * slope;
                a->z0[j] += slope - (sqrt(after) - sqrt(a->square0[j])) / a->rate * a->centre[j];
                a->square0[j] = after;
                a->centre[j] = leader(a->z0[j], sqrt(after), a->beta, a->rate, 0.0, 0.0);
            }
        }
#undef COLUMN
#undef ENTRY
    }
    const double t = (double)(a->t + a->m);
    for (idx_t j = 0; j < k; j++)
        for (idx_t c = 0; c < d; c++)
            a->coef[j * d + c] = leader(a->z[j * d + c], sqrt(a->square[j * d + c]), a->beta,
                                        a->rate, a->l1 ? t * a->l1[c] : 0.0,
                                        a->l2 ? t * a->l2[c] : 0.0);
    free(y);
    return 0;
}
