/* Included once per layout by _moments.h. */

#if SPARSE

/* Only stored values are visited; the zeros join as a second group (Chan's formula).
   A column's first stored value serves as its shift. */
static void T(moments)(const rows_t *rows, double mass, double count,
                              const double *shift0, double *mean, double *var, double *low,
                              double *high, column_t *work)
{
    const INDEX *indptr = (const INDEX *)rows->indptr, *col = (const INDEX *)rows->indices;
    const REAL *data = (const REAL *)rows->data;
    (void)shift0;
    memset(work, 0, (size_t)rows->d * sizeof(column_t));
    for (idx_t i = 0; i < rows->n_rows; i++) {
        const double s = rows->s[i];
        if (!(s > 0.0)) continue;
        for (idx_t p = indptr[i]; p < indptr[i + 1]; p++) {
            column_t *at = work + col[p];
            const double x = (double)data[p];
            if (at->count == 0.0) at->shift = at->low = at->high = x;
            const double z = x - at->shift;
            at->mass += s;
            at->first += s * z;
            at->second += s * z * z;
            at->low = x < at->low ? x : at->low;
            at->high = x > at->high ? x : at->high;
            at->count += 1.0;
        }
    }
    for (idx_t c = 0; c < rows->d; c++) {
        const column_t *at = work + c;
        const int has_zeros = at->count < count;
        double m = 0.0, spread = 0.0, part = 0.0;
        if (at->count > 0.0) {
            m = at->shift + at->first / at->mass;
            spread = at->second - at->first * at->first / at->mass;
            spread = spread > 0.0 ? spread : 0.0;
            part = has_zeros ? at->mass / mass : 1.0;
            low[c] = at->low;
            high[c] = at->high;
        }
        if (has_zeros) {
            low[c] = low[c] < 0.0 ? low[c] : 0.0;
            high[c] = high[c] > 0.0 ? high[c] : 0.0;
        }
        mean[c] = m * part;
        var[c] = spread / mass + m * m * part * (1.0 - part);
    }
}

static void T(norms)(const rows_t *rows, const double *shift, const double *inv_scale,
                            double *out)
{
    const INDEX *indptr = (const INDEX *)rows->indptr, *col = (const INDEX *)rows->indices;
    const REAL *data = (const REAL *)rows->data;
    double zeros = 0.0; /* norm of a row without stored values */
    if (shift)
        for (idx_t c = 0; c < rows->d; c++) {
            const double z = shift[c] * (inv_scale ? inv_scale[c] : 1.0);
            zeros += z * z;
        }
    for (idx_t i = 0; i < rows->n_rows; i++) {
        double sum = zeros;
        for (idx_t p = indptr[i]; p < indptr[i + 1]; p++) {
            const double scale = inv_scale ? inv_scale[col[p]] : 1.0;
            const double x = (double)data[p];
            /* (x - m)^2 - m^2 without the difference of squares */
            sum += x * (shift ? x - 2.0 * shift[col[p]] : x) * scale * scale;
        }
        out[i] = sum > 0.0 ? sum : 0.0;
    }
}

#else

#define CHUNK 256 /* rows after which the sums move to the mean so far */
#define BLOCK 64  /* of them, which stay in the first or second cache */

#if VECTORS

typedef long long T(lanes_mask) __attribute__((vector_size(8 * WIDTH)));

/* a where yes, b elsewhere. */
INLINE T(vec) T(choose)(T(lanes_mask) yes, T(vec) a, T(vec) b)
{
    return (T(vec))(((T(lanes_mask))a & yes) | ((T(lanes_mask))b & ~yes));
}

#define MOST_SIDE (WIDTH == 8 ? 4 : 2) /* vectors whose sums fit in the registers */

/* Adds sums about m over n rows of side * WIDTH columns from left on, which stay in registers;
   meanwhile the rows that lie ahead, by so many bytes, come nearer. */
