# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""Losses and update rules as C function pointers, read once per call of a kernel."""

import numpy as np

# Powers at which the general formula of the Tweedie deviance divides by zero, or is slow.
SPECIAL_POWERS = {(0.0,): "tweedie_zero", (1.0,): "poisson", (2.0,): "gamma"}

cdef extern from "_losses.h" nogil:
    ctypedef struct loss_entry:
        const char* name
        int n_params
        block_fn block
        slope_fn slope
    const loss_entry* loss_table
    void exp_all(idx_t, const double*, double*)
    void exp_neg_all(idx_t, const double*, double*)
    void expm1_all(idx_t, const double*, double*)
    void log_all(idx_t, const double*, double*)
    void log1p_all(idx_t, const double*, double*)

cdef extern from "_moves.h" nogil:
    ctypedef struct move_entry:
        const char* name
        int n_hyper
        move_fn fn
        int n_vectors, decoupled, adaptive
    const move_entry* move_table


cdef class Pointwise:
    """Compiled value and slope of a loss; made by `get_pointwise`.

    Attributes
    ----------
    name : str
        Name of the loss.
    params : tuple of float
        Its hyper-parameters.
    """

    def __reduce__(self):
        return get_pointwise, (self.name, self.params)

    def __repr__(self):
        return f"get_pointwise({self.name!r}, {self.params!r})"

    def block(self, const double[:, ::1] y, const double[:, ::1] eta):
        """Values and slopes of a block of rows, as the kernels compute them.

        Parameters
        ----------
        y : array of shape (n_rows, n_outputs), float64
            Targets; one column of class numbers for softmax.
        eta : array of shape (n_rows, n_outputs), float64
            Linear predictors.

        Returns
        -------
        value : array of shape (n_rows, n_outputs), or (n_rows, 1) for softmax
        slope : array of shape (n_rows, n_outputs)
        """
        cdef idx_t n = eta.shape[0], k = eta.shape[1], width = 1 if self.c.joint else k
        if y.shape[0] != n or y.shape[1] != width:
            raise ValueError(f"y must have shape ({n}, {width}); got ({y.shape[0]}, {y.shape[1]}).")
        if self.c.joint:
            check_codes(y, k)
        value = np.empty((n, width))
        slope = np.empty((n, k))
        cdef double[:, ::1] v = value, g = slope
        if n > 0 and k > 0:
            with nogil:
                self.c.block(n, k, &y[0, 0], &eta[0, 0], self.c.par, &v[0, 0], &g[0, 0])
        return value, slope

    def slope(self, double y, double eta):
        """Slope at one number, as the one-row kernels compute it."""
        if self.c.joint:
            raise ValueError(f"{self.name!r} couples its outputs; use block().")
        return self.c.slope(y, eta, self.c.par)


cdef int check_codes(const double[:, ::1] y, idx_t k) except -1:
    cdef idx_t i
    for i in range(y.shape[0]):
        if not 0 <= y[i, 0] < k:
            raise ValueError(f"class numbers must be in [0, {k}); got {y[i, 0]}.")
    return 0


cdef class Move:
    """Compiled update rule; made by `get_move`.

    Attributes
    ----------
    name : str
        Name of the rule.
    hyper : tuple of float
        Its hyper-parameters.
    """

    def __reduce__(self):
        return get_move, (self.name, self.hyper)

    def __repr__(self):
        return f"get_move({self.name!r}, {self.hyper!r})"

    @property
    def n_vectors(self):
        """Number of vectors like ``theta`` that the rule keeps."""
        return self.c.n_vectors

    @property
    def decoupled(self):
        """Whether l2 shrinks ``theta`` directly instead of through the gradient."""
        return bool(self.c.decoupled)

    @property
    def adaptive(self):
        """Whether the metric is per coordinate."""
        return bool(self.c.adaptive)

    def update(self, const double[::1] grad, double[:, ::1] vectors, double[::1] scalars, t):
        """One update, as the kernels do it.

        Parameters
        ----------
        grad : array of shape (n_params,), float64
            Gradient.
        vectors : array of shape (n_vectors, n_params), float64
            Memory of the rule, changed in place; zeros at the start.
        scalars : array of shape (4,), float64
            The same for its numbers.
        t : int
            Number of the step, from 1.

        Returns
        -------
        move, metric : array of shape (n_params,)
        """
        cdef idx_t n = grad.shape[0]
        if vectors.shape[0] != self.c.n_vectors or (vectors.shape[0] and vectors.shape[1] != n):
            raise ValueError(
                f"vectors must have shape ({self.c.n_vectors}, {n}); "
                f"got ({vectors.shape[0]}, {vectors.shape[1]})."
            )
        if scalars.shape[0] < 4:
            raise ValueError(f"scalars must have 4 entries; got {scalars.shape[0]}.")
        move, metric = np.array(grad), np.empty(n)
        cdef double[::1] g = move, h = metric
        cdef double* memory = &vectors[0, 0] if vectors.shape[0] and n else NULL
        cdef double step = t
        if n > 0:
            with nogil:
                self.c.fn(n, &g[0], memory, &scalars[0], self.c.hyper, step, &h[0])
        return move, metric


