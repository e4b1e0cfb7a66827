/* Includes the file KERNEL once per level of the processor and layout of the rows: a poor
   man's template.

   REAL is the type of a value, INDEX that of a column number, SPARSE whether there are any,
   WIDTH the number of doubles in a vector register; T(name) is name with the suffix of layout
   and level. */
#define PASTE_(a, b, c) a##_##b##_##c
#define PASTE(a, b, c) PASTE_(a, b, c)
#define T(name) PASTE(name, TAG, LEVEL)

#if X86_LEVELS
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4")
#define LEVEL v4
#define WIDTH 8
#include "_layouts.h"
#undef LEVEL
#undef WIDTH
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define LEVEL v3
#define WIDTH 4
#include "_layouts.h"
#undef LEVEL
#undef WIDTH
#pragma GCC pop_options
#endif

#define LEVEL base
#define WIDTH 2
#include "_layouts.h"
#undef LEVEL
#undef WIDTH

#undef T
#undef PASTE
#undef PASTE_