INLINE void T(side_sums)(const REAL *const *x, const double *s, idx_t n, idx_t left, idx_t ahead,
                         const double *m, double *first, double *second, double *low,
                         double *high, const int side)
{
    T(vec) mean[MOST_SIDE], one[MOST_SIDE], two[MOST_SIDE], least[MOST_SIDE], most[MOST_SIDE];
    for (int v = 0; v < side; v++) {
        mean[v] = T(load_double)(m + v * WIDTH);
        one[v] = T(load_double)(first + v * WIDTH);
        two[v] = T(load_double)(second + v * WIDTH);
        least[v] = T(load_double)(low + v * WIDTH);
        most[v] = T(load_double)(high + v * WIDTH);
    }
    for (idx_t r = 0; r < n; r++) {
        const REAL *row = x[r] + left;
        for (int v = 0; v < side; v++) PREFETCH((const char *)(row + v * WIDTH) + ahead);
        for (int v = 0; v < side; v++) {
            const T(vec) value = T(load)(row + v * WIDTH), z = value - mean[v], p = s[r] * z;
            one[v] += p;
            two[v] += p * z;
            least[v] = T(choose)(value < least[v], value, least[v]);
            most[v] = T(choose)(value > most[v], value, most[v]);
        }
    }
    for (int v = 0; v < side; v++) {
        memcpy(first + v * WIDTH, &one[v], sizeof(one[v]));
        memcpy(second + v * WIDTH, &two[v], sizeof(two[v]));
        memcpy(low + v * WIDTH, &least[v], sizeof(least[v]));
        memcpy(high + v * WIDTH, &most[v], sizeof(most[v]));
    }
}

/* The same of all columns, the last WIDTH of them with sums of their own where they overlap. */
INLINE void T(vector_sums)(const REAL *const *x, const double *s, idx_t n, idx_t d,
                           const double *m, double *first, double *second, double *low,
                           double *high)
{
    const idx_t ahead = BLOCK * d * (idx_t)sizeof(REAL), end = d - WIDTH;
    double one[WIDTH] = {0.0}, two[WIDTH] = {0.0};
    memset(first, 0, (size_t)d * sizeof(double));
    memset(second, 0, (size_t)d * sizeof(double));
    for (idx_t r = 0; r < n; r += BLOCK) {
        const idx_t rows = r + BLOCK < n ? BLOCK : n - r;
        idx_t c = 0;
        for (; c + MOST_SIDE * WIDTH <= d; c += MOST_SIDE * WIDTH)
            T(side_sums)(x + r, s + r, rows, c, ahead, m + c, first + c, second + c, low + c,
                         high + c, MOST_SIDE);
        for (; c + WIDTH <= d; c += WIDTH)
            T(side_sums)(x + r, s + r, rows, c, ahead, m + c, first + c, second + c, low + c,
                         high + c, 1);
        if (c < d)
            T(side_sums)(x + r, s + r, rows, end, ahead, m + end, one, two, low + end,
                         high + end, 1);
    }
    if (d % WIDTH != 0) {
        memcpy(first + end, one, sizeof(one));
        memcpy(second + end, two, sizeof(two));
    }
}

#endif

/* The same for rows shorter than a vector, four of them for one reading of the sums. */
INLINE void T(plain_sums)(const REAL **x, double *s, idx_t n, idx_t d,
                          const double *RESTRICT m, double *RESTRICT first,
                          double *RESTRICT second, double *RESTRICT low, double *RESTRICT high)
{
    memset(first, 0, (size_t)d * sizeof(double));
    memset(second, 0, (size_t)d * sizeof(double));
    /* The last group is filled up with a row of its own, at weight 0. */
    for (idx_t r = n; r % 4 != 0; r++) { s[r] = 0.0; x[r] = x[n - n % 4]; }
    for (idx_t r = 0; r < n; r += 4) {
        const REAL *RESTRICT x0 = x[r], *RESTRICT x1 = x[r + 1];
        const REAL *RESTRICT x2 = x[r + 2], *RESTRICT x3 = x[r + 3];
        const double s0 = s[r], s1 = s[r + 1], s2 = s[r + 2], s3 = s[r + 3];
        SIMD for (idx_t c = 0; c < d; c++) {
            const double v0 = (double)x0[c], v1 = (double)x1[c];
            const double v2 = (double)x2[c], v3 = (double)x3[c];
            const double z0 = v0 - m[c], z1 = v1 - m[c], z2 = v2 - m[c], z3 = v3 - m[c];
            const double p0 = s0 * z0, p1 = s1 * z1, p2 = s2 * z2, p3 = s3 * z3;
            first[c] += (p0 + p1) + (p2 + p3);
            second[c] += (p0 * z0 + p1 * z1) + (p2 * z2 + p3 * z3);
            const double l0 = v0 < v1 ? v0 : v1, l1 = v2 < v3 ? v2 : v3;
            const double h0 = v0 > v1 ? v0 : v1, h1 = v2 > v3 ? v2 : v3;
            const double l = l0 < l1 ? l0 : l1, h = h0 > h1 ? h0 : h1;
            low[c] = l < low[c] ? l : low[c];
            high[c] = h > high[c] ? h : high[c];
        }
    }
}

