/* Included once per layout by _steps.h: steps on short dense rows, one output, no l1.

   A step's slope waits for the predictor, the predictor for the coefficients, and these for the
   last slope: a chain that leaves most of the processor idle. Here row n+1 is multiplied by
   coefficients that still lack the move of step n, and what that move adds,
   -move_n x_{n+1} . (h z_n), is taken off when the move is known:

       x_{n+1} . w_{n+1} = x_{n+1} . (keep_n w_n) - move_n x_{n+1} . (h z_n)

   Both dots, and the move of step n-1, run while the slope of step n is being found. */
#if !SPARSE

#define OVERLAP_COLUMNS 256 /* five vectors of more would not fit into the first cache */

/* The move of one step, to be taken from the coefficients. */
typedef struct {
    const REAL *x;
    const double *decay;  /* (d,)  NULL where the metric has none */
    double keep, move;
} T(move_t);

/* With z = x - m: w <- (keep w - move h z) decay of the step last, and
   out = {z2 . (decay1 w), z2 . (decay1 h z1), x2 . still}, of the steps now (1) and next (2). */
INLINE void T(overlap_as)(int metric, int centred, int decays, int stands, const steps_t *a,
                          const T(move_t) *last, const REAL *now, const double *decay,
                          const REAL *next, idx_t d, double *out)
{
    const double *h = a->inv2, *m = a->shift, *still = a->still_coef;
    double *w = a->coef;
    const double keep = last->keep, move = last->move;
    idx_t c = 0;
#define PART(V, LOAD, LOAD_DOUBLE, P, Q, R)                                            \
    do {                                                                               \
        V z0 = LOAD(last->x + c), z1 = LOAD(now + c), x2 = LOAD(next + c), z2 = x2, v; \
        if (centred) {                                                                 \
            const V shift = LOAD_DOUBLE(m + c);                                        \
            z0 -= shift, z1 -= shift, z2 -= shift;                                     \
        }                                                                              \
        if (metric) {                                                                  \
            const V inv2 = LOAD_DOUBLE(h + c);                                         \
            z1 *= inv2;                                                                \
            v = LOAD_DOUBLE(w + c) - move * z0 * inv2;                                 \
        } else {                                                                       \
            v = keep * LOAD_DOUBLE(w + c) - move * z0;                                 \
        }                                                                              \
        if (decays) {                                                                  \
            v *= LOAD_DOUBLE(last->decay + c);                                         \
            z2 *= LOAD_DOUBLE(decay + c);                                              \
        }                                                                              \
        memcpy(w + c, &v, sizeof(v));                                                  \
        P += z2 * v;                                                                   \
        Q += z2 * z1;                                                                  \
        if (stands) R += x2 * LOAD_DOUBLE(still + c);                                  \
    } while (0)
#define ONE(p) ((double)*(p))
    double p1 = 0.0, q1 = 0.0, r1 = 0.0;
#if VECTORS
    T(vec) p = {0}, q = {0}, r = {0};
    for (; c + WIDTH <= d; c += WIDTH) PART(T(vec), T(load), T(load_double), p, q, r);
#if WIDTH >= 4
    T(half) p2 = {0}, q2 = {0}, r2 = {0};
    if (c + WIDTH / 2 <= d) {
        PART(T(half), T(load_half), T(load_double_half), p2, q2, r2);
        c += WIDTH / 2;
    }
    for (; c < d; c++) PART(double, ONE, ONE, p1, q1, r1);
    p1 += T(total)(p, p2), q1 += T(total)(q, q2);
    if (stands) r1 += T(total)(r, r2);
#else
    for (; c < d; c++) PART(double, ONE, ONE, p1, q1, r1);
    p1 += p[0] + p[1], q1 += q[0] + q[1], r1 += r[0] + r[1];
#endif
#else
    for (; c < d; c++) PART(double, ONE, ONE, p1, q1, r1);
#endif
#undef ONE
#undef PART
    out[0] = p1, out[1] = q1, out[2] = r1;
}

