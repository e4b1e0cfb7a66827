"""What the methods of a user's object ask for."""

import inspect

__all__ = ["takes_xp"]


def takes_xp(method, n_arguments):
    """Return whether a method wants the array namespace after its arguments.

    Parameters
    ----------
    method : callable
        Bound method or function.
    n_arguments : int
        Number of arguments that it takes besides.

    Returns
    -------
    bool
        True if a parameter is named ``xp`` or one more argument is required. False
        for compiled code that does not tell.
    """
    try:
        parameters = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):
        return False
    required = [
        p
        for p in parameters
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    return len(required) > n_arguments or any(p.name == "xp" for p in parameters)
