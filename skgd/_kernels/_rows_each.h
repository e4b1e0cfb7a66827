/* Included once per layout by _rows.h. */

#if SPARSE

#define ROW(i)                                                                     \
    const idx_t start = ((const INDEX *)rows->indptr)[i];                          \
    const idx_t length = ((const INDEX *)rows->indptr)[(i) + 1] - start;           \
    const REAL *RESTRICT x = (const REAL *)rows->data + start;                     \
    const INDEX *RESTRICT col = (const INDEX *)rows->indices + start

#if X86_LEVELS && WIDTH == 8

INLINE double T(row_dot_gathered)(const REAL *RESTRICT x, const INDEX *RESTRICT col,
                                  idx_t length, const double *RESTRICT w)
{
    __m512d sum = _mm512_setzero_pd();
    for (idx_t j = 0; j < length; j += 8) {
        const __mmask8 some = length - j < 8 ? (__mmask8)((1u << (length - j)) - 1) : 0xff;
        __m512d v, taken;
        if (sizeof(REAL) == 4)
            v = _mm512_cvtps_pd(_mm256_maskz_loadu_ps(some, x + j));
        else
            v = _mm512_maskz_loadu_pd(some, x + j);
        if (sizeof(INDEX) == 4)
            taken = _mm512_mask_i32gather_pd(_mm512_setzero_pd(), some,
                                             _mm256_maskz_loadu_epi32(some, col + j), w, 8);
        else
            taken = _mm512_mask_i64gather_pd(_mm512_setzero_pd(), some,
                                             _mm512_maskz_loadu_epi64(some, col + j), w, 8);
        sum = _mm512_fmadd_pd(v, taken, sum);
    }
    return _mm512_reduce_add_pd(sum);
}

#endif

INLINE double T(row_dot_plain)(const REAL *RESTRICT x, const INDEX *RESTRICT col, idx_t length,
                               const double *RESTRICT w)
{
    /* Written out where there is one: left to the compiler, products are rounded before they are
       added for some types of index, and a fit depends on these. */
#if X86_LEVELS && WIDTH >= 4
#define ADD(sum, at) sum = __builtin_fma((double)x[at], w[col[at]], sum)
#else
#define ADD(sum, at) sum += (double)x[at] * w[col[at]]
#endif
    double a = 0.0, b = 0.0, e = 0.0, f = 0.0;
    idx_t j = 0;
    if (length < 8) { /* their ends are foreseen, and the next row need not wait */
        for (; j < length; j++) ADD(a, j);
        return a;
    }
    for (; j + 4 <= length; j += 4) {
        ADD(a, j);
        ADD(b, j + 1);
        ADD(e, j + 2);
        ADD(f, j + 3);
    }
    for (; j < length; j++) ADD(a, j);
#undef ADD
    return (a + b) + (e + f);
}

INLINE double T(row_dot)(const REAL *RESTRICT x, const INDEX *RESTRICT col, idx_t length,
                         const double *RESTRICT w)
{
#if X86_LEVELS && WIDTH == 8
    if (GATHERS) return T(row_dot_gathered)(x, col, length, w);
#endif
    return T(row_dot_plain)(x, col, length, w);
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
    /* Of one output: short rows cost less than to look after the loops over outputs. */
    if (k == 1 && !(WIDTH == 8 && GATHERS)) {
        const double *RESTRICT w = coef;
        const double begin = *intercept;
        for (idx_t r = 0; r < n; r++) {
            ROW(ids[r]);
            eta[r] = begin + T(row_dot_plain)(x, col, length, w);
        }
        return;
    }
    for (idx_t r = 0; r < n; r++) {
        ROW(ids[r]);
        for (idx_t j = 0; j < k; j++)
            eta[r * k + j] = intercept[j] + T(row_dot)(x, col, length, coef + j * rows->d);
    }
}

