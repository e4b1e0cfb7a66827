/* Included once per layout by _gram.h. */

/* Writes a row into column r of the panels, which begin some numbers apart; of the centres and
   inverse scales there are as many as columns in panels. */
INLINE void T(write_out)(const rows_t *rows, const gram_t *a, idx_t i, idx_t r, idx_t apart,
                         const double *RESTRICT shift, const double *RESTRICT inv_scale,
                         double *panels)
{
    const idx_t d = rows->d;
    idx_t c = 0;
#define AT(c) panels[(c) / PANEL * apart + r * PANEL + (c) % PANEL]
#if SPARSE
    const idx_t start = ((const INDEX *)rows->indptr)[i];
    const idx_t stop = ((const INDEX *)rows->indptr)[i + 1];
    const REAL *x = (const REAL *)rows->data;
    const INDEX *col = (const INDEX *)rows->indices;
    for (; c < d; c++) AT(c) = -shift[c] * inv_scale[c];
    for (idx_t p = start; p < stop; p++) AT(col[p]) += (double)x[p] * inv_scale[col[p]];
#else
    const REAL *RESTRICT x = (const REAL *)rows->data + i * d;
    for (; c + PANEL <= d; c += PANEL) {
        double *RESTRICT to = panels + c / PANEL * apart + r * PANEL;
        SIMD for (int q = 0; q < PANEL; q++)
            to[q] = ((double)x[c + q] - shift[c + q]) * inv_scale[c + q];
    }
    for (; c < d; c++) AT(c) = ((double)x[c] - shift[c]) * inv_scale[c];
    for (idx_t q = i * a->n_more; c < d + a->n_more; c++, q++)
        AT(c) = (a->more[q] - shift[c]) * inv_scale[c];
#endif
    AT(d + a->n_more) = 1.0;
#undef AT
}

/* Panels of a tile: what registers hold beside the sums of as many columns as a vector has. */
#undef TILE_PANELS
#define TILE_PANELS (VECTORS && WIDTH == 8 ? 3 : 1)

#if VECTORS

#define LANES (PANEL / WIDTH)
typedef double T(lanes) __attribute__((vector_size(8 * WIDTH)));

/* tile (WIDTH rows of width) += the products of WIDTH columns of left and some panels right. */
INLINE void T(tile)(const double *RESTRICT left, const double *RESTRICT right, idx_t apart,
                    idx_t n, double *RESTRICT tile, idx_t width, const int panels)
{
    T(lanes) sums[WIDTH][TILE_PANELS * LANES] = {{{0}}}, with[TILE_PANELS * LANES];
    for (idx_t r = 0; r < n; r++) {
        UNROLL for (int p = 0; p < panels; p++)
            memcpy(with + p * LANES, right + p * apart + r * PANEL, PANEL * sizeof(double));
        UNROLL for (int i = 0; i < WIDTH; i++)
            UNROLL for (int v = 0; v < panels * LANES; v++)
                sums[i][v] += left[r * PANEL + i] * with[v];
    }
    UNROLL for (int i = 0; i < WIDTH; i++)
        UNROLL for (int v = 0; v < panels * LANES; v++) {
            double *to = tile + i * width + v * WIDTH;
            memcpy(with, to, sizeof(with[0]));
            with[0] += sums[i][v];
            memcpy(to, with, sizeof(with[0]));
        }
}
#define TILE_ROWS WIDTH
#undef LANES

#else

INLINE void T(tile)(const double *left, const double *right, idx_t apart, idx_t n, double *tile,
                    idx_t width, const int panels)
{
    for (idx_t r = 0; r < n; r++)
        for (int q = 0; q < PANEL; q++) tile[q] += left[r * PANEL] * right[r * PANEL + q];
    (void)apart, (void)width, (void)panels;
}
#define TILE_ROWS 1

#endif

/* With the number of panels as a constant, which loops are unrolled by. */
#undef BY_PANELS
#define BY_PANELS(wide, ...)                          \
    switch (wide) {                                   \
        case 1: T(tile)(__VA_ARGS__, 1); break;       \
        case 2: T(tile)(__VA_ARGS__, 2); break;       \
        default: T(tile)(__VA_ARGS__, TILE_PANELS);   \
    }

