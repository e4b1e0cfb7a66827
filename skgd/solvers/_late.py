"""Steps on a few sparse rows whose cost follows their entries, however many columns there are.

The columns that rows have entries in are a small problem of their own. All others only decay,
which can wait until one has an entry again, or someone looks at all coefficients.
"""

import math

import numpy as np

from .. import _kernels
from ._few_rows import Mixture, Singly

__all__ = ["Late", "LateMixture", "LateSingly"]

_FEW = 16  # columns for each entry, from which on only those with entries are looked at
_ALL = slice(None)


class Late:
    r"""Models whose columns decay at every step, by a factor that is due when one is looked at.

    .. math::

        w_{mj} = u_{mj} \exp(-a_j (\tau_m - \tau_{mj}))

    with :math:`u_{mj}` the coefficient at the time :math:`\tau_{mj}` of its last touch, and
    :math:`\tau_m` the time now.

    Parameters
    ----------
    coef : ndarray of shape (n_models, n_outputs, n_features)
        The :math:`u_{mj}`; changed in place.
    intercept : ndarray of shape (n_models, n_outputs)
        Intercepts, which do not decay; changed in place.
    decay : ndarray of shape (n_features,) or None
        The :math:`a_j`; None is one for all. Not copied: whoever changes those of some columns
        puts these anew.

    Attributes
    ----------
    gram : ndarray of shape (n_models, n_models)
        Sums of the products of two models' ``coef``: what those of their coefficients are, but
        for what is late.

    Notes
    -----
    Besides the coefficients it holds a number for each model and column, and one for each column.
    """

    def __init__(self, coef, intercept, decay):
        n_models, _, n_features = coef.shape
        self.coef, self.intercept, self.decay = coef, intercept, decay
        self.clock, self.seen = np.zeros(n_models), np.zeros((n_models, n_features))
        self._numbers = np.full(n_features, -1, dtype=np.int32)
        self._all = self.lost = None
        self.measure()

    def measure(self):
        """Take the sums of products, and the fastest decay, from all columns."""
        self.gram = _kernels.products(self.coef)
        self._fastest = 1.0 if self.decay is None else self.decay.max(initial=0.0)

    def places(self, indices):
        """Return the columns of entries, each once, and the place of each entry among them."""
        if len(indices) * _FEW > len(self._numbers):
            return _ALL, indices
        columns, place = np.empty_like(indices), np.empty_like(indices)
        count = _kernels.distinct(indices, self._numbers, columns, place)
        return columns[:count], place

    def take(self, columns):
        """Return coefficients of columns, copies, of shape (n_models, n_outputs, n_columns).

        Those of all columns are written over by the next call for these.
        """
        if columns is _ALL:
            self.settle()
            if self._all is None:
                self._all = np.empty(self.coef.shape)
            self._all[...] = self.coef
            return self._all
        out = np.empty((*self.coef.shape[:2], len(columns)))
        _kernels.take_columns(self.coef, self.decay, self.seen, self.clock, columns, out)
        return out

    def put(self, columns, coef, gram):
        """Set coefficients of columns as of now; ``gram`` is what it is with them."""
        if columns is _ALL:
            if coef is not self.coef:
                self.coef[...] = coef
            self.clock[:], self.seen[:] = 0.0, 0.0
        else:
            _kernels.put_columns(self.coef, self.seen, self.clock, columns, coef)
        self.gram = gram

    def go(self, time):
        """Let time go by, of shape (n_models,); return whether a decay took all there was."""
        self.clock += time
        ended = math.isinf(max(self.clock.tolist()))
        if ended:
            gone = np.isinf(self.clock)
            self.lost = self.coef.copy(), self.seen.copy()
            self.coef[gone], self.clock[gone], self.seen[gone] = 0.0, 0.0, 0.0
        return ended

    def back(self, clock):
        """Go back to a time, whatever has gone by since."""
        if self.lost is not None:
            self.coef[...], self.seen[...] = self.lost
            self.lost = None
        self.clock[...] = clock

    def now(self):
        """Return all coefficients as they are now, copies; costs a pass over them."""
        coef = self.coef.copy()
        if self.clock.any():
            # Whoever looks changes nothing: another thread may look too.
            _kernels.decay_all(coef, self.decay, self.seen.copy(), self.clock.copy())
        return coef

    def hastened(self, decay):
        """Take note that some columns decay so fast from now on."""
        self._fastest = max(self._fastest, decay)

    def is_late(self):
        """Whether what is late may be a tenth of a coefficient."""
        return self._fastest * max(self.clock.tolist()) > 0.1

    def settle(self):
        """Bring all columns up to date; costs a pass over them."""
        if self.clock.any():
            _kernels.decay_all(self.coef, self.decay, self.seen, self.clock)
            self.measure()


