"""Stochastic dual coordinate ascent: exact steps on one slope at a time, and no rate."""

import numpy as np

from .. import _kernels
from .._dual import targets
from .._kernels._reference import weigh
from .._protocols import State
from .._ranges import check_number
from .._threads import in_turn
from ._base import Solver
from ._given import BOUNDS, RATES, STEPS, given, refuse
from ._order import permuted
from ._replicas import dealt, side_by_side

__all__ = ["SDCA"]

# What a slope takes from the intercept, in parts of what it does to its own row: of the harmonic
# mean at first, of the mean at most.
_COUPLED, _MOST_COUPLED = 0.02, 0.1
_TINY = 1e-3  # parts of the mean |x|^2 that a row counts with at least
# By how much more it takes where the sum of slopes has fallen by no more than a half, and makes up
# more than a quarter of the gap.
_FASTER, _SLOW, _PART = 10.0, 0.5, 0.25
_AWAKE, _RAREST = 2, 4  # visits without a move from which a row rests, at last 2**4 passes
_RESTS = ((1 << np.clip(np.arange(256) - _AWAKE, 0, _RAREST)) - 1).astype(np.uint8)
_MORE, _MOST = 0.2, 16.0  # passes of an iteration, in parts of those done, and at most
_MOST_PASSES = 16  # over awake rows, for one over all
_LEAST = 1e-290  # what can be divided by
_PAIR, _DEAR = 2, ("log_loss", "softmax")  # replicas, where steps have no closed form,
_ROWS, _LIGHT = 2**16, 5.0  # and rows are many and their |x|^2 / (n alpha) small
# Of a pass, below which a part of its own is not worth it; and what part of all must be awake:
# the last ones depend on each other most.
_PART_ROWS, _MOSTLY = 4096, 0.5


