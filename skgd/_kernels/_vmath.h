/* exp, expm1, log and log1p without branches, so that loops over them become vector code.
   Errors stay below 2 units in the last place; overflow gives inf, underflow 0 through
   the subnormals, NaN stays NaN. */
#ifndef SKGD_VMATH_H
#define SKGD_VMATH_H

#include "_port.h"

/* Adding 1.5 * 2^52 rounds to an integer and leaves it in the low bits: AVX2 has no other
   conversion to 64 bits. */
#define ROUNDER 6755399441055744.0
#define LOG2_E 1.4426950408889634074
#define LN2_HIGH 6.93147180369123816490e-01
#define LN2_LOW 1.90821492927058770002e-10

INLINE double from_bits(uint64_t u) { double x; memcpy(&x, &u, 8); return x; }
INLINE uint64_t to_bits(double x) { uint64_t u; memcpy(&u, &x, 8); return u; }

/* (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2. */
INLINE double exp_tail(double r)
{
    double r2 = r * r, r4 = r2 * r2;
    double a = 0.5 + r * 0.166666666666666851703837;
    double b = 0.0416666666666665047591422 + r * 0.00833333333331652721664984;
    double c = 0.00138888888889774492207962 + r * 0.000198412698960509205564975;
    double e = 2.4801587159235472998791e-05 + r * 2.75572362911928827629423e-06;
    double f = 2.75573911234900471893338e-07 + r * 2.51112930892876518610661e-08;
    return (a + r2 * b) + r4 * ((c + r2 * e) + r4 * (f + r2 * 2.08860621107283687536341e-09));
}

INLINE double power_of_two(double rounded) /* an integer + ROUNDER */
{
    return from_bits((to_bits(rounded) + 1023) << 52);
}

INLINE double vexp(double x)
{
    double c = x < -746.0 ? -746.0 : x;
    c = c > 710.0 ? 710.0 : c;
    double n = (c * LOG2_E + ROUNDER) - ROUNDER;
    double r = (c - n * LN2_HIGH) - n * LN2_LOW;
    /* 2^n in two factors: n itself may lie outside the range of exponents. */
    double half = 0.5 * n + ROUNDER;
    double rest = (n - (half - ROUNDER)) + ROUNDER;
    double p = 1.0 + (r + r * r * exp_tail(r));
    return p * power_of_two(half) * power_of_two(rest);
}

/* exp(x) for x <= 0: shorter, since 2^n needs no second factor. 0 below -708. */
INLINE double vexp_neg(double x)
{
    double c = x < -708.0 ? -708.0 : x;
    double n = c * LOG2_E + ROUNDER;
    double two = power_of_two(n);
    n -= ROUNDER;
    double r = (c - n * LN2_HIGH) - n * LN2_LOW;
    double out = two + two * (r + r * r * exp_tail(r));
    return x < -708.0 ? 0.0 : out;
}

/* exp(x) - 1 for x <= 0, exact in the relative sense near 0. */
INLINE double vexpm1_neg(double x)
{
    double c = x < -60.0 ? -60.0 : x;
    double n = (c * LOG2_E + ROUNDER) - ROUNDER;
    double r = (c - n * LN2_HIGH) - n * LN2_LOW;
    double two = power_of_two(n + ROUNDER);
    return two * (r + r * r * exp_tail(r)) + (two - 1.0);
}

/* log(1 + f) + e * ln(2) for f in [sqrt(1/2) - 1, sqrt(2) - 1]; series of FreeBSD's msun. */
INLINE double log_core(double f, double e)
{
    double s = f / (2.0 + f), z = s * s, w = z * z, half = 0.5 * f * f;
    double even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01
                  + w * 1.531383769920937332e-01));
    double odd = z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01
                 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
    return s * (half + even + odd) + e * LN2_LOW - half + f + e * LN2_HIGH;
}

INLINE double vlog(double x)
{
    int tiny = x < 2.2250738585072014e-308;
    uint64_t u = to_bits(tiny ? x * 18014398509481984.0 : x);
    u += UINT64_C(0x3ff0000000000000) - UINT64_C(0x3fe6a09e00000000);
    double e = from_bits((u >> 52) | UINT64_C(0x4330000000000000)) - 4503599627370496.0;
    e -= tiny ? 1023.0 + 54.0 : 1023.0;
    u = (u & UINT64_C(0x000fffffffffffff)) + UINT64_C(0x3fe6a09e00000000);
    double out = log_core(from_bits(u) - 1.0, e);
    out = x == 0.0 ? -INFINITY : out;
    out = x < 0.0 ? NAN : out;
    return (x == INFINITY || x != x) ? x : out;
}

/* log(1 + u) for 0 <= u <= 1, what exp(-|x|) gives. */
INLINE double vlog1p_unit(double u)
{
    int big = u > 0.41421356237309503;
    return log_core(big ? 0.5 * (u - 1.0) : u, big ? 1.0 : 0.0);
}

#endif
