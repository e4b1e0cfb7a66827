/* Included once per layout by _steps.h. */

INLINE void T(prefetch_step)(const rows_t *rows, const steps_t *a, idx_t step)
{
    if (step + AHEAD < a->m) {
        const idx_t i = a->order[step + AHEAD];
        if (SPARSE || rows->d <= TILE) T(prefetch_row)(rows, i);
    }
    if (SPARSE && step + 2 * AHEAD < a->m) T(prefetch_start)(rows, a->order[step + 2 * AHEAD]);
}

#if SPARSE

/* What is late, per coordinate: shrinking and thresholds since a row last touched it.

   The coefficients are scale * u. Textbook: an l2 shrink multiplies scale; an l1 threshold
   in u is rate * l1 / scale, so thresholds since the last touch add up in clock. Metric:
   scale is 1 and clock the sum of rates; the flow over a sum of times is the flow over
   each in turn. So late equals eager.

   The l1 penalty is cumulative (Tsuruoka et al. 2009): a coefficient that noise lifts from
   zero first owes what it did not receive there. One that has stayed off zero owes nothing
   from before its last touch, so what is late is only the penalty since then.

   The average wants sum_t scale_t u_t. Where nothing pulls (not lazy) u is constant
   between touches, and weight = sum_t scale_t is all that is needed: exact. Else u runs
   from its value after the last touch to the settled one, taken as a straight line. */
typedef struct {
    double *u;
    double *seen;      /* (d,)  clock at the last touch; NULL: nothing is late */
    double *sum;       /* (k, d)  of the averaged coefficients, or NULL */
    double *marked;    /* (d,)  weight at the last touch, where lazy */
    double scale, clock, weight;
    double *received;  /* (k, d)  l1 penalty received, signed; NULL without l1 */
    const double *l1m; /* (d,)  or NULL, which is all ones */
    double due;        /* over l1m: what could have been received */
} T(late_t);

/* Brings output j of column c up to date. */
INLINE void T(settle)(T(late_t) *late, idx_t at, idx_t c, double decay, double pull)
{
    const double before = late->u[at], after = soft(before, decay, pull);
    const double reach = fabs(before) * decay;
    const double part = after == 0.0 && pull > 0.0 && reach < pull ? reach / pull : 1.0;
    late->u[at] = after;
    if (late->received && before != 0.0) {
        const double sign = copysign(1.0, before);
        const double due = late->due * (late->l1m ? late->l1m[c] : 1.0);
        late->received[at] -= sign * part * (due + sign * late->received[at]);
    }
    if (late->sum) {
        const double span = late->weight - late->marked[c];
        double line = 0.5 * (before + after) * span * part + 0.5 * (after - before) * late->scale;
        /* One record after a coefficient vanished must not count against it. */
        late->sum[at] += line * before > 0.0 && span > 0.0 ? line : 0.0;
    }
}

/* Takes from a coefficient that has just moved what it owes from before this step. */
INLINE void T(collect)(T(late_t) *late, idx_t at, idx_t c)
{
    const double u = late->u[at], sign = copysign(1.0, u);
    const double due = late->due * (late->l1m ? late->l1m[c] : 1.0);
    const double owed = due + sign * late->received[at], size = fabs(u) * late->scale;
    if (!(owed > 0.0)) return;
    late->received[at] -= sign * (owed < size ? owed : size);
    late->u[at] = owed < size ? sign * (size - owed) / late->scale : 0.0;
}

INLINE void T(settle_all)(T(late_t) *late, const steps_t *a, idx_t d)
{
    if (!late->seen) return;
    if (a->inv2 && !late->received && !late->sum && !a->l1m) {
        /* Nothing but decay: few rows on many columns are mostly this. */
        const double *RESTRICT rate = a->a;
        double *RESTRICT seen = late->seen;
        const double clock = late->clock;
        for (idx_t j = 0; j < a->k; j++) {
            double *RESTRICT u = late->u + j * d;
            SIMD for (idx_t c = 0; c < d; c++) u[c] *= vexp_neg(-rate[c] * (clock - seen[c]));
        }
        for (idx_t c = 0; c < d; c++) seen[c] = clock;
        return;
    }
    for (idx_t c = 0; c < d; c++) {
        const double time = late->clock - late->seen[c];
        double decay = 1.0, pull = time;
        if (a->inv2) pull = (a->l1m ? a->l1m[c] : 0.0) * flow(a->a[c], time, &decay);
        for (idx_t j = 0; j < a->k; j++) T(settle)(late, j * d + c, c, decay, pull);
        late->seen[c] = late->clock;
        if (late->sum) late->marked[c] = late->weight;
    }
}