/* Sets first and second to the sums about m of rows start..stop-1; returns their mass. */
INLINE double T(chunk_sums)(const rows_t *rows, idx_t start, idx_t stop, const double *m,
                            double *first, double *second, double *low, double *high)
{
    const idx_t d = rows->d;
    const REAL *x[CHUNK];
    double s[CHUNK], mass = 0.0;
    idx_t n = 0;
    for (idx_t i = start; i < stop; i++)
        if (rows->s[i] > 0.0) {
            x[n] = (const REAL *)rows->data + i * d;
            s[n++] = rows->s[i];
        }
    SIMD_SUM(mass) for (idx_t r = 0; r < n; r++) mass += s[r];
#if VECTORS
    if (d >= WIDTH) {
        T(vector_sums)(x, s, n, d, m, first, second, low, high);
        return mass;
    }
#endif
    T(plain_sums)(x, s, n, d, m, first, second, low, high);
    return mass;
}

static void T(moments)(const rows_t *rows, double mass, double count,
                              const double *shift0, double *mean, double *var, double *low,
                              double *high, column_t *work)
{
    const idx_t d = rows->d;
    double *RESTRICT first = (double *)work, *RESTRICT second = first + d;
    double *RESTRICT m = mean, *RESTRICT v = var;
    double done = 0.0;
    (void)count;
    memcpy(mean, shift0, (size_t)d * sizeof(double));
    for (idx_t start = 0; start < rows->n_rows; start += CHUNK) {
        const idx_t stop = start + CHUNK < rows->n_rows ? start + CHUNK : rows->n_rows;
        double chunk = T(chunk_sums)(rows, start, stop, mean, first, second, low, high);
        if (!(chunk > 0.0)) continue;
        if (done == 0.0) {
            /* Whatever shift0 was, the first rows are summed about their own mean. */
            SIMD for (idx_t c = 0; c < d; c++) m[c] += first[c] / chunk;
            T(chunk_sums)(rows, start, stop, mean, first, second, low, high);
        }
        done += chunk;
        /* var holds the sum of squares about m; moving m to the new mean lowers it. */
        SIMD for (idx_t c = 0; c < d; c++) {
            const double step = first[c] / done;
            v[c] += second[c] - step * first[c];
            m[c] += step;
        }
    }
    SIMD for (idx_t c = 0; c < d; c++) v[c] /= mass;
}

#undef CHUNK
#undef BLOCK
#undef MOST_SIDE

static void T(norms)(const rows_t *rows, const double *shift, const double *inv_scale,
                            double *out)
{
    const idx_t d = rows->d;
    for (idx_t i = 0; i < rows->n_rows; i++) {
        const REAL *RESTRICT x = (const REAL *)rows->data + i * d;
        const double *RESTRICT m = shift, *RESTRICT h = inv_scale;
        double sum = 0.0;
        if (m && h)
            SIMD_SUM(sum) for (idx_t c = 0; c < d; c++) {
                const double z = ((double)x[c] - m[c]) * h[c];
                sum += z * z;
            }
        else if (m)
            SIMD_SUM(sum) for (idx_t c = 0; c < d; c++) {
                const double z = (double)x[c] - m[c];
                sum += z * z;
            }
        else if (h)
            SIMD_SUM(sum) for (idx_t c = 0; c < d; c++) {
                const double z = (double)x[c] * h[c];
                sum += z * z;
            }
        else
            SIMD_SUM(sum) for (idx_t c = 0; c < d; c++) sum += (double)x[c] * (double)x[c];
        out[i] = sum;
    }
}

#endif
