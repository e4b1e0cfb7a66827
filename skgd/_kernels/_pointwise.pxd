# The C records of _types.h and the classes that hold them.

cdef extern from "_types.h" nogil:
    ctypedef Py_ssize_t idx_t
    ctypedef void (*block_fn)(
        idx_t, idx_t, const double*, const double*, const double*, double*, double*
    ) noexcept nogil
    ctypedef double (*slope_fn)(double, double, const double*) noexcept nogil
    ctypedef void (*move_fn)(
        idx_t, double*, double*, double*, const double*, double, double*
    ) noexcept nogil

    ctypedef struct loss_t:
        block_fn block
        slope_fn slope
        int joint
        double par[4]

    ctypedef struct move_t:
        move_fn fn
        int n_vectors
        int decoupled
        int adaptive
        double hyper[4]


cdef class Pointwise:
    cdef loss_t c
    cdef readonly str name
    cdef readonly tuple params


cdef class Move:
    cdef move_t c
    cdef readonly str name
    cdef readonly tuple hyper