/* Folds the scale in before u = w / scale overflows; a scale of 0 is a full shrink. */
INLINE void T(fold)(T(late_t) *late, const steps_t *a, idx_t d, double settled_scale)
{
    const double scale = late->scale;
    late->scale = settled_scale;
    T(settle_all)(late, a, d);
    for (idx_t i = 0; late->sum && !late->seen && i < a->k * d; i++)
        late->sum[i] += late->weight * late->u[i];
    for (idx_t i = 0; scale != 1.0 && i < a->k * d; i++) late->u[i] *= scale;
    if (late->seen) memset(late->seen, 0, (size_t)d * sizeof(double));
    if (late->marked) memset(late->marked, 0, (size_t)d * sizeof(double));
    late->scale = 1.0;
    late->clock = late->weight = 0.0;
}

static int T(steps)(const rows_t *rows, const loss_t *loss, steps_t *a)
{
    const idx_t d = rows->d, k = a->k;
    const int metric = a->inv2 != NULL;
    int lazy = a->l1 > 0.0, pulls = lazy;
    if (metric) {
        lazy = pulls = a->l1m != NULL;
        for (idx_t c = 0; c < d && !lazy; c++) lazy = a->a[c] != 0.0;
    }
    /* After a single step all coordinates are equally late, and need no record of it. */
    const int at_once = lazy && metric && !pulls && !a->average_coef && a->m == 1;
    lazy = lazy && !at_once;
    const idx_t averaged_before = a->n_averaged;
    idx_t longest = 0;
    for (idx_t n = 0; n < a->m; n++) {
        const INDEX *p = (const INDEX *)rows->indptr + a->order[n];
        longest = p[1] - p[0] > longest ? p[1] - p[0] : longest;
    }
    if (lazy && metric && !pulls && !a->average_coef && k == 1 && loss->slope) {
        ahead_t block;
        if (ahead_alloc(&block, k) == NULL) return -1;
        const int status = T(decaying)(rows, loss, a, &block, longest);
        free(block.y);
        return status;
    }
    const size_t n_sum = a->average_coef ? (size_t)(k * d) : 0;
    const size_t n_late = lazy ? (size_t)d * (n_sum ? 2 : 1) : 0;
    ahead_t block;
    double *work = calloc(n_sum + n_late + 4 * (size_t)longest + 2 * (size_t)k + 1,
                          sizeof(double));
    if (work == NULL || ahead_alloc(&block, k) == NULL) { free(work); return -1; }
    T(late_t) late = {a->coef, NULL, NULL, NULL, 1.0, 0.0, 0.0, a->received, a->l1m, a->due};
    double *free_part = work;
    if (n_sum) { late.sum = free_part; free_part += n_sum; }
    if (lazy) { late.seen = free_part; free_part += d; }
    if (lazy && n_sum) { late.marked = free_part; free_part += d; }
    double *RESTRICT decay = free_part, *RESTRICT pull = decay + longest;
    double *RESTRICT l1m = pull + longest, *RESTRICT held = l1m + longest;
    double *eta = held + longest, *g = eta + k;

    for (idx_t n = 0; n < a->m; n++) {
        const idx_t i = a->order[n];
        const idx_t start = ((const INDEX *)rows->indptr)[i];
        const idx_t length = ((const INDEX *)rows->indptr)[i + 1] - start;
        const REAL *RESTRICT x = (const REAL *)rows->data + start;
        const INDEX *RESTRICT col = (const INDEX *)rows->indices + start;
        const double rate = a->rates[n];
        T(prefetch_step)(rows, a, n);
        ahead_read(&block, rows, loss, a, n);

        if (lazy) {
            /* What the row's coordinates missed, all at once: pull holds the times first. */
            double *RESTRICT seen = late.seen, *RESTRICT u = late.u;
            const double clock = late.clock;
            for (idx_t p = 0; p < length; p++) pull[p] = clock - seen[col[p]];
            if (metric && !pulls) {
                for (idx_t p = 0; p < length; p++) decay[p] = a->a[col[p]];
                SIMD for (idx_t p = 0; p < length; p++) {
                    decay[p] = vexp_neg(-decay[p] * pull[p]);
                    pull[p] = 0.0;
                }
            } else if (metric) {
                for (idx_t p = 0; p < length; p++) {
                    decay[p] = a->a[col[p]];
                    l1m[p] = a->l1m[col[p]];
                }
                SIMD for (idx_t p = 0; p < length; p++)
                    pull[p] = l1m[p] * flow(decay[p], pull[p], &decay[p]);
            } else {
                SIMD for (idx_t p = 0; p < length; p++) decay[p] = 1.0;
            }
            if (late.sum || late.received || k > 1) {
                for (idx_t p = 0; p < length; p++) {
                    const idx_t c = col[p];
                    /* Stored twice in this row: the first time settled it. */
                    if (seen[c] == clock && (!late.sum || late.marked[c] == late.weight))
                        continue;
                    for (idx_t j = 0; j < k; j++)
                        T(settle)(&late, j * d + c, c, decay[p], pull[p]);
                    seen[c] = clock;
                    if (late.sum) late.marked[c] = late.weight;
                }
            } else {
                for (idx_t p = 0; p < length; p++) held[p] = u[col[p]];
                SIMD for (idx_t p = 0; p < length; p++) held[p] = soft(held[p], decay[p], pull[p]);
                for (idx_t p = 0; p < length; p++) {
                    u[col[p]] = held[p];
                    seen[col[p]] = clock;
                }
            }
        }
        for (idx_t j = 0; j < k; j++)
            eta[j] = a->intercept[j] + late.scale * T(row_dot)(x, col, length, late.u + j * d);
        for (idx_t j = 0; a->still_coef && j < k; j++)
            block.eta[n % block.size * k + j] =
                a->still_intercept[j] + T(row_dot)(x, col, length, a->still_coef + j * d);
        row_slopes(&block, loss, n % block.size, k, a->weight_factor, eta, g);
        ahead_value(&block, loss, a, n);

        if (!metric && a->l2 > 0.0) {
            const double shrink = 1.0 - rate * a->l2, old = late.scale;
            late.scale *= shrink > 0.0 ? shrink : 0.0;
            if (late.scale < 1e-9) T(fold)(&late, a, d, old);
        }
        for (idx_t j = 0; j < k; j++) {
            double *u = late.u + j * d;
            const double move = rate * g[j] / late.scale;
            if (a->fit_intercept) a->intercept[j] -= rate * g[j];
            if (move == 0.0) continue;
            if (metric) {
                for (idx_t p = 0; p < length; p++)
                    u[col[p]] -= move * (double)x[p] * a->inv2[col[p]];
            } else {
                for (idx_t p = 0; p < length; p++) u[col[p]] -= move * (double)x[p];
            }
            for (idx_t p = 0; late.received && p < length; p++)
                T(collect)(&late, j * d + col[p], col[p]);
            if (late.sum && !lazy && late.weight > 0.0)
                for (idx_t p = 0; p < length; p++)
                    late.sum[j * d + col[p]] += late.weight * (move * (double)x[p]);
        }
        if (metric) late.clock += rate;
        else if (lazy) late.clock += rate * a->l1 / late.scale;
        late.due += metric ? rate : rate * a->l1;

        if (a->average_coef && a->t + n + 1 >= a->average_from) {
            a->n_averaged += 1;
            late.weight += late.scale;
            for (idx_t j = 0; j < k; j++)
                a->average_intercept[j] += (a->intercept[j] - a->average_intercept[j])
                                           / (double)a->n_averaged;
        }
    }

    if (at_once) {
        const double *RESTRICT rate = a->a;
        for (idx_t j = 0; j < k; j++) {
            double *RESTRICT u = late.u + j * d;
            SIMD for (idx_t c = 0; c < d; c++) u[c] *= vexp_neg(-rate[c] * late.clock);
        }
    }
    T(fold)(&late, a, d, late.scale);
    a->due = late.due;
    if (late.sum && a->n_averaged > averaged_before) {
        const double all = (double)a->n_averaged, old = (double)averaged_before / all;
        for (idx_t i = 0; i < k * d; i++)
            a->average_coef[i] = a->average_coef[i] * old + late.sum[i] / all;
    }
    free(block.y);
    free(work);
    return 0;
}

