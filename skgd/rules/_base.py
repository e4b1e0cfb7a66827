"""What update rules share: their memory, their compiled twins."""

import math

from .._component import Component
from .._method import Method

__all__ = ["Rule"]


class Rule(Method, Component):
    r"""How a gradient becomes a move.

    A rule turns the gradient :math:`g_t` of step :math:`t = 1, 2, \dots` into a move
    and a metric :math:`m_t`; the solver, at rate :math:`\gamma_t`, then does

    .. math:: \theta \leftarrow \mathrm{prox}_{\gamma_t m_t}
        (\theta - \gamma_t \, \mathrm{move}_t)

    Attributes
    ----------
    name : str
        The string that names the rule.
    n_vectors : int
        Vectors as long as ``theta`` that it remembers.
    adaptive : bool
        Whether its metric differs from coordinate to coordinate.
    decoupled : bool
        Whether the solver leaves the l2 term out of the gradient and shrinks the
        coefficients by the factor ``1 - rate * alpha * l2`` beside the move.
    auto_power : float
        Power of the number of steps with which ``learning_rate="auto"`` lets the rate fall.
    mean_power : float
        The same where something else takes the noise away: a mean of late iterates, or rates
        that go to nothing at the end. A third of ``auto_power`` by default.
    least_batch : int
        Fewest rows that ``batch_size="auto"`` takes a step: calls and updates are then
        small change beside the gradient.
    least_entries : float
        Entries of a column that such a step has at least, in the mean.
    least_steps : int
        Fewest steps that ``batch_size="auto"`` leaves a pass, where that needs no batches
        of less than 32 rows.
    most_steps : float
        Steps of a pass beyond which it rather takes more rows.
    most_tail : float
        Kurtosis of the rows' slopes from which ``batch_size="auto"`` takes a twentieth of the
        rows a step.

    Notes
    -----
    A rule holds hyper-parameters only: what it remembers is in the arrays that `init`
    returns. A new one subclasses this class and writes `update`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.rules import Rule
    >>> class Signs(Rule):
    ...     def update(self, grad, vectors, scalars, t, xp):
    ...         return xp.sign(grad), None
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=Signs(), max_iter=100, learning_rate="invscaling", tol=None)
    >>> bool(est.fit(X, y).score(X, y) > 0.4)
    True
    """

    name = None
    n_vectors = 0
    adaptive = False
    decoupled = False
    auto_power = 0.75
    least_batch = 32
    least_entries = 1.0
    least_steps = 64
    most_steps = math.inf
    most_tail = math.inf
    # Name of the compiled twin and the hyper-parameters it takes.
    _kernel = None

    @property
    def mean_power(self):
        return self.auto_power / 3.0

    def init(self, theta, xp):
        """Return the memory before the first step.

        Parameters
        ----------
        theta : array of shape (n_params,)
            Parameters, all outputs and intercepts; read for its shape and type only.
        xp : namespace
            Array namespace of ``theta``.

        Returns
        -------
        vectors : array of shape (n_vectors, n_params)
            Zeros, of the type of ``theta``.
        scalars : array of shape (4,)
            Zeros, likewise.
        """
        where = {"device": theta.device} if hasattr(theta, "device") else {}
        vectors = xp.zeros((self.n_vectors, theta.shape[0]), dtype=theta.dtype, **where)
        return vectors, xp.zeros((4,), dtype=theta.dtype, **where)

    def update(self, grad, vectors, scalars, t, xp):
        """Turn a gradient into a move.

        Parameters
        ----------
        grad : array of shape (n_params,)
            Gradient at the current point; not modified.
        vectors : array of shape (n_vectors, n_params)
            Changed in place.
        scalars : array of shape (4,)
            Changed in place by rules that use it.
        t : int
            Number of this step, from 1.
        xp : namespace
            Array namespace of ``grad``.

        Returns
        -------
        move : array of shape (n_params,)
            To be multiplied by the rate and subtracted.
        metric : array of shape (n_params,), float or None
            Factor of the rate in each coordinate, for the prox; None where all are 1, a
            float where all are equal.
        """
        raise NotImplementedError

    def compiled(self):
        """Return the compiled twin, for kernels.

        Returns
        -------
        Move or None
            None for a class that does not ship with skgd.
        """
        # Looked up in the class itself: a subclass may have another recurrence.
        twin = type(self).__dict__.get("_kernel")
        if twin is None:
            return None
        from .._kernels import get_move

        name, params = twin
        return get_move(name, tuple(float(getattr(self, p)) for p in params))
