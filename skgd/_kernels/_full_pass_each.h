/* Included once per layout by _full_pass.h. */

static double T(full_pass)(const rows_t *rows, const loss_t *loss, idx_t start,
                                  idx_t stop, idx_t k, const double *coef,
                                  const double *intercept, double *grad, idx_t size,
                                  double *work, double *predictors)
{
    double *y = work, *eta = y + size * k, *slope = eta + size * k; /* eta: unless wanted */
    double *value = slope + size * k, *s = value + size * k;
    idx_t *ids = (idx_t *)(s + size), *next = ids + size;
    const idx_t per_row = loss->joint ? 1 : k;
    double total = 0.0;

    if (grad) memset(grad, 0, (size_t)(k * rows->d + k) * sizeof(double));
    for (idx_t first = start; first < stop; first += size) {
        const idx_t n = first + size < stop ? size : stop - first;
        for (idx_t r = 0; r < n; r++) ids[r] = first + r;
        take_run(rows, first, n, k, loss->joint, y, s);
        if (predictors) eta = predictors + (first - start) * k;
        T(margins)(rows, ids, n, k, coef, intercept, eta);
        loss->block(n, k, y, eta, loss->par, value, slope);
        total += weighted_sum(n, per_row, s, value);
        if (!grad) continue;
        weigh_all(n, k, s, slope);
        /* Sparse rows that follow each other are fetched well by the machine itself. */
        const idx_t rest = !SPARSE ? stop - first - n : 0;
        const idx_t n_next = rest < size ? rest : size;
        for (idx_t r = 0; r < n_next; r++) next[r] = first + n + r;
        T(accumulate)(rows, ids, n, k, slope, grad, next, n_next);
        add_outputs(n, k, slope, grad + k * rows->d);
    }
    return total;
}
