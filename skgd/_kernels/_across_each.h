/* Included once per layout by _across.h. */

#if SPARSE

#if VECTORS
typedef double T(piece) __attribute__((vector_size(8 * LANE)));
#define PIECE T(piece)
#define LOAD_PIECE(v, p) memcpy(&(v), (p), sizeof(v))
#define STORE_PIECE(p, v) memcpy((p), &(v), sizeof(v))
#define ADD_PIECE(v, a, w) (v) += (a) * (w)
#else
typedef struct { double at[LANE]; } T(piece);
#define PIECE T(piece)
#define LOAD_PIECE(v, p) memcpy(&(v), (p), sizeof(v))
#define STORE_PIECE(p, v) memcpy((p), &(v), sizeof(v))
#define ADD_PIECE(v, a, w) \
    for (int lane = 0; lane < LANE; lane++) (v).at[lane] += (a) * (w).at[lane]
#endif

/* to (pieces * LANE,) = the sum over a row of an entry times its column's part of the table. */
INLINE void T(row_times)(const REAL *RESTRICT x, const INDEX *RESTRICT col, idx_t length,
                         const double *RESTRICT table, idx_t width, int pieces,
                         double *RESTRICT to)
{
    PIECE sum[MOST_LANES], w;
    memset(sum, 0, sizeof(sum));
    for (idx_t p = 0; p < length; p++) {
        const double *from = table + (idx_t)col[p] * width;
        const double a = (double)x[p];
        if (p + ENTRIES_AHEAD < length)
            prefetch_pieces(table + (idx_t)col[p + ENTRIES_AHEAD] * width, pieces);
        for (int q = 0; q < pieces; q++) {
            LOAD_PIECE(w, from + q * LANE);
            ADD_PIECE(sum[q], a, w);
        }
    }
    memcpy(to, sum, (size_t)pieces * sizeof(sum[0]));
}

/* table (d, width) gains a row's entries times from (pieces * LANE,). */
INLINE void T(row_into)(const REAL *RESTRICT x, const INDEX *RESTRICT col, idx_t length,
                        double *RESTRICT table, idx_t width, int pieces,
                        const double *RESTRICT from)
{
    PIECE g[MOST_LANES], w;
    memcpy(g, from, (size_t)pieces * sizeof(g[0]));
    for (idx_t p = 0; p < length; p++) {
        double *to = table + (idx_t)col[p] * width;
        const double a = (double)x[p];
        if (p + ENTRIES_AHEAD < length)
            prefetch_pieces(table + (idx_t)col[p + ENTRIES_AHEAD] * width, pieces);
        for (int q = 0; q < pieces; q++) {
            LOAD_PIECE(w, to + q * LANE);
            ADD_PIECE(w, a, g[q]);
            STORE_PIECE(to + q * LANE, w);
        }
    }
}

/* Written out by number, so that the sums stay in registers. */
#define BY_PIECES(pieces, call)    \
    switch (pieces) {              \
        case 1: call(1); break;    \
        case 2: call(2); break;    \
        case 3: call(3); break;    \
        default: call(4); break;   \
    }

static void T(linear_across)(const rows_t *rows, idx_t start, idx_t stop, idx_t k, idx_t width,
                             const double *table, const double *intercept, double *eta)
{
    const INDEX *indptr = (const INDEX *)rows->indptr;
    double sums[MOST_LANES * LANE];
    for (idx_t i = start; i < stop; i++) {
        const idx_t at = indptr[i], length = indptr[i + 1] - at;
        const REAL *x = (const REAL *)rows->data + at;
        const INDEX *col = (const INDEX *)rows->indices + at;
        double *out = eta + (i - start) * k;
        for (idx_t left = 0; left < width; left += MOST_LANES * LANE) {
            const idx_t some = (width - left) / LANE;
            const int pieces = some < MOST_LANES ? (int)some : MOST_LANES;
#define TIMES(n) T(row_times)(x, col, length, table + left, width, n, sums)
            BY_PIECES(pieces, TIMES)
#undef TIMES
            for (idx_t j = left; j < k && j < left + pieces * LANE; j++)
                out[j] = intercept[j] + sums[j - left];
        }
    }
}

static void T(adjoint_across)(const rows_t *rows, idx_t k, const double *u, idx_t first,
                              idx_t count, idx_t width, double *sums)
{
    const INDEX *indptr = (const INDEX *)rows->indptr;
    double g[MOST_LANES * LANE];
    memset(sums, 0, (size_t)(rows->d * width) * sizeof(double));
    for (idx_t i = 0; i < rows->n_rows; i++) {
        const idx_t at = indptr[i], length = indptr[i + 1] - at;
        const REAL *x = (const REAL *)rows->data + at;
        const INDEX *col = (const INDEX *)rows->indices + at;
        const double *from = u + i * k + first;
        for (idx_t left = 0; left < width; left += MOST_LANES * LANE) {
            const idx_t some = (width - left) / LANE;
            const int pieces = some < MOST_LANES ? (int)some : MOST_LANES;
            for (idx_t j = 0; j < pieces * LANE; j++)
                g[j] = left + j < count ? from[left + j] : 0.0;
#define INTO(n) T(row_into)(x, col, length, sums + left, width, n, g)
            BY_PIECES(pieces, INTO)
#undef INTO
        }
    }
}

#undef BY_PIECES
#undef PIECE
#undef LOAD_PIECE
#undef STORE_PIECE
#undef ADD_PIECE

#endif
