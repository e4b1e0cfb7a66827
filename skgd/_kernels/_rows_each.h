/* Included once per layout by _rows.h. */

#if SPARSE

#define ROW(i)                                                                     \
    const idx_t start = ((const INDEX *)rows->indptr)[i];                          \
    const idx_t length = ((const INDEX *)rows->indptr)[(i) + 1] - start;           \
    const REAL *RESTRICT x = (const REAL *)rows->data + start;                     \
    const INDEX *RESTRICT col = (const INDEX *)rows->indices + start

INLINE double T(row_dot)(const REAL *RESTRICT x, const INDEX *RESTRICT col, idx_t length,
                         const double *RESTRICT w)
{
    double sum = 0.0;
    SIMD_SUM(sum) for (idx_t j = 0; j < length; j++) sum += (double)x[j] * w[col[j]];
    return sum;
}

INLINE void T(prefetch_start)(const rows_t *rows, idx_t i)
{
    PREFETCH((const INDEX *)rows->indptr + i);
}

INLINE void T(prefetch_row)(const rows_t *rows, idx_t i)
{
    ROW(i);
    prefetch_range((const char *)x, length * (idx_t)sizeof(REAL));
    prefetch_range((const char *)col, length * (idx_t)sizeof(INDEX));
}

/* eta (n, k) = intercept + rows @ coef.T */
INLINE void T(margins)(const rows_t *rows, const idx_t *ids, idx_t n, idx_t k,
                       const double *coef, const double *intercept, double *eta)
{
    for (idx_t r = 0; r < n; r++) {
        ROW(ids[r]);
        for (idx_t j = 0; j < k; j++)
            eta[r * k + j] = intercept[j] + T(row_dot)(x, col, length, coef + j * rows->d);
    }
}

/* sums (k, d) += slope.T @ rows */
INLINE void T(accumulate)(const rows_t *rows, const idx_t *ids, idx_t n, idx_t k,
                          const double *slope, double *sums)
{
    for (idx_t r = 0; r < n; r++) {
        ROW(ids[r]);
        for (idx_t j = 0; j < k; j++) {
            const double g = slope[r * k + j];
            double *out = sums + j * rows->d;
            if (g != 0.0)
                for (idx_t c = 0; c < length; c++) out[col[c]] += g * (double)x[c];
        }
    }
}

#undef ROW

#else

INLINE double T(row_dot)(const REAL *RESTRICT x, const double *RESTRICT w, idx_t d)
{
    double sum = 0.0;
    SIMD_SUM(sum) for (idx_t c = 0; c < d; c++) sum += (double)x[c] * w[c];
    return sum;
}

INLINE void T(prefetch_start)(const rows_t *rows, idx_t i) { (void)rows; (void)i; }

INLINE void T(prefetch_row)(const rows_t *rows, idx_t i)
{
    prefetch_range((const char *)((const REAL *)rows->data + i * rows->d),
                   rows->d * (idx_t)sizeof(REAL));
}

/* eta (n, k) = intercept + rows @ coef.T, four rows at a time: each coefficient is read
   once for the four, and four sums hide the latency of an addition. */
INLINE void T(margins)(const rows_t *rows, const idx_t *ids, idx_t n, idx_t k,
                       const double *coef, const double *intercept, double *eta)
{
    const idx_t d = rows->d;
    const REAL *data = (const REAL *)rows->data;
    for (idx_t j = 0; j < k; j++) {
        const double *RESTRICT w = coef + j * d;
        idx_t r = 0;
        for (; r + 4 <= n; r += 4) {
            const REAL *RESTRICT x0 = data + ids[r] * d, *RESTRICT x1 = data + ids[r + 1] * d;
            const REAL *RESTRICT x2 = data + ids[r + 2] * d, *RESTRICT x3 = data + ids[r + 3] * d;
            double s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0;
            SIMD_SUM(s0, s1, s2, s3) for (idx_t c = 0; c < d; c++) {
                s0 += (double)x0[c] * w[c];
                s1 += (double)x1[c] * w[c];
                s2 += (double)x2[c] * w[c];
                s3 += (double)x3[c] * w[c];
            }
            eta[r * k + j] = intercept[j] + s0;
            eta[(r + 1) * k + j] = intercept[j] + s1;
            eta[(r + 2) * k + j] = intercept[j] + s2;
            eta[(r + 3) * k + j] = intercept[j] + s3;
        }
        for (; r < n; r++)
            eta[r * k + j] = intercept[j] + T(row_dot)(data + ids[r] * d, w, d);
    }
}

/* sums (k, d) += slope.T @ rows, four rows at a time: a quarter of the writes. */
INLINE void T(accumulate)(const rows_t *rows, const idx_t *ids, idx_t n, idx_t k,
                          const double *slope, double *sums)
{
    const idx_t d = rows->d;
    const REAL *data = (const REAL *)rows->data;
    for (idx_t j = 0; j < k; j++) {
        double *RESTRICT out = sums + j * d;
        idx_t r = 0;
        for (; r + 4 <= n; r += 4) {
            const REAL *RESTRICT x0 = data + ids[r] * d, *RESTRICT x1 = data + ids[r + 1] * d;
            const REAL *RESTRICT x2 = data + ids[r + 2] * d, *RESTRICT x3 = data + ids[r + 3] * d;
            const double g0 = slope[r * k + j], g1 = slope[(r + 1) * k + j];
            const double g2 = slope[(r + 2) * k + j], g3 = slope[(r + 3) * k + j];
            SIMD for (idx_t c = 0; c < d; c++)
                out[c] += (g0 * (double)x0[c] + g1 * (double)x1[c])
                          + (g2 * (double)x2[c] + g3 * (double)x3[c]);
        }
        for (; r < n; r++) {
            const REAL *RESTRICT x0 = data + ids[r] * d;
            const double g0 = slope[r * k + j];
            SIMD for (idx_t c = 0; c < d; c++) out[c] += g0 * (double)x0[c];
        }
    }
}

#endif
