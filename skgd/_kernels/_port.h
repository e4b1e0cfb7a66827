/* What differs between compilers, in one place. */
#ifndef SKGD_PORT_H
#define SKGD_PORT_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>

/* Row numbers and lengths; the same as Py_ssize_t and NumPy's intp. */
typedef ptrdiff_t idx_t;

/* The machine's vector units are chosen at run time, so that one wheel is fast on every
   processor; elsewhere the compiler's own baseline is used. Loops over vectors become one
   function per level by CLONES; the templates of _each.h, whose sums are written with
   vector types, are compiled once per level. The names are feature levels on purpose: with
   "arch=haswell" the resolver asks for exactly that model, and newer ones get the slowest
   version. */
#if defined(__GNUC__) && __GNUC__ >= 12 && !defined(__clang__) && defined(__x86_64__) \
    && defined(__linux__) && defined(__GLIBC__) && !defined(SKGD_ONE_VERSION)
#include <immintrin.h>
#define X86_LEVELS 1
/* Whether one instruction loads from several places faster than as many do: not where it is
   done in microcode, and not without AVX-512. */
#define GATHERS __builtin_cpu_is("intel")
#define CLONES \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define X86_LEVELS 0
#define GATHERS 0
#define CLONES
#endif

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define RESTRICT __restrict__
/* Into the second cache: the first is needed by what is being worked on. */
#define PREFETCH(p) __builtin_prefetch((const void *)(p), 0, 2)
#define DO_PRAGMA(x) _Pragma(#x)
#define SIMD DO_PRAGMA(omp simd)
#define SIMD_SUM(...) DO_PRAGMA(omp simd reduction(+ : __VA_ARGS__))
#define SIMD_OR(...) DO_PRAGMA(omp simd reduction(| : __VA_ARGS__))
#if defined(__clang__)
#define UNROLL DO_PRAGMA(unroll)
#else
#define UNROLL DO_PRAGMA(GCC unroll 8)
#endif
#else
#define INLINE static __inline
#define RESTRICT __restrict
#define PREFETCH(p) ((void)0)
#define SIMD
#define SIMD_SUM(...)
#define SIMD_OR(...)
#endif

/* Vector types with shuffles; without them sums are plain loops. */
#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 12)
#define VECTORS 1
#else
#define VECTORS 0
#endif

#endif