class SDCA(Solver):
    r"""Dual coordinate ascent: the best slope of one row, given all others.

    .. math::

        u_i \leftarrow \arg\max_u \; -\ell^*(y_i, u) + \eta_i (u - u_i)
             - \frac{q_i}{2} (u - u_i)^2, \qquad
        q_i = \frac{s_i}{m} \left(\frac{\|x_i\|^2}{\lambda_2} + \frac{1}{\rho}\right)

    with :math:`m = \sum_i s_i` and the coefficients

    .. math::

        w = \mathrm{soft}(z, \lambda_1 / \lambda_2), \qquad
        z = -\frac{1}{m \lambda_2} \sum_i s_i u_i x_i .

    A step has a closed form, but for ``log_loss``, whose one-dimensional equation a guarded
    Newton method solves to rounding: beyond two classes the slopes of a row are found together,
    each a Wright omega function of the one number that makes probabilities add up to 1. An
    intercept that is not penalised asks for
    :math:`\sum_i s_i u_i = 0`. Its penalty is :math:`\rho (c - c_k)^2 / 2`, with
    :math:`c_k` the intercept at the start of each pass: the method of multipliers, whose limit
    is the optimum of F.

    Parameters
    ----------
    replicas : int or "auto", default="auto"
        Parts of the rows whose steps are taken side by side on threads. Each part begins a pass
        with the same coefficients; then what they did is added up, and followed as far as the dual
        rises for certain [4]_. The parts, and with them the result, depend on this number, not on
        the threads. It is at least 1; there are never more than leave 4,096 rows for each, and one
        where there are several outputs without softmax, which have threads of their own.
        ``"auto"`` is 2 for ``log_loss`` of at least 65,536 rows whose mean of ``|x|^2 / (n alpha)``
        is at most 5, else 1.

    Notes
    -----
    For all losses but ``poisson``, ``gamma``, ``tweedie``, ``log_cosh``, ``modified_huber`` and
    ``perceptron``, with a penalty that has an l2 part. Dense rows are centred. Several targets,
    or one class against the rest, are problems of their own that go to threads.

    A step costs two readings of its row: a pass two readings of X in the order drawn. An
    iteration is a pass, later a fifth of the passes done, 16 at most, and one reading in storage
    order for F. Rows whose slopes do not move, at a bound as for most rows of ``hinge``, are
    visited ever less often, at last every 16th pass; a pass then goes over the others several
    times. Slopes are one number for each row and output. :math:`1 / \rho` is small at first, since
    light rows wait for an intercept that follows every heavy one, and grows where it is the sum of
    the slopes that keeps their bound from F.

    It needs about as many passes as ``1 + max |x|^2 / (n alpha)`` is large: many where
    ``alpha`` is tiny and columns are large and not scaled. The certificate is that of its own
    slopes, for softmax that of the point.

    With replicas [3]_, which get buckets of 64 neighbouring rows drawn anew for each pass, more
    passes are needed: two need 1 to 1.4 times as many to 1e-4, four up to 2 times, and more where
    that figure is large. Passes over fewer than half of the rows, or than 4,096 a part, are one
    part alone: rows that are still awake then depend on each other most. Each replica holds
    coefficients of its own.

    There is no rate: ``eta0``, ``learning_rate``, ``clip_norm`` and ``clip_value`` must be left at
    their defaults.

    References
    ----------
    .. [1] S. Shalev-Shwartz, T. Zhang (2013). "Stochastic dual coordinate ascent methods
       for regularized loss minimization". JMLR 14.
    .. [2] S. Shalev-Shwartz, T. Zhang (2016). "Accelerated proximal stochastic dual
       coordinate ascent for regularized loss minimization". Mathematical Programming 155.
    .. [3] N. Ioannou, C. Mendler-Duenner, T. Parnell (2019). "SySCD: a system-aware parallel
       coordinate descent algorithm". NeurIPS.
    .. [4] C. Ma, V. Smith, M. Jaggi, M. I. Jordan, P. Richtarik, M. Takac (2015). "Adding vs.
       averaging in distributed primal-dual optimization". ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.solvers import SDCA
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver=SDCA(), random_state=0).fit(X, y)
    >>> bool(est.score(X, y) > 0.4)
    True
    """

    needs = frozenset({"lazy", "dual"})
    stochastic = True

    def __init__(self, replicas="auto"):
        self.replicas = replicas

    def check(self):
        """Raise where ``replicas`` is neither ``"auto"`` nor a positive integer."""
        if isinstance(self.replicas, str):
            if self.replicas != "auto":
                raise ValueError(
                    f"replicas must be 'auto' or a positive integer; got {self.replicas!r}."
                )
        else:
            check_number("replicas", self.replicas, low=1, integer=True)

    def with_settings(self, settings):
        """Return a copy that follows ``settings``, which may give no rate.

        Parameters
        ----------
        settings : Settings
            From the estimator.

        Returns
        -------
        SDCA
            One that follows them.

        Raises
        ------
        ValueError
            If a rate, a schedule, a batch size, a mean of the iterates or a bound on the
            gradient is given.
        """
        refuse(
            "sdca",
            "takes the best slope of one row after the other",
            given(settings, *RATES, *STEPS, *BOUNDS),
            "solver='sgd', which takes it",
        )
        return super().with_settings(settings)

    def init(self, problem, theta, rng):
        """Return the state before the first step.

        Parameters
        ----------
        problem : Problem
            What is minimised.
        theta : ndarray of shape (n_params,)
            Start point; not modified. Where its coefficients are not zero, the slopes there
            are where the dual ascent begins.
        rng : numpy.random.RandomState
            Draws the order of rows, pass by pass.

        Returns
        -------
        State
            Sets ``value`` at the start, and in ``memory`` the slopes ``dual`` of shape
            (n_outputs, n_rows), ``z``, ``intercept``, ``coupling``, ``still``, ``turns``,
            ``passes`` over the rows, ``norms``, ``rngs``, those of replicas in ``crew``, what their
            steps are damped by in ``damping``, ``eta`` of the best point so far,
            ``lower``, about the bound that the slopes give, and ``uneven``, what share of them
            their sums are; for softmax in place of ``dual``, ``lower`` and ``uneven`` the
            ``slopes`` of shape (n_rows, n_outputs), and after a step ``grad``.
        """
        objective = problem.objective
        state = State(theta.copy())
        state.point = state.theta
        n, k, d = objective.n_rows, objective.n_outputs, objective.n_features
        joint = objective.loss.joint
        W, b = objective.split(theta)
        eta = objective.linear(theta)
        losses, pull = objective.slopes(eta)
        state.value = problem.value(theta, losses)
        slopes, z = np.zeros((n, k)), np.zeros((k, d))
        if W.any():
            s = objective.s[:, None]
            np.divide(pull, s, out=slopes, where=s > 0)
            inv = 1.0 if problem.inv_scale is None else problem.inv_scale
            # Of a gradient in the variables of the objective.
            z[:] = objective.split(objective.adjoint(pull))[0] / inv
            z *= -self._per_row(problem)
        # What belongs together lies together: a row's slopes, or those of an output.
        state.memory.update(
            {"slopes" if joint else "dual": slopes if joint else np.ascontiguousarray(slopes.T)},
            z=np.ascontiguousarray(z.T) if joint else z,
            intercept=b.copy(),
            still=np.zeros((1 if joint else k, n), dtype=np.uint8),
            norms=_kernels.row_norms(objective.memory(), objective.shift, None),
            turns=[0] * (1 if joint else k),
            passes=0,
            rngs=[np.random.default_rng(rng.randint(2**31 - 1)) for _ in range(1 if joint else k)],
            eta=eta,
        )
        state.memory["coupling"] = self._couplings(problem, state.memory)
        replicas = self._side_by_side(problem, state.memory)
        seeds = rng.randint(2**31 - 1, size=replicas) if replicas > 1 else []
        crew = [np.random.default_rng(seed) for seed in seeds]
        state.memory.update(crew=crew, damping=float(replicas))
        if not joint:
            state.memory.update(lower=-np.inf, uneven=np.ones(k))
        return state

    def step(self, problem, state):
        """Do some passes over the rows; the value is that of the best point so far."""
        memory, objective = state.memory, problem.objective
        # Late ones are cheap beside the F that would have told of each.
        wanted = min(max(1.0, _MORE * memory["passes"]), _MOST)
        visits = self._passes(problem, state, wanted)
        memory["passes"] += max(1, round(visits / (len(memory["still"]) * objective.n_active)))
        state.t += visits
        state.passes += 1
        joint, threshold = objective.loss.joint, self._threshold(problem)
        theta = objective.zeros()
        W, b = objective.split(theta)
        z = memory["z"].T if joint else memory["z"]
        W[:] = np.sign(z) * np.maximum(np.abs(z) - threshold, 0.0)
        penalty = 0.5 * problem.decay * float(np.vdot(W, W))
        if problem.inv_scale is not None:
            W /= problem.inv_scale
        b[:] = memory["intercept"]
        if joint:
            value, grad, eta = problem.look(theta)
        else:
            eta = objective.linear(theta)
            value = problem.value(theta, objective.slopes(eta)[0])
            self._bound(problem, memory, penalty, value)
        better = value < state.value or not np.isfinite(state.value)
        if better:
            state.theta = state.point = theta
            state.value, memory["eta"] = value, eta
        if not (joint and better):
            # A gradient at the point, which is an earlier one, or which nothing has needed.
            wanted = self.settings.violation or (joint and "grad" not in memory)
            grad = problem.value_grad(state.point)[1] if wanted else None
        if grad is not None:
            memory["grad"] = grad
            state.violation = problem.violation(state.point, grad)
        return state

    @staticmethod
    def _per_row(problem):
        return 1.0 / max(problem.objective.mass * problem.decay, _LEAST)

    @staticmethod
    def _threshold(problem):
        inv = 1.0 if problem.inv_scale is None else problem.inv_scale
        return float(np.max(problem.l1 / inv, initial=0.0)) / problem.decay

    def _passes(self, problem, state, wanted):
        """Do dual steps on ``wanted`` times as many rows as there are; return how many."""
        memory, objective = state.memory, problem.objective
        joint, crew = objective.loss.joint, memory["crew"]
        per_row, active = self._per_row(problem), objective.active()
        shared = self._threshold(problem), objective.shift, objective.pointwise()
        rows, coupling = objective.memory(), memory["coupling"]
        some = None if len(active) == objective.n_rows else active

        def turn(j, order):
            z, c, slopes = memory["z"], memory["intercept"], memory.get("slopes")
            if not joint:
                z, c, slopes = z[j], c[j : j + 1], memory["dual"][j]
            # The intercept of this pass is the centre of the next one's penalty.
            c -= coupling[j] * (objective.s @ slopes)

            def take(z, c, order, damping):
                numbers = memory["norms"], damping * per_row, damping * coupling[j]
                if joint:
                    of_all = z, c, slopes, memory["still"][j]
                    _kernels.sdca_joint_block(rows, order, *of_all, *numbers, *shared)
                else:
                    of_output = z, c[0], slopes, memory["still"][j]
                    c[0] = _kernels.sdca_block(rows, order, j, *of_output, *numbers, *shared)

            shuffle = self.settings.shuffle
            few = max(_PART_ROWS * len(crew), _MOSTLY * objective.n_active)
            if not crew or len(order) < few:
                take(z, c, permuted(memory["rngs"][j], order) if shuffle else order, 1.0)
                return
            parts, most = dealt(order, len(crew), memory["rngs"][j]), float(len(crew))
            units = per_row, coupling[j]
            held = (z, c), slopes, memory["damping"], units, objective.n_threads
            ratio = side_by_side(take, parts, crew if shuffle else None, *held)
            if not shared[0]:  # a threshold is not quadratic
                memory["damping"] = min(max(1.0, ratio), most)

        def one(_, j):
            visits, still = 0, memory["still"][j]
            for _ in range(int(_MOST_PASSES * wanted)):
                order = _kernels.awake(still, _RESTS, memory["turns"][j], some)
                memory["turns"][j] += 1
                turn(j, order)
                visits += len(order)
                if visits >= wanted * len(active):
                    break
            return visits

        # Outputs know nothing of each other.
        outputs = [(j,) for j in range(len(memory["still"]))]
        return sum(in_turn(one, outputs, objective.n_threads))

    def _side_by_side(self, problem, memory):
        """Return how many replicas there are."""
        if len(memory["still"]) > 1:
            return 1  # outputs are on threads of their own
        objective = problem.objective
        if not isinstance(self.replicas, str):
            return max(1, min(int(self.replicas), objective.n_active // _PART_ROWS))
        if objective.loss.name not in _DEAR or objective.n_active < _ROWS:
            return 1
        return _PAIR if self._mean_norm(problem, memory) * self._per_row(problem) <= _LIGHT else 1

    @staticmethod
    def _mean_norm(problem, memory):
        return float(memory["norms"][problem.objective.active()].mean())

    def _couplings(self, problem, memory):
        """Return what a slope takes from the intercept of each output, at first."""
        objective, outputs = problem.objective, len(memory["still"])
        if not objective.fit_intercept:
            return np.zeros(outputs)
        most = self._most_coupled(problem, memory)
        norms = memory["norms"][objective.active()]
        if objective.loss.joint or not norms.any():
            return np.full(outputs, most)
        # Light rows wait for an intercept that follows every heavy one.
        mean = float(norms.mean())
        with np.errstate(all="ignore"):
            part = 1.0 / float(np.mean(mean / np.maximum(norms, _TINY * mean)))
        least = _COUPLED / _MOST_COUPLED * part * most
        return np.full(outputs, least if least > 0.0 else most)

    def _most_coupled(self, problem, memory):
        mean = self._mean_norm(problem, memory)
        return _MOST_COUPLED * mean * self._per_row(problem) or 1.0 / problem.objective.mass

    def _bound(self, problem, memory, penalty, value):
        """Keep about the bound of F that a certificate finds from the slopes.

        And let intercepts follow faster, where it is they that keep it from F.
        """
        objective, loss = problem.objective, problem.objective.loss
        dual, s = memory["dual"], objective.s
        u = np.ascontiguousarray(dual.T)
        y = targets(objective)
        with np.errstate(all="ignore"):
            terms = loss.conjugate(y, u, np)
            if not np.isfinite(terms).all():  # a slope is beyond its range, by rounding
                terms = loss.conjugate(y, loss.project(y, u, np), np)
            lower = -float(weigh(s, terms).sum()) / objective.mass - penalty
            if objective.fit_intercept:
                total, size = dual @ s, np.abs(dual) @ s
                lower += float(memory["intercept"] @ total) / objective.mass
                # Slopes that are made to add up to zero lose about this share.
                lost = np.abs(total) / np.maximum(0.5 * (size + np.abs(total)), 1e-300)
                left, lower = lost * abs(lower), lower - float(lost.max()) * abs(lower)
                slow = (lost > _SLOW * memory["uneven"]) & (left > _PART * (value - lower))
                memory["uneven"] = lost
                if slow.any():
                    faster = _FASTER * memory["coupling"][slow]
                    most = self._most_coupled(problem, memory)
                    memory["coupling"][slow] = np.minimum(faster, most)
        memory["lower"] = lower

    def restart(self, state, theta, value):
        """Put ``state`` back to ``theta``; the slopes go on from where they are."""
        super().restart(state, theta, value)
        state.memory["eta"] = None
        state.memory.pop("grad", None)
