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

#define CHUNK 64 /* rows after which the sums move to the mean so far */

#if VECTORS

typedef long long T(lanes_mask) __attribute__((vector_size(8 * WIDTH)));

/* a where yes, b elsewhere. */
INLINE T(vec) T(choose)(T(lanes_mask) yes, T(vec) a, T(vec) b)
{
    return (T(vec))(((T(lanes_mask))a & yes) | ((T(lanes_mask))b & ~yes));
}

#define MOST_SIDE (WIDTH == 8 ? 4 : 2) /* vectors whose sums fit in the registers */

/* Sums about m over n rows of side * WIDTH columns from left on, kept in registers; meanwhile
   the rows that lie ahead, by so many bytes, come nearer. */
INLINE void T(side_sums)(const REAL *const *x, const double *s, idx_t n, idx_t left, idx_t ahead,
                         const double *m, double *first, double *second, double *low,
                         double *high, const int side)
{
    T(vec) mean[MOST_SIDE], one[MOST_SIDE], two[MOST_SIDE], least[MOST_SIDE], most[MOST_SIDE];
    for (int v = 0; v < side; v++) {
        mean[v] = T(load_double)(m + left + v * WIDTH);
        one[v] = two[v] = (T(vec)){0.0};
        least[v] = T(load_double)(low + left + v * WIDTH);
        most[v] = T(load_double)(high + left + v * WIDTH);
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
        memcpy(first + left + v * WIDTH, &one[v], sizeof(one[v]));
        memcpy(second + left + v * WIDTH, &two[v], sizeof(two[v]));
        memcpy(low + left + v * WIDTH, &least[v], sizeof(least[v]));
        memcpy(high + left + v * WIDTH, &most[v], sizeof(most[v]));
    }
}

#endif

/* The same, column by column, for whatever the vectors leave. */
INLINE void T(plain_sums)(const REAL *const *x, const double *s, idx_t n, idx_t d,
                          const double *RESTRICT m, double *RESTRICT first,
                          double *RESTRICT second, double *RESTRICT low, double *RESTRICT high)
{
    memset(first, 0, (size_t)d * sizeof(double));
    memset(second, 0, (size_t)d * sizeof(double));
    for (idx_t r = 0; r < n; r++) {
        const REAL *RESTRICT row = x[r];
        const double weight = s[r];
        SIMD for (idx_t c = 0; c < d; c++) {
            const double value = (double)row[c], z = value - m[c];
            first[c] += weight * z;
            second[c] += weight * z * z;
            low[c] = value < low[c] ? value : low[c];
            high[c] = value > high[c] ? value : high[c];
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
        const idx_t ahead = CHUNK * d * (idx_t)sizeof(REAL);
        idx_t c = 0;
        for (; c + MOST_SIDE * WIDTH <= d; c += MOST_SIDE * WIDTH)
            T(side_sums)(x, s, n, c, ahead, m, first, second, low, high, MOST_SIDE);
        for (; c + WIDTH <= d; c += WIDTH)
            T(side_sums)(x, s, n, c, ahead, m, first, second, low, high, 1);
        /* The last columns once more: sums are set, not added to. */
        if (c < d) T(side_sums)(x, s, n, d - WIDTH, ahead, m, first, second, low, high, 1);
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
