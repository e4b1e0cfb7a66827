"""The way to scikit-learn's callbacks."""

from .._protocols import Stop

__all__ = ["SklearnBridge"]


class SklearnBridge:
    """Tells scikit-learn's callbacks (1.9 and later) about each iteration.

    A context manager around the run, and a callback within it; without an estimator it
    does nothing. A hook of theirs that returns True ends the run.

    Parameters
    ----------
    est : estimator or None
        With callbacks set.
    max_iter : int
        Iterations at most.
    metadata : tuple or None
        ``(X, y, sample_weight)`` as the user gave them.
    coefficients : callable
        From ``theta`` to the attributes that make a fitted model.
    """

    sees_all = True

    def __init__(self, est, max_iter, metadata, coefficients):
        self.est, self.max_iter, self.coefficients = est, max_iter, coefficients
        X, y, weights = metadata or (None, None, None)
        extra = None if weights is None else {"sample_weight": weights}
        self.shared = {"estimator": est, "X": X, "y": y, "metadata": extra}
        self.root = self.task = None

    def __enter__(self):
        if self.est is not None:
            self.root = self.est._init_callback_context(max_subtasks=self.max_iter)
            self.root.call_on_fit_task_begin(**self.shared)
        return self

    def begin(self):
        """Announce the iteration that is about to start."""
        if self.root is not None:
            self.task = self.root.subcontext(task_name="pass")
            self.task.call_on_fit_task_begin(**self.shared)

    def __call__(self, event):
        if self.task is None:
            return None
        stop = self.task.call_on_fit_task_end(
            **self.shared,
            reconstruction_attributes=lambda: self.coefficients(event.theta),
        )
        return Stop("callback") if stop else None

    def __exit__(self, *error):
        if self.root is not None and error[0] is None:
            self.root.call_on_fit_task_end(**self.shared, reconstruction_attributes={})