#else

/* The same with an l1 part. A coefficient first pays what it owes from before, then the
   penalty of this step (flow or threshold); what it received is kept with its sign. */
INLINE void T(move_l1_as)(int metric, int centred, const steps_t *a, const REAL *RESTRICT x,
                          double *RESTRICT w, double *RESTRICT received, idx_t d, double rate,
                          double g, const double *RESTRICT decay, const double *RESTRICT pull)
{
    const double *RESTRICT h = a->inv2, *RESTRICT m = a->shift, *RESTRICT l1m = a->l1m;
    const double move = rate * g, due = a->due, shrink = 1.0 - rate * a->l2;
    const double step = metric ? rate : rate * a->l1, keep = shrink > 0.0 ? shrink : 0.0;
    SIMD for (idx_t c = 0; c < d; c++) {
        const double z = centred ? (double)x[c] - m[c] : (double)x[c];
        const double v = metric ? w[c] - move * z * h[c] : keep * w[c] - move * z;
        const double each = metric ? l1m[c] : 1.0, e = metric ? decay[c] : 1.0;
        const double over = metric ? pull[c] : step;
        const double sign = v < 0.0 ? -1.0 : 1.0, size = fabs(v);
        const double owed = due * each + sign * received[c];
        const double rest = size - (owed > 0.0 ? owed : 0.0), paid = rest > 0.0 ? rest : 0.0;
        const double last = paid * e - over, part = paid * e / (over > 1e-300 ? over : 1e-300);
        received[c] -= sign * (size - paid + step * each * (part < 1.0 ? part : 1.0));
        w[c] = last > 0.0 ? sign * last : 0.0;
    }
}

