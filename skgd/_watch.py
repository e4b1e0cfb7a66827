"""What watches one fit: guard, history, validation, stopping rules, the user's callbacks."""

import copy

import numpy as np

from ._build import coefficients, divergence_bound, mean_loss
from ._compat import callbacks_of
from ._resume import snapshot
from .callbacks import (
    Asked,
    Callback,
    DivergenceGuard,
    Fit,
    History,
    NoImprovement,
    Optimality,
    Plateau,
    SklearnBridge,
    Validation,
    progress,
)
from .schedules import Adaptive

__all__ = ["Watch"]


class Watch:
    """The callbacks of one fit, in the order in which they are asked."""

    def __init__(
        self,
        est,
        plan,
        problem,
        state,
        zero_value,
        reference,
        certificate,
        validation,
        metadata,
        origin,
    ):
        self.est, self.plan, self.problem, self.origin = est, plan, problem, origin
        self.zero_value, self.reference, self.certificate = zero_value, reference, certificate
        self.done, self.seconds = 0, 0.0
        blame = None
        if not isinstance(est.eta0, str) or (plan.schedule and plan.schedule.absolute):
            blame = f"learning_rate={est.learning_rate!r}, eta0={est.eta0!r}"
        bound = divergence_bound(plan, problem.objective, state.value, zero_value)
        self.guard = DivergenceGuard(state.point, state.value, bound, blame)
        self.history = History()
        self.callbacks = [self.guard, self.history]
        adaptive = isinstance(plan.schedule, Adaptive)
        self.validation = None
        if validation is not None:
            score = _scorer(est, plan, problem, validation)
            stops = est.early_stopping and not adaptive
            tol = -np.inf if est.tol is None else est.tol
            self.validation = Validation(score, tol, est.n_iter_no_change, stops)
            self.callbacks.append(self.validation)
        self.rules = self._stopping(est, plan, problem, state, adaptive)
        self.shown = len(self.callbacks)
        self.callbacks += self.rules
        scores = None if self.validation is None else self.validation.scores
        seen = Fit(est, scores, problem.objective, self.coefficients, self._snapshot)
        given = callbacks_of(est)
        self.callbacks += [Asked(one, seen) for one in given if isinstance(one, Callback)]
        theirs = any(not isinstance(one, Callback) for one in given)
        self.bridge = SklearnBridge(
            est if theirs else None, est.max_iter, metadata, self.coefficients
        )
        self.callbacks.append(self.bridge)

    def coefficients(self, theta):
        """Return ``coef_`` and ``intercept_`` of a point."""
        objective = self.problem.objective
        return coefficients(objective, theta, objective.dtype, self.est)

    def _snapshot(self, event):
        return snapshot(self.est, self.plan.found, self.origin, self._resumable(), event)

    def _resumable(self):
        found = [self.guard, self.history, self.validation, *self.rules, self.certificate]
        return [one for one in found if one is not None]

    def resume(self, record):
        """Go on where a fit was when ``record`` was made."""
        self.done, self.seconds = record.iteration, record.seconds
        scores = None if self.validation is None else self.validation.scores
        for one, kept in zip(self._resumable(), record.watch, strict=True):
            vars(one).update(kept)
        for one in self.rules:
            self.reference = getattr(one, "reference", self.reference)
        if scores is not None:
            scores[:] = self.validation.scores
            self.validation.scores = scores  # which others look at too
        if self.certificate is not None:
            self.certificate.attach(self.problem)

    def __enter__(self):
        if self.est.verbose > 0:
            name = type(self.est).__name__
            show = progress(name, self.est.verbose, self.est.max_iter, self.done)
            # Before the rules to stop: the first that does is the last that is asked.
            self.callbacks.insert(self.shown, show)
        self.bridge.__enter__()
        return self

    def __exit__(self, *error):
        for one in self.callbacks:
            if hasattr(one, "close"):
                one.close()
        self.bridge.__exit__(*error)

    def _stopping(self, est, plan, problem, state, adaptive):
        self.certified = certified = plan.solver.certifies(problem)
        rules = []
        if certified and est.tol is not None:
            rules.append(Optimality(est.tol, self.reference, state.memory, self.certificate))
        if adaptive:
            patience = plan.schedule.patience
            watch = None
            if est.early_stopping:
                scores = self.validation.scores
                watch = lambda: -scores[-1]  # noqa: E731
            tol = -np.inf if est.tol is None else est.tol
            rules.append(Plateau(tol, patience, plan.schedule.factor, watch))
        elif not certified and est.tol is not None and not est.early_stopping:
            rules.append(NoImprovement(est.tol, est.n_iter_no_change))
        return rules


def _scorer(est, plan, problem, validation):
    """Return a function of ``theta`` that scores the validation rows."""
    X, y, weights = validation
    objective = problem.objective
    if est.scoring == "loss":
        targets = est._encode(y, plan.loss, getattr(est, "classes_", None))
        s = np.ones(len(targets.y)) if weights is None else weights
        mean = mean_loss(X, targets, s, plan.n_threads)
        return lambda theta: -mean(objective.to_user(theta))
    model = copy.copy(est)
    # The rows are arrays by now, and a scorer must not complain that they have no names.
    vars(model).pop("feature_names_in_", None)
    scorer = est._scorer()
    options = {} if weights is None else {"sample_weight": weights}

    def score(theta):
        vars(model).update(coefficients(objective, theta, objective.dtype, est))
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                return scorer(model, X, y, **options)
        except ValueError:
            # A log link overflows: no prediction is worse, and the run may recover.
            predicted = model.predict(X)
            if predicted.dtype.kind != "f" or np.isfinite(predicted).all():
                raise
            return -np.inf

    return score
