/* Includes the file KERNEL once per layout of the rows: a poor man's template.

   REAL is the type of a value, INDEX that of a column number, SPARSE whether there are any;
   T(name) is name with the layout's suffix. */
#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)
#define T(name) PASTE(name, TAG)

#define REAL float
#define INDEX int32_t
#define SPARSE 0
#define TAG f4
#include KERNEL
#undef SPARSE
#undef TAG
#define SPARSE 1
#define TAG f4_i4
#include KERNEL
#undef INDEX
#undef TAG
#define INDEX int64_t
#define TAG f4_i8
#include KERNEL
#undef REAL
#undef TAG
#define REAL double
#define TAG f8_i8
#include KERNEL
#undef INDEX
#undef TAG
#define INDEX int32_t
#define TAG f8_i4
#include KERNEL
#undef SPARSE
#undef TAG
#define SPARSE 0
#define TAG f8
#include KERNEL
#undef REAL
#undef INDEX
#undef SPARSE
#undef TAG
#undef T
#undef PASTE
#undef PASTE_

/* Calls the instance of name for these rows. */
#define DISPATCH(name, rows, ...)                                     \
    ((rows)->real == 4 ? ((rows)->width == 0   ? name##_f4(__VA_ARGS__)    \
                          : (rows)->width == 4 ? name##_f4_i4(__VA_ARGS__) \
                                               : name##_f4_i8(__VA_ARGS__)) \
                       : ((rows)->width == 0   ? name##_f8(__VA_ARGS__)    \
                          : (rows)->width == 4 ? name##_f8_i4(__VA_ARGS__) \
                                               : name##_f8_i8(__VA_ARGS__)))
