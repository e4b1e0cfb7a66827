/* Included once per layout by _minibatch.h. */

/* grad += sums over the batch order[first:stop], block by block so that the accumulation
   finds its rows in cache; the next block is prefetched, since the order is random. */
static void T(batch_sums)(const rows_t *rows, const loss_t *loss, const minibatch_t *a,
                                 idx_t first, idx_t stop, idx_t size, const double *coef,
                                 const double *intercept, double *grad, double *work)
{
    const idx_t k = a->k, d = rows->d;
    double *y = work, *eta = y + size * k, *slope = eta + size * k, *s = slope + size * k;

    for (idx_t at = first; at < stop; at += size) {
        const idx_t n = at + size < stop ? size : stop - at;
        const idx_t *ids = a->order + at;
        /* Rows of the next batch count too: they will be wanted just as soon. */
        const idx_t *next = ids + n;
        const idx_t rest = a->m - at - n, n_next = rest < size ? rest : size;
        for (idx_t r = 0; r < n_next; r++) {
            PREFETCH(rows->y + next[r] * rows->y_width);
            PREFETCH(rows->s + next[r]);
            T(prefetch_start)(rows, next[r]);
        }
        take_targets(rows, ids, n, k, loss->joint, y, s);
        T(margins)(rows, ids, n, k, coef, intercept, eta);
        loss->block(n, k, y, eta, loss->par, NULL, slope);
        for (idx_t r = 0; r < n; r++)
            for (idx_t j = 0; j < k; j++)
                slope[r * k + j] = weigh(a->weight_factor * s[r], slope[r * k + j]);
        T(accumulate)(rows, ids, n, k, slope, grad, next, n_next);
        for (idx_t r = 0; r < n; r++)
            for (idx_t j = 0; j < k; j++) grad[k * d + j] += slope[r * k + j];
    }
}
