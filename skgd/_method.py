"""What makes a rule or solver a method of `scipy.optimize.minimize`."""

import inspect

from ._component import resolve

__all__ = ["Method"]


class Method:
    """Lets SciPy call a rule or solver with a function in place of rows.

    Attributes
    ----------
    learning_rate, max_iter : object, int or None
        What the constructor was given for this use; None where it was not. Estimators have
        parameters of their own for both and refuse an object that has them too.
    """

    learning_rate = None
    max_iter = None

    def __new__(cls, *args, **params):
        # SciPy calls what it is given: ``method=Adam`` would make an Adam of the function.
        if "hessp" in params:
            resolve(cls, {}, "method")
        if (args or params) and cls.__init__ is object.__init__:
            raise TypeError(f"{cls.__name__}() takes no arguments")  # as without a ``__new__``
        return super().__new__(cls)

    # So that a class without parameters shows none.
    __new__.__signature__ = inspect.signature(lambda cls: None)

    def __call__(
        self,
        fun,
        x0,
        args=(),
        jac=None,
        hess=None,
        hessp=None,
        bounds=None,
        constraints=(),
        callback=None,
        **options,
    ):
        """Minimise a function; called by ``scipy.optimize.minimize(fun, x0, method=self)``.

        Parameters
        ----------
        fun : callable
            ``fun(x, *args)`` gives a number.
        x0 : array-like of shape (n,)
            Where to begin.
        args : tuple, default=()
            Further arguments of ``fun`` and ``jac``.
        jac : callable, True or None, default=None
            ``jac(x, *args)`` gives the gradient; with True ``fun`` gives value and gradient;
            None takes forward differences.
        hess, hessp : None
            Not used; anything else is refused.
        bounds : sequence of (low, high) or scipy.optimize.Bounds, default=None
            Kept by projection.
        constraints : ()
            Not supported; anything else is refused.
        callback : callable, default=None
            ``callback(xk)`` or ``callback(intermediate_result)``, after each step.
        **options : dict
            ``maxiter``, ``tol``, ``learning_rate``, ``eta0``, ``clip_norm``, ``clip_value``,
            ``noise``, ``random_state``, ``guard``, ``return_path``, ``disp``.

        Returns
        -------
        scipy.optimize.OptimizeResult
            With ``x_best`` and ``fun_best`` beside SciPy's names.

        Notes
        -----
        The guide, ``docs/guide/any_function.md``, describes the options.
        """
        # Late: what descends on a function is made of solvers.
        from ._minimize import minimize

        given = {"hess": hess, "hessp": hessp, "constraints": constraints}
        return minimize(self, fun, x0, args, jac, bounds, callback, options, given)
