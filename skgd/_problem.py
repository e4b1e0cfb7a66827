"""What is minimised: an objective over the mass of its rows, plus a penalty."""

import numpy as np

from .penalties import violation_lazy

__all__ = ["Problem"]

_SAMPLE = 2048  # rows from which the smoothness constant is estimated


def _largest(a):
    return float(np.abs(a).max()) if a.size else 0.0


class Problem:
    r"""The function that a solver descends, in the variables of its objective.

    .. math:: F(\theta) = \frac{1}{\sum_i s_i} \sum_i s_i \, \ell_i(\theta) + \alpha R(W)

    Parameters
    ----------
    objective : LinearObjective or ScaledObjective
        The sums over rows.
    penalty : Penalty
        Of unit strength, a function of the user's coefficients.
    alpha : float
        Its strength.

    Attributes
    ----------
    l1, l2 : float or ndarray of shape (n_features,)
        Weights of the penalty's two parts in the variables of the objective; zero for a
        penalty outside the elastic-net family, which acts through its prox alone.
    """

    def __init__(self, objective, penalty, alpha):
        self.objective, self.penalty, self.alpha = objective, penalty, alpha
        lazy = penalty.lazy()
        self.custom = lazy is None and alpha > 0
        l1, l2 = (0.0, 0.0) if lazy is None else (alpha * lazy[0], alpha * lazy[1])
        self.has_l1, self.has_l2 = l1 > 0, l2 > 0
        # With W = U / scale the l2 part becomes a diagonal metric and the l1 part a
        # weighted sum: the optimum stays that of the user's variables.
        self.inv_scale = objective.inv_scale
        inv = 1.0 if self.inv_scale is None else self.inv_scale
        self.l1, self.l2 = l1 * inv, l2 * inv * inv
        # Of coefficients, which are the same in any variables.
        self.decay, self.pull = l2, l1
        self._known = None

    # -- value ----------------------------------------------------------------------

    def _coef(self, theta):
        return self.objective.split(theta)[0]

    def _user_coef(self, U):
        return U if self.inv_scale is None else U * self.inv_scale

    def penalty_value(self, theta):
        """Return ``alpha * R(W)``, smooth and not."""
        if not (self.has_l1 or self.has_l2 or self.custom):
            return 0.0
        return self.alpha * float(self.penalty.value(self._user_coef(self._coef(theta)), np))

    def value(self, theta, loss_sum=None):
        """Return F; reads the rows once, unless the sum of their losses is given."""
        with np.errstate(over="ignore", invalid="ignore"):
            if loss_sum is None:
                loss_sum = self.objective.loss_sum(theta)
            return float(loss_sum / self.objective.mass + self.penalty_value(theta))

    def value_grad(self, theta, rows=None):
        """Return F and the gradient of its smooth part.

        Parameters
        ----------
        theta : ndarray of shape (n_params,)
            Point.
        rows : ndarray of int, default=None
            A batch; its sums are divided by its share of the mass, so that the gradient
            is an unbiased estimate. None takes all rows.

        Returns
        -------
        value : float
            Of the loss (on the batch) and the whole penalty.
        grad : ndarray of shape (n_params,)
            Of the loss and the l2 part; the rest of the penalty belongs to ``prox``.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            value, grad = self.loss_grad(theta, rows)
            if self.has_l2:
                U = self._coef(theta)
                self._coef(grad)[:] += self.l2 * U
            return float(value + self.penalty_value(theta)), grad

    def know(self, theta, value, grad, eta):
        """Keep what `look` says at a point, so that it reads nothing there."""
        self._known = theta.copy(), value, grad, eta

    def look(self, theta, eta=None):
        """Return F, the gradient of its smooth part, and the linear predictors of all rows.

        Parameters
        ----------
        theta : ndarray of shape (n_params,)
            Point.
        eta : ndarray of shape (n_rows, n_outputs), default=None
            The predictors, where they are at hand: half of the arithmetic is saved.

        Returns
        -------
        value, grad : float, ndarray of shape (n_params,)
            As from ``value_grad``.
        eta : ndarray of shape (n_rows, n_outputs)
            In all one reading of X.
        """
        if self._known is not None and np.array_equal(theta, self._known[0]):
            value, grad, eta = self._known[1:]
            return value, grad.copy(), eta.copy()
        with np.errstate(over="ignore", invalid="ignore"):
            if eta is not None:
                loss_sum, u = self.objective.slopes(eta)
                return self.value(theta, loss_sum), self.gradient_of(theta, u), eta
            loss_sum, grad, eta = self.objective.look(theta)
        return self.value(theta, loss_sum), self.smooth_part(theta, grad), eta

    def smooth_part(self, theta, grad):
        """Turn the gradient of a sum of losses into that of the smooth part of F, in place."""
        with np.errstate(over="ignore", invalid="ignore"):
            grad /= self.objective.mass
            if self.has_l2:
                self._coef(grad)[:] += self.l2 * self._coef(theta)
        return grad

    def gradient_of(self, theta, u):
        """Return the gradient of the smooth part of F from the weighted slopes of the losses."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.smooth_part(theta, self.objective.adjoint(u))

    def loss_grad(self, theta, rows=None):
        """Return mean and gradient of the loss alone, of a batch or of all rows."""
        value, grad = self.objective.sums(theta, rows)
        mass = self.objective.mass
        if rows is not None:
            mass *= len(rows) / self.objective.n_active
        return value / mass, grad / mass

    def prox(self, theta, step):
        """Return the proximal point of the non-smooth part of the penalty.

        Parameters
        ----------
        theta : ndarray of shape (n_params,)
            Point; not modified. Intercepts are left alone.
        step : float or ndarray of shape (n_params,)
            Step length, per coordinate where a metric asks for it.
        """
        if not (self.has_l1 or self.custom):
            return theta
        out = theta.copy()
        U = self._coef(out)
        if np.ndim(step):
            step = self._coef(step)
        # A run that diverges comes here with infinities, and is sent back elsewhere.
        with np.errstate(over="ignore", invalid="ignore"):
            if self.has_l1:
                U[:] = np.sign(U) * np.maximum(np.abs(U) - step * self.l1, 0.0)
            elif self.inv_scale is None:
                U[:] = self.penalty.prox(U, self.alpha * step, np)
            else:
                inv = self.inv_scale
                # One number where all scales are equal, as for penalties not separable.
                inv = float(inv[0]) if self.objective.uniform else inv
                U[:] = self.penalty.prox(U * inv, self.alpha * step * inv**2, np) / inv
        return out

    def violation(self, theta, grad):
        """Return how far ``theta`` is from optimal, in the sup norm.

        ``grad`` is the gradient of the smooth part at ``theta``, as ``value_grad`` gives.
        """
        if not (self.custom or self.has_l1):
            return _largest(grad)  # the l2 part is in it already
        W, b = self.objective.split(grad)
        U = self._coef(theta)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.custom:
                one = self.prox(theta - np.concatenate([W.ravel(), np.zeros_like(b)]), 1.0)
                coef = np.abs(U - self._coef(one)).max(initial=0.0)
            else:
                coef = violation_lazy(U, W, self.l1, 0.0, np)
        return max(float(coef), _largest(b))

    # -- what solvers ask -----------------------------------------------------------

    def with_loss(self, loss, alpha):
        """Return the problem of the same rows and penalty with another loss and strength."""
        return Problem(self.objective.with_loss(loss), self.penalty, alpha)

    def outputs(self):
        """Return a problem for each output, or this one alone where they are coupled.

        F is the sum of theirs.
        """
        found = self.objective.outputs()
        if len(found) == 1 or self.custom:
            return [self]
        return [Problem(one, self.penalty, self.alpha) for one in found]

    def sample(self, most):
        """Return the same problem on at most ``most`` of its rows, evenly spaced."""
        return Problem(self.objective.sample(most), self.penalty, self.alpha)

    def columns(self, columns, copies=1):
        """Return the same problem on some columns, all others held at zero; None if too large."""
        objective = self.objective.columns(columns, copies)
        return None if objective is None else Problem(objective, self.penalty, self.alpha)

    def smoothness(self, theta=None):
        """Return an estimate of the Lipschitz constant of the smooth part's gradient.

        Power iteration on at most 2,048 rows, evenly spaced: a starting value for a
        solver that backtracks, not a bound.
        """
        sample = self.objective.sample(_SAMPLE)
        theta = self.objective.zeros() if theta is None else theta
        # A start with no symmetry, the same every time, so that a fit draws nothing.
        v = 1.0 + np.cos(np.arange(self.objective.n_params))
        if not self.objective.fit_intercept:
            v[self.objective.n_coef :] = 0.0
        norm = 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(12):
                v /= max(np.linalg.norm(v), 1e-300)
                hv = sample.curvature_sums(theta, v) / sample.mass
                if self.has_l2:
                    self._coef(hv)[:] += self.l2 * self._coef(v)
                last, norm = norm, np.linalg.norm(hv)
                if not np.isfinite(norm):
                    return np.inf
                v = hv
                if abs(norm - last) < 0.02 * norm:
                    break
        return float(norm)

    def check(self, solver):
        """Raise ValueError where the solver cannot minimise this function.

        Every impossible combination ends here, before any work.
        """
        needs = solver.needs
        # A rule is run by `Stochastic`, a name that users do not know.
        name = type(solver.get_params(deep=False).get("rule", solver)).__name__
        if "separable" in needs and self.custom and not self.penalty.separable:
            raise ValueError(
                f"The metric of solver {name} differs from coordinate to coordinate, so it "
                f"needs a separable penalty; {self.penalty!r} does not say that it is one. "
                "Use solver='gd', 'sgd', 'momentum' or 'nesterov', or set separable = True "
                "on the penalty if its prox takes an array of steps."
            )
        if "lazy" in needs and self.custom:
            raise ValueError(
                f"Solver {name} takes the l1 and l2 parts of a penalty as numbers; "
                f"{self.penalty!r} gives a prox alone. Use solver='gd' or 'agd'."
            )
        if "no_l1" in needs and self.has_l1:
            raise ValueError(
                f"Solver {name} mixes several models, which would leave no coefficient at zero; "
                f"{self.penalty!r} has an l1 part. Use penalty='l2', or solver='sgd'."
            )
        loss = self.objective.loss
        if "dual" in needs and not self.has_l2:
            raise ValueError(
                f"Solver {name} needs a penalty with an l2 part, from which its coefficients "
                f"follow; got {self.penalty!r} with alpha={self.alpha!r}. Use penalty='l2' or "
                "'elasticnet', or solver='auto'."
            )
        if "dual" in needs and not loss.has_dual_step:
            raise ValueError(
                f"Solver {name} has no step for {loss!r}. Use solver='auto', or one of the losses "
                "'squared_error', 'huber', 'absolute_error', 'quantile', 'epsilon_insensitive', "
                "'squared_epsilon_insensitive', 'hinge', 'squared_hinge' or 'log_loss'."
            )
        if "smoothed_loss" in needs and not loss.smooth and loss.smoothed(1.0) is None:
            raise ValueError(
                f"Solver {name} needs a smooth loss near {loss!r}, and knows none. Use a "
                "stochastic solver such as 'sgd' or 'adam', or solver='gd'."
            )
        if "smooth_loss" in needs and not self.objective.loss.smooth:
            raise ValueError(
                f"Solver {name} needs a smooth loss; {self.objective.loss!r} has a kink. "
                "Use solver='smoothing', solver='gd', or a stochastic one such as 'sgd'."
            )
