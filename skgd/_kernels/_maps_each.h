/* Included once per layout by _maps.h. */

/* eta (n, k) = intercept + rows @ coef.T for rows start .. stop. */
static void T(linear_map)(const rows_t *rows, idx_t start, idx_t stop, idx_t k,
                          const double *coef, const double *intercept, double *eta)
{
    idx_t ids[256];
    const idx_t size = run_of_rows(rows, k);
    for (idx_t first = start; first < stop; first += size) {
        const idx_t n = first + size < stop ? size : stop - first;
        for (idx_t r = 0; r < n; r++) ids[r] = first + r;
        T(margins)(rows, ids, n, k, coef, intercept, eta + (first - start) * k);
    }
}

/* grad (k * d + k,) = [u.T @ rows, sums of u] for rows start .. stop; u has their rows only. */
static void T(adjoint_map)(const rows_t *rows, idx_t start, idx_t stop, idx_t k,
                           const double *u, double *grad)
{
    idx_t ids[256], next[256];
    const idx_t size = run_of_rows(rows, k);
    memset(grad, 0, (size_t)(k * rows->d + k) * sizeof(double));
    for (idx_t first = start; first < stop; first += size) {
        const idx_t n = first + size < stop ? size : stop - first;
        const double *part = u + (first - start) * k;
        const idx_t rest = !SPARSE && rows->d <= TILE ? stop - first - n : 0;
        const idx_t n_next = rest < size ? rest : size;
        for (idx_t r = 0; r < n; r++) ids[r] = first + r;
        for (idx_t r = 0; r < n_next; r++) next[r] = first + n + r;
        T(accumulate)(rows, ids, n, k, part, grad, next, n_next);
        add_outputs(n, k, part, grad + k * rows->d);
    }
}