/* Every row written out, block by block, and the products of panels added up. */
static int T(gram_dense)(const rows_t *rows, const gram_t *a)
{
    const idx_t D = rows->d + a->n_more + 1;
    const idx_t n_panels = (D + PANEL - 1) / PANEL, width = n_panels * PANEL;
    idx_t size = GRAM_BYTES / (width * (idx_t)sizeof(double));
    size = size < 8 ? 8 : (size > GRAM_ROWS ? GRAM_ROWS : size);
    /* A row more than there are: at a power of two panels would get into each other's way in
       cache. The last panel is filled up with zeros, which stay. */
    const idx_t apart = (size + 1) * PANEL, block = n_panels * apart;
    double *z = calloc((size_t)(2 * block + a->n_sets * width * width + 2 * width), sizeof(double));
    if (z == NULL) return -1;
    double *bent = z + block, *sums = bent + block;
    double *shift = sums + a->n_sets * width * width, *inv_scale = shift + width;
    for (idx_t c = 0; c < D - 1; c++) {
        shift[c] = a->shift ? a->shift[c] : 0.0;
        inv_scale[c] = a->inv_scale ? a->inv_scale[c] : 1.0;
    }
    for (idx_t first = 0; first < a->m; first += size) {
        const idx_t n = first + size < a->m ? size : a->m - first;
        for (idx_t r = 0; r < n; r++)
            T(write_out)(rows, a, a->order[first + r], r, apart, shift, inv_scale, z);
        for (idx_t t = 0; t < a->n_sets; t++) {
            const double *left = bent;
            double *out = sums + t * width * width;
            int ones = a->n_sets == 1;
            for (idx_t r = 0; ones && r < n; r++) ones = a->h[first + r] == 1.0;
            if (ones) left = z;
            for (idx_t p = 0; p < n_panels && !ones; p++)
                for (idx_t r = 0; r < n; r++) {
                    const double h = a->h[(first + r) * a->n_sets + t];
                    const double *RESTRICT from = z + p * apart + r * PANEL;
                    double *RESTRICT to = bent + p * apart + r * PANEL;
                    SIMD for (int q = 0; q < PANEL; q++) to[q] = h * from[q];
                }
            for (idx_t p = 0; p < n_panels; p++)
                for (idx_t q = p, wide; q < n_panels; q += wide) {
                    wide = n_panels - q < TILE_PANELS ? n_panels - q : TILE_PANELS;
                    for (int i = 0; i < PANEL; i += TILE_ROWS)
                        BY_PANELS(wide, left + p * apart + i, z + q * apart, apart, n,
                                  out + (p * PANEL + i) * width + q * PANEL, width)
                }
        }
    }
    for (idx_t t = 0; t < a->n_sets; t++)
        for (idx_t i = 0; i < D; i++)
            for (idx_t j = i; j < D; j++)
                a->out[(t * D + i) * D + j] += sums[(t * width + i) * width + j];
    free(z);
    return 0;
}
#undef TILE_ROWS

#if SPARSE

/* Products of stored entries alone; the shift is taken off the sums. */
static int T(gram_stored)(const rows_t *rows, const gram_t *a)
{
    const idx_t d = rows->d, D = d + 1;
    const INDEX *indptr = (const INDEX *)rows->indptr, *indices = (const INDEX *)rows->indices;
    idx_t longest = 0;
    for (idx_t r = 0; r < a->m; r++) {
        const idx_t length = indptr[a->order[r] + 1] - indptr[a->order[r]];
        longest = length > longest ? length : longest;
    }
    double *x = malloc(((size_t)longest + (size_t)(a->n_sets * D)) * sizeof(double));
    if (x == NULL) return -1;
    double *sums = x + longest; /* of x and of 1, as the last column has them, by set */
    memset(sums, 0, (size_t)(a->n_sets * D) * sizeof(double));
    for (idx_t r = 0; r < a->m; r++) {
        const idx_t start = indptr[a->order[r]], length = indptr[a->order[r] + 1] - start;
        const INDEX *RESTRICT col = indices + start;
        int sorted = 1;
        for (idx_t p = 0; p < length; p++) {
            x[p] = (double)((const REAL *)rows->data)[start + p]
                   * (a->inv_scale ? a->inv_scale[col[p]] : 1.0);
            sorted &= p == 0 || col[p] > col[p - 1];
        }
        for (idx_t t = 0; t < a->n_sets; t++) {
            const double h = a->h[r * a->n_sets + t];
            double *out = a->out + t * D * D, *of = sums + t * D;
            of[d] += h;
            for (idx_t p = 0; p < length; p++) {
                const double hx = h * x[p];
                double *RESTRICT line = out + (idx_t)col[p] * D;
                of[col[p]] += hx;
                if (sorted) {
                    for (idx_t q = p; q < length; q++) line[col[q]] += hx * x[q];
                } else {
                    /* Also where a column is stored twice: all pairs, each in the upper half. */
                    for (idx_t q = 0; q < length; q++)
                        if (col[q] >= col[p]) line[col[q]] += hx * x[q];
                }
            }
        }
    }
    for (idx_t t = 0; t < a->n_sets; t++) {
        double *out = a->out + t * D * D, *of = sums + t * D;
        const double total = of[d];
        for (idx_t i = 0; i < d; i++) {
            const double m = a->shift ? a->shift[i] * (a->inv_scale ? a->inv_scale[i] : 1.0) : 0.0;
            out[i * D + d] += of[i] - total * m;
            for (idx_t j = i; a->shift && j < d; j++) {
                const double o = a->shift[j] * (a->inv_scale ? a->inv_scale[j] : 1.0);
                out[i * D + j] += m * (total * o - of[j]) - of[i] * o;
            }
        }
        out[d * D + d] += total;
    }
    free(x);
    return 0;
}

#endif

static int T(gram)(const rows_t *rows, const gram_t *a)
{
#if SPARSE
    const idx_t nnz = ((const INDEX *)rows->indptr)[rows->n_rows];
    if ((double)nnz <= WRITTEN_OUT * (double)rows->n_rows * (double)rows->d)
        return T(gram_stored)(rows, a);
#endif
    return T(gram_dense)(rows, a);
}
