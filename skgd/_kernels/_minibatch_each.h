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
        idx_t ahead = at + n, ahead_stop = ahead + size < a->m ? ahead + size : a->m;
        for (; ahead < ahead_stop; ahead++) {
            const idx_t i = a->order[ahead];
            PREFETCH(rows->y + i * rows->y_width);
            PREFETCH(rows->s + i);
            T(prefetch_row)(rows, i);
            if (ahead + size < a->m) T(prefetch_start)(rows, a->order[ahead + size]);
        }
        take_targets(rows, ids, n, k, loss->joint, y, s);
        T(margins)(rows, ids, n, k, coef, intercept, eta);
        loss->block(n, k, y, eta, loss->par, NULL, slope);
        for (idx_t r = 0; r < n; r++)
            for (idx_t j = 0; j < k; j++)
                slope[r * k + j] = weigh(a->weight_factor * s[r], slope[r * k + j]);
        T(accumulate)(rows, ids, n, k, slope, grad);
        for (idx_t r = 0; r < n; r++)
            for (idx_t j = 0; j < k; j++) grad[k * d + j] += slope[r * k + j];
    }
}