def get_pointwise(str name, params=()):
    """Compiled value and slope of a loss.

    Parameters
    ----------
    name : str
        Name of the loss, as in ``skgd.losses``, or ``"softmax"``.
    params : tuple of float, default=()
        ``delta``, ``epsilon``, ``q`` or ``power``, where the loss has one.

    Returns
    -------
    Pointwise

    Raises
    ------
    ValueError
        If the name is unknown or the number of parameters is wrong.
    """
    cdef const loss_entry* entry = loss_table
    cdef Pointwise made = Pointwise.__new__(Pointwise)
    cdef int i
    made.name, made.params = name, tuple(float(p) for p in params)
    wanted, own = name, made.params
    if name == "tweedie" and own in SPECIAL_POWERS:
        wanted, own = SPECIAL_POWERS[own], ()
    elif name == "tweedie" and len(own) == 1 and own[0] > 2:
        wanted = "tweedie_high"
    key = wanted.encode()
    while entry.name != NULL and entry.name != key:
        entry += 1
    if entry.name == NULL:
        raise ValueError(f"No compiled loss is called {name!r}.")
    if len(own) != entry.n_params:
        raise ValueError(f"loss {name!r} takes {entry.n_params} parameters; got {params!r}.")
    made.c.block, made.c.slope, made.c.joint = entry.block, entry.slope, entry.slope == NULL
    for i in range(4):
        made.c.par[i] = own[i] if i < entry.n_params else 0.0
    return made


def get_move(str name, hyper=()):
    """Compiled update rule.

    Parameters
    ----------
    name : str
        Name of the rule, as in ``skgd.rules``.
    hyper : tuple of float, default=()
        sgd ``()``; momentum ``(momentum, averaged)`` with averaged 0 or 1; nesterov
        ``(momentum,)``; adagrad ``(epsilon,)``; adadelta, rmsprop ``(decay, epsilon)``;
        adam, amsgrad, adamw ``(beta_1, beta_2, epsilon)``; nadam
        ``(beta_1, beta_2, epsilon, momentum_decay)``.

    Returns
    -------
    Move

    Raises
    ------
    ValueError
        If the name is unknown or the number of hyper-parameters is wrong.
    """
    cdef const move_entry* entry = move_table
    cdef Move made = Move.__new__(Move)
    cdef int i
    key = name.encode()
    made.name, made.hyper = name, tuple(float(h) for h in hyper)
    while entry.name != NULL and entry.name != key:
        entry += 1
    if entry.name == NULL:
        raise ValueError(f"No compiled rule is called {name!r}.")
    if len(made.hyper) != entry.n_hyper:
        raise ValueError(f"rule {name!r} takes {entry.n_hyper} numbers; got {hyper!r}.")
    made.c.fn, made.c.n_vectors = entry.fn, entry.n_vectors
    made.c.decoupled, made.c.adaptive = entry.decoupled, entry.adaptive
    for i in range(4):
        made.c.hyper[i] = made.hyper[i] if i < entry.n_hyper else 0.0
    return made


def vector_math(str name, const double[::1] x):
    """The kernels' exp, exp_neg and expm1 (x <= 0), log or log1p (0 <= x <= 1) of a vector."""
    cdef idx_t n = x.shape[0]
    out = np.empty(n)
    cdef double[::1] view = out
    if n == 0:
        return out
    if name == "exp":
        exp_all(n, &x[0], &view[0])
    elif name == "exp_neg":
        exp_neg_all(n, &x[0], &view[0])
    elif name == "expm1":
        expm1_all(n, &x[0], &view[0])
    elif name == "log":
        log_all(n, &x[0], &view[0])
    elif name == "log1p":
        log1p_all(n, &x[0], &view[0])
    else:
        raise ValueError(f"unknown function {name!r}.")
    return out
