"""Steps on a few sparse rows whose cost follows their entries, however many columns there are.

The columns that rows have entries in are a small problem of their own. All others only decay,
which can wait until one has an entry again, or someone looks at all coefficients.
"""

import numpy as np

from .. import _kernels
from ._few_rows import Mixture, Singly

__all__ = ["Late", "LateMixture", "LateSingly"]

_FEW = 32  # columns for each entry, from which on only those with entries are looked at
_ALL = slice(None)


class Late:
    r"""Models whose columns decay at every step, by a factor that is due when one is looked at.

    .. math::

        w_{mj} = u_{mj} \exp(-a_j (\tau_m - \tau_{mj}))

    with :math:`u_{mj}` the coefficient at the time :math:`\tau_{mj}` of its last touch, and
    :math:`\tau_m` the time now.

    Parameters
    ----------
    vectors : ndarray of shape (n_models, n_params)
        Coefficients, then intercepts, of each model; changed in place.
    n_outputs : int
        Of a model.
    decay : ndarray of shape (n_features,) or None
        The :math:`a_j`; None is one for all. Not copied: whoever changes those of some columns
        puts these anew.

    Attributes
    ----------
    coef : ndarray of shape (n_models, n_outputs, n_features)
        The :math:`u_{mj}`.
    intercept : ndarray of shape (n_models, n_outputs)
        Intercepts, which do not decay.
    gram : ndarray of shape (n_models, n_models)
        Sums of the products of two models' ``coef``: what those of their coefficients are, but
        for what is late.

    Notes
    -----
    Besides the coefficients it holds a number for each model and column, and one for each column.
    """

    def __init__(self, vectors, n_outputs, decay):
        n_models = len(vectors)
        self.coef = vectors[:, :-n_outputs].reshape(n_models, n_outputs, -1)
        self.intercept = vectors[:, -n_outputs:]
        self.decay = decay
        self.clock = np.zeros(n_models)
        self.seen = np.zeros((n_models, self.coef.shape[2]))
        self._numbers = np.full(self.coef.shape[2], -1, dtype=np.int32)
        self._measure()

    def _measure(self):
        self.gram = products(self.coef)
        self._fastest = 1.0 if self.decay is None else self.decay.max(initial=0.0)

    def places(self, indices):
        """Return the columns of entries, each once, and the place of each entry among them."""
        if len(indices) * _FEW > len(self._numbers):
            return _ALL, indices
        columns, place = np.empty_like(indices), np.empty_like(indices)
        count = _kernels.distinct(indices, self._numbers, columns, place)
        return columns[:count], place

    def take(self, columns):
        """Return coefficients of columns, copies, of shape (n_models, n_outputs, n_columns)."""
        if columns is _ALL:
            self.settle()
            return self.coef.copy()
        out = np.empty((*self.coef.shape[:2], len(columns)))
        _kernels.take_columns(self.coef, self.decay, self.seen, self.clock, columns, out)
        return out

    def put(self, columns, coef, gram=None):
        """Set coefficients of columns as of now; ``gram`` is what it is with them."""
        if columns is _ALL:
            self.coef[...] = coef
            self.clock[:], self.seen[:] = 0.0, 0.0
        else:
            _kernels.put_columns(self.coef, self.seen, self.clock, columns, coef)
        self.gram = products(self.coef) if gram is None else gram

    def go(self, time):
        """Let time go by, of shape (n_models,)."""
        self.clock += time
        gone = np.isinf(self.clock)
        if gone.any():  # a decay of all there was
            self.coef[gone], self.clock[gone], self.seen[gone] = 0.0, 0.0, 0.0
            self._measure()

    def hastened(self, decay):
        """Take note that some columns decay so from now on."""
        self._fastest = max(self._fastest, decay.max(initial=0.0))

    def is_late(self):
        """Whether what is late may be a tenth of a coefficient."""
        return self._fastest * self.clock.max() > 0.1

    def settle(self):
        """Bring all columns up to date; costs a pass over them."""
        if self.clock.any():
            _kernels.decay_all(self.coef, self.decay, self.seen, self.clock)
            self.clock[:], self.seen[:] = 0.0, 0.0
            self._measure()


def products(coef):
    """Return the sums of the products of each two models' coefficients."""
    return np.einsum("mkc,nkc->mn", coef, coef)


