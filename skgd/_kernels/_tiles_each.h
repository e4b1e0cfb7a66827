/* Rows times several outputs: a tile of them has its sums in registers, so that neither rows nor
   coefficients are read anew for each product. Included by _rows_each.h for dense rows. */

#undef TILE_OUTPUTS
#define TILE_OUTPUTS (WIDTH == 8 ? 5 : 2) /* with four rows or vectors: what registers hold */
#define TILE_LEAST WIDTH                  /* columns: the last vector begins within the row */

typedef long long T(bits) __attribute__((vector_size(8 * WIDTH)));

/* Ones where the last vector of a row holds numbers that those before it do not. */
INLINE T(bits) T(unseen)(idx_t d)
{
    T(bits) lanes = {0};
    for (int i = 0; i < WIDTH; i++) lanes[i] = i >= WIDTH - d % WIDTH ? -1 : 0;
    return lanes;
}

INLINE T(vec) T(load_unseen)(const REAL *p, T(bits) lanes)
{
    return (T(vec))((T(bits))T(load)(p) & lanes);
}

/* eta of some rows and outputs: high rows, wide outputs. */
INLINE void T(dots_tile)(const REAL *data, const idx_t *ids, const double *w, idx_t d, idx_t k,
                         const double *intercept, double *eta, const int high, const int wide)
{
    const REAL *x[4];
    T(vec) sum[4 * TILE_OUTPUTS] = {{0}}, at[4];
    idx_t c = 0;
    for (int q = 0; q < high; q++) x[q] = data + ids[q] * d;
    for (; c + WIDTH <= d; c += WIDTH) {
        UNROLL for (int q = 0; q < high; q++) at[q] = T(load)(x[q] + c);
        UNROLL for (int j = 0; j < wide; j++) {
            const T(vec) v = T(load_double)(w + j * d + c);
            UNROLL for (int q = 0; q < high; q++) sum[4 * j + q] += at[q] * v;
        }
    }
    if (c < d) {
        const T(bits) lanes = T(unseen)(d);
        c = d - WIDTH;
        UNROLL for (int q = 0; q < high; q++) at[q] = T(load_unseen)(x[q] + c, lanes);
        UNROLL for (int j = 0; j < wide; j++) {
            const T(vec) v = T(load_double)(w + j * d + c);
            UNROLL for (int q = 0; q < high; q++) sum[4 * j + q] += at[q] * v;
        }
    }
    UNROLL for (int j = 0; j < wide; j++)
        UNROLL for (int q = 0; q < high; q++)
#if WIDTH >= 4
            eta[q * k + j] = intercept[j] + T(total)(sum[4 * j + q], (T(half)){0});
#else
            eta[q * k + j] = intercept[j] + (sum[4 * j + q][0] + sum[4 * j + q][1]);
#endif
}

/* sums of some outputs += slope.T @ rows, in some vectors of columns from c on. */
INLINE void T(sums_tile)(const REAL *data, const idx_t *ids, idx_t n, idx_t d, idx_t k,
                         const double *slope, double *sums, idx_t c, T(bits) lanes,
                         const int vectors, const int wide)
{
    T(vec) sum[4 * TILE_OUTPUTS] = {{0}}, at[4];
    for (idx_t r = 0; r < n; r++) {
        const REAL *x = data + ids[r] * d + c;
        UNROLL for (int v = 0; v < vectors; v++)
            at[v] = vectors == 1 ? T(load_unseen)(x, lanes) : T(load)(x + v * WIDTH);
        UNROLL for (int j = 0; j < wide; j++)
            UNROLL for (int v = 0; v < vectors; v++) sum[4 * j + v] += at[v] * slope[r * k + j];
    }
    UNROLL for (int j = 0; j < wide; j++)
        UNROLL for (int v = 0; v < vectors; v++) {
            double *out = sums + j * d + c + v * WIDTH;
            const T(vec) all = T(load_double)(out) + sum[4 * j + v];
            memcpy(out, &all, sizeof(all));
        }
}

INLINE void T(sums_of)(const REAL *data, const idx_t *ids, idx_t n, idx_t d, idx_t k,
                       const double *slope, double *sums, const int wide)
{
    T(bits) every;
    idx_t c = 0;
    for (int i = 0; i < WIDTH; i++) every[i] = -1;
    for (; c + 4 * WIDTH <= d; c += 4 * WIDTH)
        T(sums_tile)(data, ids, n, d, k, slope, sums, c, every, 4, wide);
    if (c + 2 * WIDTH <= d) {
        T(sums_tile)(data, ids, n, d, k, slope, sums, c, every, 2, wide);
        c += 2 * WIDTH;
    }
    if (c + WIDTH <= d) {
        T(sums_tile)(data, ids, n, d, k, slope, sums, c, every, 1, wide);
        c += WIDTH;
    }
    if (c < d) T(sums_tile)(data, ids, n, d, k, slope, sums, d - WIDTH, T(unseen)(d), 1, wide);
}

/* Outputs first .. first + wide of the tile that begins with first: tiles are nearly equal. */
INLINE idx_t T(tile_width)(idx_t k, idx_t first)
{
    const idx_t left = k - first, tiles = (left + TILE_OUTPUTS - 1) / TILE_OUTPUTS;
    return (left + tiles - 1) / tiles;
}

/* Calls f with the number of outputs as a constant, which its loops are unrolled by. */
#undef BY_TILE
#if WIDTH == 8
#define BY_TILE(wide, f, ...)                \
    switch (wide) {                          \
        case 1: f(__VA_ARGS__, 1); break;    \
        case 2: f(__VA_ARGS__, 2); break;    \
        case 3: f(__VA_ARGS__, 3); break;    \
        case 4: f(__VA_ARGS__, 4); break;    \
        default: f(__VA_ARGS__, 5); break;   \
    }
#else
#define BY_TILE(wide, f, ...)                \
    switch (wide) {                          \
        case 1: f(__VA_ARGS__, 1); break;    \
        default: f(__VA_ARGS__, 2); break;   \
    }
#endif

/* eta (n, k) = intercept + rows @ coef.T */
static void T(margins_wide)(const REAL *data, idx_t d, const idx_t *ids, idx_t n, idx_t k,
                            const double *coef, const double *intercept, double *eta)
{
    for (idx_t j = 0, wide; j < k; j += wide) {
        idx_t r = 0;
        wide = T(tile_width)(k, j);
        for (; r + 4 <= n; r += 4)
            BY_TILE(wide, T(dots_tile), data, ids + r, coef + j * d, d, k, intercept + j,
                    eta + r * k + j, 4)
        for (; r < n; r++)
            BY_TILE(wide, T(dots_tile), data, ids + r, coef + j * d, d, k, intercept + j,
                    eta + r * k + j, 1)
    }
}

/* sums (k, d) += slope.T @ rows */
static void T(accumulate_wide)(const REAL *data, idx_t d, const idx_t *ids, idx_t n, idx_t k,
                               const double *slope, double *sums, const idx_t *next, idx_t n_next)
{
    for (idx_t r = 0; r < n_next; r++)
        prefetch_range((const char *)(data + next[r] * d), d * (idx_t)sizeof(REAL));
    for (idx_t j = 0, wide; j < k; j += wide) {
        wide = T(tile_width)(k, j);
        BY_TILE(wide, T(sums_of), data, ids, n, d, k, slope + j, sums + j * d)
    }
}
