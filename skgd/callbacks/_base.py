"""What a user may set on an estimator to watch its fits."""

import functools

from .._protocols import Rescale, Stop

__all__ = ["Asked", "Callback", "Fit", "FunctionCallback", "UserEvent", "as_callback"]


class UserEvent:
    """What a callback sees after an iteration; nothing in it may be changed.

    Parameters
    ----------
    event : Event
        From the driver, in the variables of the solver.
    fit : Fit
        Which fit it is of.

    Attributes
    ----------
    iteration : int
        1, 2, ...; ``max_iter`` bounds it.
    t, passes : int
        Updates of the coefficients, and iterations, since the first fit.
    seconds : float
        Since the first iteration began.
    value, violation, rate : float
        F and the violation of its optimality conditions at the point (nan where the solver
        does not know it), and the rate of the last step.
    theta : ndarray of shape (n_params,)
        All coefficients, then all intercepts, in the variables of X; read-only.
    coef, intercept : ndarray
        The same as ``coef_`` and ``intercept_`` would be.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> norms = []
    >>> def watch(event):
    ...     norms.append(float(abs(event.coef).max()))
    >>> est = GDRegressor(solver="gd", max_iter=4, tol=None).set_callbacks(watch).fit(X, y)
    >>> len(norms), norms[0] < norms[-1]
    (4, True)
    """

    def __init__(self, event, fit):
        self._event, self._fit = event, fit

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)  # copy and pickle ask before there is an event
        return getattr(self._event, name)

    @functools.cached_property
    def theta(self):
        # A copy: solvers write into their own arrays.
        theta = self._fit.to_user(self._event.theta).copy()
        theta.flags.writeable = False
        return theta

    @functools.cached_property
    def _model(self):
        return self._fit.coefficients(self._event.theta)

    @property
    def coef(self):
        return self._model["coef_"]

    @property
    def intercept(self):
        return self._model["intercept_"]


class Fit:
    """The fit that a callback is to watch.

    Parameters
    ----------
    estimator : GDRegressor or GDClassifier
        Its parameters are those of the fit; it is not fitted yet.
    scores : list of float or None
        Scores of the validation rows so far; None where there are none.
    objective : LinearObjective or ScaledObjective
        Its variables are those of the solver.
    coefficients : callable
        From a point in these variables to ``coef_`` and ``intercept_``.
    snapshot : callable
        From an event to what `Checkpoint` writes.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.callbacks import Callback
    >>> class Halfway(Callback):
    ...     def start(self, fit):
    ...         return lambda event: 2 * event.iteration >= fit.max_iter
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver="sgd", max_iter=10, tol=None).set_callbacks(Halfway())
    >>> est.fit(X, y).n_iter_
    5
    """

    def __init__(self, estimator, scores, objective, coefficients, snapshot):
        self.estimator, self.max_iter, self.scores = estimator, estimator.max_iter, scores
        self.to_user, self.from_user = objective.to_user, objective.from_user
        self.coefficients, self.snapshot = coefficients, snapshot


class Callback:
    """Base of what `set_callbacks` takes beside plain functions and scikit-learn's callbacks.

    A subclass defines ``__call__(event)``, and ``start(fit)`` where it keeps something: one
    object may watch several fits at once, so what changes belongs to what ``start`` returns.

    Notes
    -----
    scikit-learn 1.9 asks callbacks for the four hooks below. These do nothing: it then
    carries the object through `clone`, as it does with its own.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> from skgd.callbacks import Callback
    >>> class Norms(Callback):
    ...     def start(self, fit):
    ...         self.norms = []
    ...         return lambda event: self.norms.append(abs(event.coef).max())
    >>> X, y = load_diabetes(return_X_y=True)
    >>> norms = Norms()
    >>> est = GDRegressor(solver="sgd", max_iter=5, tol=None).set_callbacks(norms).fit(X, y)
    >>> len(norms.norms)
    5
    """

    sees_all = True  # the last iteration too, which another rule has ended

    def start(self, fit):
        """Return what is called with a `UserEvent` after each iteration of one fit.

        Parameters
        ----------
        fit : Fit
            What is to be watched.

        Returns
        -------
        callable
            Answers None to go on, True or `Stop` to end the run, `Rescale` to change the rate.
            Its method ``close``, if it has one, is called when the fit ends.
        """
        return self

    def __repr__(self):
        given = ", ".join(f"{key}={value!r}" for key, value in vars(self).items())
        return f"{type(self).__name__}({given})"

    def setup(self, estimator, context):
        """Do nothing."""

    def teardown(self, estimator, context):
        """Do nothing."""

    def on_fit_task_begin(self, estimator, context):
        """Do nothing."""

    def on_fit_task_end(self, estimator, context):
        """Do nothing."""


class FunctionCallback(Callback):
    """A plain function of an event.

    Parameters
    ----------
    function : callable
        Takes a `UserEvent`; answers as `Callback.start` says.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> est = GDRegressor(solver="gd").set_callbacks(lambda event: event.iteration == 3)
    >>> est.fit(X, y).stop_reason_
    'callback'
    """

    def __init__(self, function):
        self.function = function

    def __call__(self, event):
        return self.function(event)


class Asked:
    """Asks a user's callback, in the user's variables.

    Parameters
    ----------
    callback : Callback
        As it was set.
    fit : Fit
        What it watches.
    """

    def __init__(self, callback, fit):
        self.fit, self.watch = fit, callback.start(fit)
        self.sees_all = callback.sees_all

    def __call__(self, event):
        answer = self.watch(UserEvent(event, self.fit))
        if isinstance(answer, Stop):
            theta = None if answer.theta is None else self.fit.from_user(answer.theta)
            return Stop(answer.reason, theta, answer.value)
        if isinstance(answer, Rescale):
            theta = None if answer.theta is None else self.fit.from_user(answer.theta)
            return Rescale(answer.factor, theta, answer.value)
        return Stop("callback") if answer else None

    def close(self):
        """Tell the callback that the fit has ended."""
        if hasattr(self.watch, "close"):
            self.watch.close()


def as_callback(given, theirs):
    """Return a callback as `set_callbacks` keeps it.

    Parameters
    ----------
    given : object
        From the user.
    theirs : callable
        Tells whether an object follows scikit-learn's protocol.

    Returns
    -------
    object
        A `Callback`, or one of scikit-learn's as it is.

    Raises
    ------
    TypeError
        If it is neither, nor a function.
    """
    if isinstance(given, type) and callable(given):
        raise TypeError(f"Callbacks are objects; got the class {given.__name__}. Call it first.")
    if isinstance(given, Callback) or theirs(given):
        return given
    # Rules and solvers can be called too, by SciPy.
    if callable(given) and not hasattr(given, "get_params"):
        return FunctionCallback(given)
    raise TypeError(
        "A callback is a function of an event, an object of skgd.callbacks, or one that follows "
        f"scikit-learn's FitCallback protocol; got {given!r}."
    )