class _Touching:
    """Over `Singly` or `Mixture` without l1: what `each` holds is of the columns of a call."""

    def __init__(self, solver, problem, state):
        super().__init__(solver, problem, state)
        vectors = np.atleast_2d(self.live[0])  # a view
        self.live, self._kept = [], []  # what a call changes are copies
        decay = None if self.metric is None else self.metric[2]
        self.late = Late(vectors, problem.objective.n_outputs, decay)

    # -- a call -----------------------------------------------------------------------

    def begin(self, rows):
        super().begin(rows)
        late = self.late
        self._columns, place = late.places(rows.indices)
        self._was = late.take(self._columns)
        self._coef, self._intercept, self._products = self._was.copy(), late.intercept.copy(), None
        self.each = list(zip(self._coef, self._intercept, strict=True))
        return rows._replace(indices=place, n_features=self._coef.shape[2])

    def learn(self, rows, order):
        if self.metric is not None:
            inv2, _, decay, _ = self.metric
            self.seen_metric = inv2[self._columns], None, decay[self._columns], None
        return super().learn(rows, order)

    def _gram(self):
        """Return the sums of products with what was learnt."""
        if self._products is None:
            self._products = self.late.gram + products(self._coef) - products(self._was)
        return self._products

    def commit(self):
        if self.metric is not None:
            time = self.stepped.sum(axis=1)
        else:
            with np.errstate(divide="ignore"):
                time = -np.log(np.maximum(1.0 - self.stepped * self.fixed[0], 0.0)).sum(axis=1)
        late, gram = self.late, self._gram()
        late.go(time)
        late.put(self._columns, self._coef, gram if late.clock.any() else None)
        late.intercept[...] = self._intercept

    def undo(self):
        # Some of them may decay otherwise now.
        self.late.put(self._columns, self._was, self.late.gram)
        super().undo()

    # -- looks ------------------------------------------------------------------------

    def point(self):
        return self.mix(self._coef), self.mix(self._intercept)

    def before(self, rows):
        W, b = self.mix(self._was), self.mix(self.late.intercept)
        return self._mean(rows, W, b) + self._penalty(self.late.gram)

    def penalty(self, W):
        return self._penalty(self._gram())

    def _penalty(self, gram):
        if not self.problem.has_l2:
            return 0.0
        return 0.5 * self.problem.decay * float(self.mix(self.mix(gram)))

    def renew(self):
        """Bring all columns up to date, where `penalty` may be far from what it is."""
        if self.late.is_late():
            self.late.put(self._columns, self._was)
            self.late.settle()
            self._products = None

    def model(self):
        self.late.settle()
        return self.mix(self.late.coef), self.mix(self.late.intercept)

    def part(self, indices):
        """Return what `model` does, of columns alone, and the place of each of these.

        Parameters
        ----------
        indices : ndarray of int
            Columns, any number of times.

        Returns
        -------
        coef, intercept, place : ndarray
            ``coef[:, place]`` are the coefficients of the columns.
        """
        columns, place = self.late.places(indices)
        return self.mix(self.late.take(columns)), self.mix(self.late.intercept), place

    # -- between calls ----------------------------------------------------------------

    def settle(self):
        self.late.settle()
        super().settle()

    def rescale(self, columns, scales):
        super().rescale(columns, scales)
        self.late.hastened(self.metric[2][columns])


class LateSingly(_Touching, Singly):
    """A row a step."""

    def mix(self, each):
        """Return the one model's part."""
        return each[0]


class LateMixture(_Touching, Mixture):
    """Several rates at once, weighted."""

    def begin(self, rows):
        self._before = self.weights.copy()
        return super().begin(rows)

    def learn(self, rows, order):
        inv_scale = self.problem.objective.inv_scale
        if inv_scale is not None:
            self.seen_scale = inv_scale[self._columns]
        return super().learn(rows, order)

    def undo(self):
        super().undo()
        self.weights[:] = self._before

    def before(self, rows):
        after = self.weights
        self.weights = self._before
        value = super().before(rows)
        self.weights = after
        return value

    def mix(self, each):
        """Return the weighted mean over the models, the first axis."""
        return np.einsum("m,m...->...", self.weights, each)
