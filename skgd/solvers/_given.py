"""What the user decided beside the solver, and how a solver says that it has no use for it."""

__all__ = ["BOUNDS", "RATES", "STEPS", "given", "refuse"]

RATES = "eta0", "learning_rate"
BOUNDS = "clip_norm", "clip_value"
STEPS = "batch_size", "average"  # of solvers that see some rows a step


def given(settings, *names):
    """Return those of some settings that are not at their defaults.

    Parameters
    ----------
    settings : Settings
        From the estimator.
    *names : str
        Parameters of the estimator, in the order in which they are to be named.

    Returns
    -------
    dict
        Name to value.
    """
    found = {
        "eta0": None if isinstance(settings.eta0, str) else settings.eta0,
        "learning_rate": settings.schedule,
        "batch_size": None if settings.batch_size in ("auto", 1) else settings.batch_size,
        "clip_norm": settings.clip_norm,
        "clip_value": settings.clip_value,
        "average": settings.average or None,
    }
    return {name: found[name] for name in names if found[name] is not None}


def refuse(solver, why, found, instead):
    """Raise ValueError where the user gave what a solver has no use for.

    Parameters
    ----------
    solver : str
        Its name.
    why : str
        What it does that leaves no room for it.
    found : dict
        From `given`; nothing happens where it is empty.
    instead : str
        The way out.
    """
    for key, value in found.items():
        raise ValueError(
            f"solver={solver!r} {why}, so {key} has no meaning; got {key}={value!r}. Leave it at "
            f"its default, or use {instead}."
        )