class _Touching:
    """Over `Singly` or `Mixture` without l1: ``coef`` is of the columns of a call."""

    def __init__(self, solver, problem, state):
        super().__init__(solver, problem, state)
        self.live, self._kept = [], []  # what a call changes are copies
        decay = None if self.metric is None else self.metric[2]
        self.late = Late(self.coef, self.intercept, decay)

    # -- a call -----------------------------------------------------------------------

    def begin(self, rows):
        super().begin(rows)
        late = self.late
        self._columns, place = late.places(rows.indices)
        self._was = late.take(self._columns)
        self._then = late.clock.copy(), late.intercept.copy(), late.gram
        # All columns are changed in place.
        self.coef = late.coef if self._columns is _ALL else self._was.copy()
        self.intercept, self._products = late.intercept.copy(), None
        return rows._replace(indices=place, n_features=self.coef.shape[2])

    def learn(self, rows, order):
        if self.metric is not None:
            inv2, _, decay, _ = self.metric
            self.seen_metric = inv2[self._columns], None, decay[self._columns], None
        return super().learn(rows, order)

    def _gram(self):
        """Return the sums of products with what was learnt; None where none asks for them."""
        if self.by_loss or not self.problem.has_l2:
            return None
        if self._products is None:
            self._products = _kernels.products(self.coef)
            if self._columns is not _ALL:
                self._products += self.late.gram - _kernels.products(self._was)
        return self._products

    def commit(self):
        late, columns, gram = self.late, self._columns, self._gram()
        # Where all columns took part none is late.
        ended = columns is not _ALL and late.go(self._time())
        late.put(columns, self.coef, gram)
        late.intercept[...] = self.intercept
        if ended:
            late.measure()
            late.lost = None

    def _time(self):
        """Return the time that the last steps took, for each model."""
        if not self.problem.has_l2:
            return 0.0
        if self.metric is not None:
            return self.stepped.sum(axis=1)
        with np.errstate(divide="ignore"):
            return -np.log(np.maximum(1.0 - self.stepped * self.fixed[0], 0.0)).sum(axis=1)

    def undo(self):
        clock, intercept, gram = self._then
        self.late.back(clock)
        # Some of them may decay otherwise now.
        self.late.put(self._columns, self._was, gram)
        self.late.intercept[...] = intercept
        super().undo()

    # -- looks ------------------------------------------------------------------------

    def point(self):
        return self.mix(self.coef), self.mix(self.intercept)

    def before(self, rows):
        W, b = self.mix(self._was), self.mix(self.late.intercept)
        return self._mean(rows, W, b) + self._penalty(self.late.gram)

    def penalty(self, W):
        return self._penalty(self._gram())

    def _penalty(self, gram):
        if self.by_loss or not self.problem.has_l2:
            return 0.0
        if self.late.is_late():
            # Squares are convex, and what is late in them can only fall.
            square = self.mix(np.diagonal(gram))
        else:
            square = self.mix(self.mix(gram))
        return 0.5 * self.problem.decay * float(square)

    def renew(self):
        """Bring all columns up to date, where `penalty` may be far from what it is."""
        if not self.late.is_late():
            return False
        self.late.put(self._columns, self._was, self.late.gram)
        self.late.settle()
        self._then = self.late.clock.copy(), self._then[1], self.late.gram
        self._products = None
        return True

    def model(self):
        return self.mix(self.late.now()), self.mix(self.late.intercept)

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
        # Not by `Late.places`, whose table another thread may use.
        columns, place = np.unique(indices, return_inverse=True)
        place = place.astype(indices.dtype, copy=False)
        return self.mix(self.late.take(columns)), self.mix(self.late.intercept), place

    # -- between calls ----------------------------------------------------------------

    def settle(self):
        self.late.settle()
        super().settle()

    def rescale(self, columns, scales):
        self.late.hastened(super().rescale(columns, scales))


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
