/* Included once per layout by _steps.h.

   Steps of sparse rows for one output, on columns with rates and decays of their own, as
   `steps` in _steps_each.h does them late. What belongs to a column lies side by side here:
   where columns are many each of its numbers would else be a miss of the cache. */

#if SPARSE

INLINE void T(prefetch_step)(const rows_t *rows, const steps_t *a, idx_t step);

static int T(decaying)(const rows_t *rows, const loss_t *loss, steps_t *a, ahead_t *block,
                       idx_t longest)
{
    const idx_t d = rows->d;
    touched_t *RESTRICT table = malloc(((size_t)d + 1) * sizeof(touched_t));
    double *RESTRICT held = malloc((2 * (size_t)longest + 1) * sizeof(double));
    if (table == NULL || held == NULL) { free(table); free(held); return -1; }
    double *RESTRICT late = held + longest;
    for (idx_t c = 0; c < d; c++)
        table[c] = (touched_t){a->coef[c], 0.0, a->a[c], a->inv2[c]};
    double clock = 0.0;

    for (idx_t n = 0; n < a->m; n++) {
        const idx_t i = a->order[n];
        const idx_t start = ((const INDEX *)rows->indptr)[i];
        const idx_t length = ((const INDEX *)rows->indptr)[i + 1] - start;
        const REAL *RESTRICT x = (const REAL *)rows->data + start;
        const INDEX *RESTRICT col = (const INDEX *)rows->indices + start;
        const double rate = a->rates[n];
        T(prefetch_step)(rows, a, n);
        ahead_read(block, rows, loss, a, n);
        if (n + 1 < a->m) {
            const idx_t next = a->order[n + 1];
            const idx_t from = ((const INDEX *)rows->indptr)[next];
            const idx_t to = ((const INDEX *)rows->indptr)[next + 1];
            for (idx_t p = from; p < to; p++)
                PREFETCH(table + ((const INDEX *)rows->indices)[p]);
        }

        /* A column that is stored twice in a row has missed the same both times. */
        for (idx_t p = 0; p < length; p++) {
            const touched_t *t = table + col[p];
            late[p] = t->decay * (clock - t->seen);
            held[p] = t->u;
        }
        SIMD for (idx_t p = 0; p < length; p++) held[p] *= vexp_neg(-late[p]);
        double eta = 0.0, g;
        SIMD_SUM(eta) for (idx_t p = 0; p < length; p++) eta += held[p] * (double)x[p];
        eta += a->intercept[0];
        if (a->still_coef)
            block->eta[n % block->size] =
                a->still_intercept[0] + T(row_dot)(x, col, length, a->still_coef);
        row_slopes(block, loss, n % block->size, 1, a->weight_factor, &eta, &g);
        ahead_value(block, loss, a, n);

        const double move = rate * g;
        if (a->fit_intercept) a->intercept[0] -= move;
        for (idx_t p = 0; p < length; p++) {
            table[col[p]].u = held[p];
            table[col[p]].seen = clock;
        }
        for (idx_t p = 0; p < length; p++)
            table[col[p]].u -= move * (double)x[p] * table[col[p]].inv2;
        clock += rate;
        a->due += rate;
    }

    SIMD for (idx_t c = 0; c < d; c++)
        a->coef[c] = table[c].u * vexp_neg(-table[c].decay * (clock - table[c].seen));
    free(table);
    free(held);
    return 0;
}

#endif
