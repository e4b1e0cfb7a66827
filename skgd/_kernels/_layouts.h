/* Includes the file KERNEL once per layout of the rows; used by _each.h. */

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