/* One loop per form: with the choice inside, it would not become vector code. */
INLINE void T(move_l1)(const steps_t *a, const REAL *x, double *w, double *received, idx_t d,
                       double rate, double g, const double *decay, const double *pull)
{
    if (a->inv2 && a->shift)
        T(move_l1_as)(1, 1, a, x, w, received, d, rate, g, decay, pull);
    else if (a->inv2)
        T(move_l1_as)(1, 0, a, x, w, received, d, rate, g, decay, pull);
    else
        T(move_l1_as)(0, 0, a, x, w, received, d, rate, g, decay, pull);
}

/* One coefficient vector's step without l1: shrink or decay, and move. */
INLINE void T(move_row)(const steps_t *a, const REAL *RESTRICT x, double *RESTRICT w,
                        idx_t left, idx_t right, double rate, double g,
                        const double *RESTRICT decay)
{
    const double move = rate * g;
    if (a->inv2) {
        const double *RESTRICT h = a->inv2, *RESTRICT m = a->shift;
        if (m && decay)
            SIMD for (idx_t c = left; c < right; c++)
                w[c] = (w[c] - move * ((double)x[c] - m[c]) * h[c]) * decay[c];
        else if (m)
            SIMD for (idx_t c = left; c < right; c++) w[c] -= move * ((double)x[c] - m[c]) * h[c];
        else if (decay)
            SIMD for (idx_t c = left; c < right; c++)
                w[c] = (w[c] - move * (double)x[c] * h[c]) * decay[c];
        else
            SIMD for (idx_t c = left; c < right; c++) w[c] -= move * (double)x[c] * h[c];
        return;
    }
    double shrink = 1.0 - rate * a->l2;
    shrink = shrink > 0.0 ? shrink : 0.0;
    SIMD for (idx_t c = left; c < right; c++) w[c] = shrink * w[c] - move * (double)x[c];
}

/* Intercepts become the centred ones, c = b + shift . w (sign 1), or these again the user's. */
INLINE void T(centre)(const steps_t *a, idx_t d, double sign)
{
    for (idx_t j = 0; j < a->k; j++)
        for (idx_t c = 0; c < d; c++) {
            const double m = sign * a->shift[c];
            a->intercept[j] += m * a->coef[j * d + c];
            if (a->average_coef) a->average_intercept[j] += m * a->average_coef[j * d + c];
        }
}

