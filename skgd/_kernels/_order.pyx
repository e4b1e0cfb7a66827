# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""Random orders of rows, without waiting for memory at each swap."""

cdef extern from "_order.h" nogil:
    void c_swap_down "swap_down"(Py_ssize_t*, Py_ssize_t, Py_ssize_t, const double*)


def swap_down(Py_ssize_t[::1] order, Py_ssize_t top, const double[::1] u):
    """Swap places of an order at random, from the top down.

    Parameters
    ----------
    order : array of shape (n,), intp
        Changed in place.
    top : int
        Places from here on are left alone, at most n.
    u : array of shape (m,), float64
        A number in [0, 1) for each swap, fewer than ``top``: that of place ``i`` chooses one of
        the ``i + 1`` places up to it.

    Raises
    ------
    ValueError
        If there are too many numbers, or one is outside.
    """
    cdef Py_ssize_t i, m = u.shape[0]
    cdef bint inside = True
    if not m < top <= order.shape[0]:
        raise ValueError(f"{m} swaps from place {top} of {order.shape[0]} are not possible.")
    if m == 0:
        return
    with nogil:
        for i in range(m):
            inside &= 0.0 <= u[i] < 1.0
        if inside:
            c_swap_down(&order[0], top, m, &u[0])
    if not inside:
        raise ValueError("Numbers must be in [0, 1).")