/* sums (k, d) += slope.T @ rows; meanwhile the rows next (n_next) are prefetched. */
INLINE void T(accumulate)(const rows_t *rows, const idx_t *ids, idx_t n, idx_t k,
                          const double *slope, double *sums, const idx_t *next, idx_t n_next)
{
    if (k == 1 && !n_next) {
        double *RESTRICT out = sums;
        for (idx_t r = 0; r < n; r++) {
            ROW(ids[r]);
            const double g = slope[r];
            if (g != 0.0)
                for (idx_t c = 0; c < length; c++) out[col[c]] += g * (double)x[c];
        }
        return;
    }
    for (idx_t r = 0; r < n; r++) {
        ROW(ids[r]);
        if (r < n_next) T(prefetch_row)(rows, next[r]);
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

#if VECTORS

/* Written out with vector types: left to the compiler, a sum in vector registers ends in a
   chain of scalar additions that costs more than a short row. */
typedef double T(vec) __attribute__((vector_size(8 * WIDTH)));
typedef REAL T(raw) __attribute__((vector_size(sizeof(REAL) * WIDTH)));

INLINE T(vec) T(load)(const REAL *p)
{
    T(raw) v;
    memcpy(&v, p, sizeof(v));
    return __builtin_convertvector(v, T(vec));
}

INLINE T(vec) T(load_double)(const double *p)
{
    T(vec) v;
    memcpy(&v, p, sizeof(v));
    return v;
}

#if WIDTH >= 4
/* Half vectors, for what is left of a row. */
typedef double T(half) __attribute__((vector_size(4 * WIDTH)));
typedef REAL T(raw_half) __attribute__((vector_size(sizeof(REAL) * WIDTH / 2)));

INLINE T(half) T(load_half)(const REAL *p)
{
    T(raw_half) v;
    memcpy(&v, p, sizeof(v));
    return __builtin_convertvector(v, T(half));
}

INLINE T(half) T(load_double_half)(const double *p)
{
    T(half) v;
    memcpy(&v, p, sizeof(v));
    return v;
}

INLINE double T(total)(T(vec) v, T(half) h)
{
#if WIDTH == 8
    typedef double pair __attribute__((vector_size(16)));
    h += __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
    pair p = __builtin_shufflevector(h, h, 0, 1) + __builtin_shufflevector(h, h, 2, 3);
    return p[0] + p[1];
#else
    h += __builtin_shufflevector(v, v, 0, 1) + __builtin_shufflevector(v, v, 2, 3);
    return h[0] + h[1];
#endif
}
#endif

/* (x - m) . w, or x . w where m is NULL */
INLINE double T(dot)(const REAL *x, const double *m, const double *w, idx_t d)
{
#define TERM(at) \
    ((m ? T(load)(x + (at)) - T(load_double)(m + (at)) : T(load)(x + (at))) \
     * T(load_double)(w + (at)))
    T(vec) a = {0}, b = {0}, e = {0}, f = {0};
    double rest = 0.0;
    idx_t c = 0;
    for (; c + 4 * WIDTH <= d; c += 4 * WIDTH) {
        a += TERM(c);
        b += TERM(c + WIDTH);
        e += TERM(c + 2 * WIDTH);
        f += TERM(c + 3 * WIDTH);
    }
    for (; c + WIDTH <= d; c += WIDTH) a += TERM(c);
#undef TERM
#if WIDTH >= 4
    T(half) h = {0};
    if (c + WIDTH / 2 <= d) {
        h = T(load_half)(x + c);
        if (m) h -= T(load_double_half)(m + c);
        h *= T(load_double_half)(w + c);
        c += WIDTH / 2;
    }
    for (; c < d; c++) rest += ((double)x[c] - (m ? m[c] : 0.0)) * w[c];
    return T(total)((a + b) + (e + f), h) + rest;
#else
    for (; c < d; c++) rest += ((double)x[c] - (m ? m[c] : 0.0)) * w[c];
    a += b + e + f;
    return a[0] + a[1] + rest;
#endif
}

/* Four dots with one reading of w; four sums hide the latency of an addition. */
INLINE void T(four_dots)(const REAL *x0, const REAL *x1, const REAL *x2, const REAL *x3,
                         const double *w, idx_t d, double *out)
{
    T(vec) a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0}, v;
    double rest0 = 0.0, rest1 = 0.0, rest2 = 0.0, rest3 = 0.0;
    idx_t c = 0;
    for (; c + WIDTH <= d; c += WIDTH) {
        v = T(load_double)(w + c);
        a0 += T(load)(x0 + c) * v;
        a1 += T(load)(x1 + c) * v;
        a2 += T(load)(x2 + c) * v;
        a3 += T(load)(x3 + c) * v;
    }
#if WIDTH >= 4
    T(half) h0 = {0}, h1 = {0}, h2 = {0}, h3 = {0}, u;
    if (c + WIDTH / 2 <= d) {
        u = T(load_double_half)(w + c);
        h0 = T(load_half)(x0 + c) * u;
        h1 = T(load_half)(x1 + c) * u;
        h2 = T(load_half)(x2 + c) * u;
        h3 = T(load_half)(x3 + c) * u;
        c += WIDTH / 2;
    }
#endif
    for (; c < d; c++) {
        rest0 += (double)x0[c] * w[c];
        rest1 += (double)x1[c] * w[c];
        rest2 += (double)x2[c] * w[c];
        rest3 += (double)x3[c] * w[c];
    }
#if WIDTH >= 4
    out[0] = T(total)(a0, h0) + rest0;
    out[1] = T(total)(a1, h1) + rest1;
    out[2] = T(total)(a2, h2) + rest2;
    out[3] = T(total)(a3, h3) + rest3;
#else
    out[0] = a0[0] + a0[1] + rest0;
    out[1] = a1[0] + a1[1] + rest1;
    out[2] = a2[0] + a2[1] + rest2;
    out[3] = a3[0] + a3[1] + rest3;
#endif
}

#include "_tiles_each.h"

#else

INLINE double T(dot)(const REAL *x, const double *m, const double *w, idx_t d)
{
    double sum = 0.0;
    for (idx_t c = 0; c < d; c++) sum += ((double)x[c] - (m ? m[c] : 0.0)) * w[c];
    return sum;
}

INLINE void T(four_dots)(const REAL *x0, const REAL *x1, const REAL *x2, const REAL *x3,
                         const double *w, idx_t d, double *out)
{
    out[0] = T(dot)(x0, NULL, w, d);
    out[1] = T(dot)(x1, NULL, w, d);
    out[2] = T(dot)(x2, NULL, w, d);
    out[3] = T(dot)(x3, NULL, w, d);
}

#endif

INLINE void T(prefetch_start)(const rows_t *rows, idx_t i) { (void)rows; (void)i; }

INLINE void T(prefetch_row)(const rows_t *rows, idx_t i)
{
    prefetch_range((const char *)((const REAL *)rows->data + i * rows->d),
                   rows->d * (idx_t)sizeof(REAL));
}

/* eta (n, k) = intercept + rows @ coef.T */
INLINE void T(margins)(const rows_t *rows, const idx_t *ids, idx_t n, idx_t k,
                       const double *coef, const double *intercept, double *eta)
{
    const idx_t d = rows->d;
    const REAL *data = (const REAL *)rows->data;
#if VECTORS
    if (k > 1 && d >= TILE_LEAST) {
        T(margins_wide)(data, d, ids, n, k, coef, intercept, eta);
        return;
    }
#endif
    for (idx_t j = 0; j < k; j++) {
        const double *RESTRICT w = coef + j * d;
        idx_t r = 0;
        for (; r + 4 <= n; r += 4) {
            double dots[4];
            T(four_dots)(data + ids[r] * d, data + ids[r + 1] * d, data + ids[r + 2] * d,
                         data + ids[r + 3] * d, w, d, dots);
            for (int q = 0; q < 4; q++) eta[(r + q) * k + j] = intercept[j] + dots[q];
        }
        for (; r < n; r++)
            eta[r * k + j] = intercept[j] + T(dot)(data + ids[r] * d, NULL, w, d);
    }
}

#if VECTORS

/* sums (d,) += slope.T @ rows of one output, for rows of whole vectors n, a half one or none, and
   a few numbers: the sums stay in registers, as a short row costs less than reading them. */
INLINE void T(accumulate_short)(const REAL *data, idx_t d, const idx_t *ids, idx_t n, idx_t k,
                                const double *slope, double *RESTRICT sums, const idx_t *next,
                                idx_t n_next, const int whole)
{
    T(vec) sum[4] = {{0}};
    double rest[WIDTH] = {0};
#if WIDTH >= 4
    T(half) h = {0};
    const int half = d - whole * WIDTH >= WIDTH / 2;
#else
    const int half = 0;
#endif
    const idx_t from = whole * WIDTH + (half ? WIDTH / 2 : 0);
    for (idx_t r = 0; r < n; r++) {
        const REAL *RESTRICT x = data + ids[r] * d;
        const double g = slope[r * k];
        if (r < n_next) prefetch_range((const char *)(data + next[r] * d), d * (idx_t)sizeof(REAL));
        for (int q = 0; q < whole; q++) sum[q] += T(load)(x + q * WIDTH) * g;
#if WIDTH >= 4
        if (half) h += T(load_half)(x + whole * WIDTH) * g;
#endif
        for (idx_t c = from; c < d; c++) rest[c - from] += g * (double)x[c];
    }
    for (int q = 0; q < whole; q++)
        for (int i = 0; i < WIDTH; i++) sums[q * WIDTH + i] += sum[q][i];
#if WIDTH >= 4
    for (int i = 0; half && i < WIDTH / 2; i++) sums[whole * WIDTH + i] += h[i];
#endif
    for (idx_t c = from; c < d; c++) sums[c] += rest[c - from];
}

#undef SHORT_ROW
#define SHORT_ROW (5 * WIDTH - 1)

INLINE void T(accumulate_one)(const REAL *data, idx_t d, const idx_t *ids, idx_t n, idx_t k,
                              const double *slope, double *RESTRICT sums, const idx_t *next,
                              idx_t n_next)
{
#define SHORT(whole) \
    T(accumulate_short)(data, d, ids, n, k, slope, sums, next, n_next, whole)
    switch (d / WIDTH) {
        case 0: SHORT(0); break;
        case 1: SHORT(1); break;
        case 2: SHORT(2); break;
        case 3: SHORT(3); break;
        default: SHORT(4); break;
    }
#undef SHORT
}

#endif

/* sums (k, d) += slope.T @ rows, four rows at a time: a quarter of the writes. Meanwhile the
   rows next (n_next) are prefetched: memory would be idle here, as these rows are in cache. */
INLINE void T(accumulate)(const rows_t *rows, const idx_t *ids, idx_t n, idx_t k,
                          const double *slope, double *sums, const idx_t *next, idx_t n_next)
{
    const idx_t d = rows->d;
    const REAL *data = (const REAL *)rows->data;
#if VECTORS
    if (k > 1 && d >= TILE_LEAST) {
        T(accumulate_wide)(data, d, ids, n, k, slope, sums, next, n_next);
        return;
    }
    if (d <= SHORT_ROW) {
        for (idx_t j = 0; j < k; j++)
            T(accumulate_one)(data, d, ids, n, k, slope + j, sums + j * d, next, j ? 0 : n_next);
        return;
    }
#endif
    for (idx_t j = 0; j < k; j++) {
        double *RESTRICT out = sums + j * d;
        idx_t r = 0;
        for (; r + 4 <= n; r += 4) {
            const REAL *RESTRICT x0 = data + ids[r] * d, *RESTRICT x1 = data + ids[r + 1] * d;
            const REAL *RESTRICT x2 = data + ids[r + 2] * d, *RESTRICT x3 = data + ids[r + 3] * d;
            const double g0 = slope[r * k + j], g1 = slope[(r + 1) * k + j];
            const double g2 = slope[(r + 2) * k + j], g3 = slope[(r + 3) * k + j];
            for (idx_t left = 0; left < d; left += TILE) {
                const idx_t right = left + TILE < d ? left + TILE : d;
                for (idx_t q = r; j == 0 && q < r + 4 && q < n_next; q++)
                    prefetch_range((const char *)(data + next[q] * d + left),
                                   (right - left) * (idx_t)sizeof(REAL));
                idx_t c = left;
#if VECTORS
                /* Left to itself the compiler takes half as wide vectors, which costs time where
                   numbers are converted. */
                for (; c + WIDTH <= right; c += WIDTH) {
                    const T(vec) v = T(load_double)(out + c)
                                     + ((g0 * T(load)(x0 + c) + g1 * T(load)(x1 + c))
                                        + (g2 * T(load)(x2 + c) + g3 * T(load)(x3 + c)));
                    memcpy(out + c, &v, sizeof(v));
                }
#if WIDTH >= 4
                if (c + WIDTH / 2 <= right) {
                    const T(half) v = T(load_double_half)(out + c)
                                      + ((g0 * T(load_half)(x0 + c) + g1 * T(load_half)(x1 + c))
                                         + (g2 * T(load_half)(x2 + c) + g3 * T(load_half)(x3 + c)));
                    memcpy(out + c, &v, sizeof(v));
                    c += WIDTH / 2;
                }
#endif
#endif
                SIMD for (idx_t e = c; e < right; e++)
                    out[e] += (g0 * (double)x0[e] + g1 * (double)x1[e])
                              + (g2 * (double)x2[e] + g3 * (double)x3[e]);
            }
        }
        for (; r < n; r++) {
            const REAL *RESTRICT x0 = data + ids[r] * d;
            const double g0 = slope[r * k + j];
            SIMD for (idx_t c = 0; c < d; c++) out[c] += g0 * (double)x0[c];
        }
    }
}

#endif