/* One loop per form: with the choice inside, it would not become vector code. */
INLINE void T(overlap)(const steps_t *a, const T(move_t) *last, const REAL *now,
                       const double *decay, const REAL *next, idx_t d, double *out)
{
#define FORM(metric, centred, decays)                                                       \
    (a->still_coef                                                                          \
         ? T(overlap_as)(metric, centred, decays, 1, a, last, now, decay, next, d, out)     \
         : T(overlap_as)(metric, centred, decays, 0, a, last, now, decay, next, d, out))
    if (a->inv2 == NULL) FORM(0, 0, 0);
    else if (a->shift && decay) FORM(1, 1, 1);
    else if (a->shift) FORM(1, 1, 0);
    else if (decay) FORM(1, 0, 1);
    else FORM(1, 0, 0);
#undef FORM
}

/* Takes a step's move from the coefficients, nothing else. */
INLINE void T(settle_move)(const steps_t *a, const T(move_t) *last, idx_t d)
{
    const REAL *RESTRICT x = last->x;
    const double *RESTRICT m = a->shift, *RESTRICT h = a->inv2, *RESTRICT decay = last->decay;
    double *RESTRICT w = a->coef;
    SIMD for (idx_t c = 0; c < d; c++) {
        const double z = (double)x[c] - (m ? m[c] : 0.0);
        const double v = last->keep * w[c] - last->move * z * (h ? h[c] : 1.0);
        w[c] = decay ? v * decay[c] : v;
    }
}

/* All steps of args; the intercept is the centred one where there is a shift. work holds three
   vectors where the metric decays, else it is NULL. */
static void T(overlapped)(const rows_t *rows, const loss_t *loss, steps_t *a, ahead_t *block,
                          double *work)
{
    const idx_t d = rows->d;
    const double *none = work; /* the decay of a move of nothing */
    double *decay = work ? work + d : NULL, *other = work ? decay + d : NULL;
    const REAL *data = (const REAL *)rows->data;
    const REAL *now = data + a->order[0] * d;
    /* Before the first step a move of nothing: it only brings the first row's dots. */
    T(move_t) last = {now, none, 1.0, 0.0};
    double dots[3] = {T(dot)(now, a->shift, a->coef, d), 0.0, 0.0};
    double last_rate = NAN;

    for (idx_t c = 0; work && c < d; c++) work[c] = 1.0;
    if (a->still_coef) dots[2] = T(dot)(now, NULL, a->still_coef, d);
    for (idx_t n = 0; n < a->m; n++) {
        const REAL *next = data + a->order[n + (n + 1 < a->m)] * d;
        const double rate = a->rates[n], change = last.move * dots[1];
        double eta = *a->intercept + last.keep * dots[0] - (last.move == 0.0 ? 0.0 : change), g;
        if (n + AHEAD < a->m) T(prefetch_row)(rows, a->order[n + AHEAD]);
        ahead_read(block, rows, loss, a, n);
        if (!(fabs(eta) < INFINITY)) {
            /* Overflow in a product of two rows must not become one of the predictor. */
            T(settle_move)(a, &last, d);
            last.keep = 1.0, last.move = 0.0, last.decay = none;
            eta = *a->intercept + T(dot)(now, a->shift, a->coef, d);
        }
        if (a->still_coef) block->eta[n % block->size] = *a->still_intercept + dots[2];
        row_slopes(block, loss, n % block->size, 1, a->weight_factor, &eta, &g);
        ahead_value(block, loss, a, n);
        if (decay && rate != last_rate) {
            /* The last step's decay is still wanted. */
            double *spare = other;
            other = decay, decay = spare;
            SIMD for (idx_t c = 0; c < d; c++) flow(a->a[c], rate, &decay[c]);
            last_rate = rate;
        }
        const double shrink = a->inv2 ? 1.0 : 1.0 - rate * a->l2;
        T(move_t) this = {now, decay, shrink > 0.0 ? shrink : 0.0, rate * g};
        T(overlap)(a, &last, now, decay, next, d, dots);
        if (a->fit_intercept) *a->intercept -= this.move;
        last = this;
        now = next;
    }
    T(settle_move)(a, &last, d);
}

#endif