/* All steps of args, each done before the next begins. work holds 2 d + 2 k numbers. */
static void T(in_turn)(const rows_t *rows, const loss_t *loss, steps_t *a, ahead_t *block,
                       int flows, double *work)
{
    const idx_t d = rows->d, k = a->k;
    const double *RESTRICT m = a->shift;
    double *RESTRICT decay = work, *RESTRICT pull = work + d;
    double *eta = pull + d, *g = eta + k, last_rate = NAN;

    for (idx_t n = 0; n < a->m; n++) {
        const idx_t i = a->order[n];
        const REAL *RESTRICT x = (const REAL *)rows->data + i * d;
        const double rate = a->rates[n];
        T(prefetch_step)(rows, a, n);
        ahead_read(block, rows, loss, a, n);

        for (idx_t j = 0; j < k; j++) {
            const double *RESTRICT w = a->coef + j * d;
            eta[j] = a->intercept[j] + T(dot)(x, m, w, d);
        }
        for (idx_t j = 0; a->still_coef && j < k; j++)
            block->eta[n % block->size * k + j] =
                a->still_intercept[j] + T(dot)(x, NULL, a->still_coef + j * d, d);
        row_slopes(block, loss, n % block->size, k, a->weight_factor, eta, g);
        ahead_value(block, loss, a, n);
        if (flows && rate != last_rate) {
            SIMD for (idx_t c = 0; c < d; c++)
                pull[c] = (a->l1m ? a->l1m[c] : 0.0) * flow(a->a[c], rate, &decay[c]);
            last_rate = rate;
        }
        for (idx_t j = 0; j < k; j++) {
            double *w = a->coef + j * d;
            if (a->received) {
                T(move_l1)(a, x, w, a->received + j * d, d, rate, g[j], decay, pull);
            } else if (d <= TILE) {
                T(move_row)(a, x, w, 0, d, rate, g[j], flows ? decay : NULL);
            } else {
                const idx_t to = n + LONG_AHEAD < a->m ? n + LONG_AHEAD : n;
                const REAL *next = (const REAL *)rows->data + a->order[to] * d;
                for (idx_t left = 0; left < d; left += TILE) {
                    const idx_t right = left + TILE < d ? left + TILE : d;
                    /* Memory is idle here: fetch as much of a row to come. */
                    if (j == 0)
                        prefetch_range((const char *)(next + left),
                                       (right - left) * (idx_t)sizeof(REAL));
                    T(move_row)(a, x, w, left, right, rate, g[j], flows ? decay : NULL);
                }
            }
            if (a->fit_intercept) a->intercept[j] -= rate * g[j];
        }
        a->due += a->inv2 ? rate : rate * a->l1;
        if (a->average_coef && a->t + n + 1 >= a->average_from) {
            a->n_averaged += 1;
            const double part = 1.0 / (double)a->n_averaged;
            const double *RESTRICT w = a->coef;
            double *RESTRICT mean = a->average_coef;
            SIMD for (idx_t c = 0; c < k * d; c++) mean[c] += (w[c] - mean[c]) * part;
            for (idx_t j = 0; j < k; j++)
                a->average_intercept[j] += (a->intercept[j] - a->average_intercept[j]) * part;
        }
    }
}

static int T(steps)(const rows_t *rows, const loss_t *loss, steps_t *a)
{
    const idx_t d = rows->d, k = a->k;
    int flows = 0;
    for (idx_t c = 0; a->inv2 && c < d; c++) flows |= a->a[c] != 0.0 || a->received;
    ahead_t block;
    double *work = malloc((3 * (size_t)d + 2 * (size_t)k + 1) * sizeof(double));
    if (work == NULL || ahead_alloc(&block, k) == NULL) { free(work); return -1; }

    if (a->shift) T(centre)(a, d, 1.0);
    if (k == 1 && loss->slope && !a->received && !a->average_coef && 0 < d
        && d <= OVERLAP_COLUMNS)
        T(overlapped)(rows, loss, a, &block, flows ? work : NULL);
    else
        T(in_turn)(rows, loss, a, &block, flows, work);
    if (a->shift) T(centre)(a, d, -1.0);
    free(block.y);
    free(work);
    return 0;
}

#endif
