"""The only place for private or version-dependent imports."""

import contextlib
import functools
import math
import multiprocessing
import os
import threading

import sklearn
from threadpoolctl import ThreadpoolController

__all__ = [
    "HAS_CALLBACKS",
    "CallbackSupportMixin",
    "callbacks_of",
    "is_callback",
    "keep_callbacks",
    "one_blas_thread",
    "thread_count",
    "with_callbacks",
]

_setting = threading.Lock()  # held while a fit limits BLAS
_MANY = 10_000  # entries; below, asking BLAS costs more than it brings


def keep_plainly(est, callbacks):
    """Set callbacks on an estimator where scikit-learn has none."""
    for one in callbacks:
        if not hasattr(one, "start"):  # as those of skgd have
            raise RuntimeError(
                f"{one!r} is a callback of scikit-learn, which needs scikit-learn 1.9; here is "
                f"{sklearn.__version__}. Those of skgd.callbacks, and functions, work with it."
            )
    vars(est).pop("_skl_callbacks", None)
    if callbacks:
        est._skl_callbacks = list(callbacks)
    return est


try:  # scikit-learn 1.9 and later
    from sklearn.callback import CallbackSupportMixin, FitCallback, with_callbacks

    HAS_CALLBACKS = True

    def is_callback(given):
        """Whether an object follows scikit-learn's protocol of callbacks."""
        return isinstance(given, FitCallback) and not isinstance(given, type)

    def keep_callbacks(est, callbacks):
        """Set callbacks on an estimator, which it then shares with its clones."""
        return CallbackSupportMixin.set_callbacks(est, *callbacks)

except ImportError:
    HAS_CALLBACKS = False

    class CallbackSupportMixin:
        """Stands in where scikit-learn has no callbacks yet: clones share those set."""

        def __sklearn_clone__(self):
            found = super().__sklearn_clone__()
            return keep_callbacks(found, callbacks_of(self))

    def is_callback(given):
        """Whether an object follows scikit-learn's protocol of callbacks."""
        return hasattr(given, "on_fit_task_end") and not isinstance(given, type)

    keep_callbacks = keep_plainly

    def with_callbacks(method):
        """Return the method as it is."""

        @functools.wraps(method)
        def plain(self, *args, **kwargs):
            return method(self, *args, **kwargs)

        return plain


def callbacks_of(est):
    """Return scikit-learn's callbacks set on an estimator, a list."""
    return getattr(est, "_skl_callbacks", [])


def _in_parallel_worker():
    if multiprocessing.parent_process() is not None:
        return True
    try:
        from joblib.parallel import get_active_backend

        return get_active_backend()[0].nesting_level > 0
    except (ImportError, AttributeError):
        return False


@functools.lru_cache(maxsize=1)
def _libraries():
    return ThreadpoolController()  # looks through all that is loaded, which takes a while


def one_blas_thread(shape):
    """Return a context in which BLAS keeps to the thread that calls it.

    Its other threads spin for a while after each product, on the very cores that the passes
    over the rows have use for: these took twice as long. Rows of a small ``shape`` have one
    thread for their passes, and products too small for more.
    """
    return contextlib.nullcontext() if math.prod(shape) < _MANY else _limited()


@contextlib.contextmanager
def _limited():
    # The limit is one of the process, and the thread that sets it must lift it: of fits that
    # overlap in threads the first one does, and the others leave BLAS as they find it.
    if not _setting.acquire(blocking=False):
        yield
        return
    try:
        with _libraries().limit(limits=1, user_api="blas"):
            yield
    finally:
        _setting.release()


def thread_count(n_jobs):
    """Threads that a pass over the rows may use.

    Parameters
    ----------
    n_jobs : int or None
        None takes what the process may use (its CPU affinity, bounded by
        ``OMP_NUM_THREADS`` as BLAS is), and 1 inside a worker of a parallel search.
        Negative numbers count from the number of CPUs: -1 is all of them.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ValueError, TypeError
        If ``n_jobs`` is 0 or not an integer.
    """
    if hasattr(os, "sched_getaffinity"):
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    if n_jobs is not None:
        if isinstance(n_jobs, bool) or not hasattr(n_jobs, "__index__"):
            raise TypeError(f"n_jobs must be an integer or None; got {n_jobs!r}.")
        if n_jobs == 0:
            raise ValueError("n_jobs=0 has no meaning; use 1 for one thread, None or -1 for all.")
        return n_jobs if n_jobs > 0 else max(1, available + 1 + n_jobs)
    if _in_parallel_worker():
        return 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    if limit.isdigit() and int(limit) > 0:
        available = min(available, int(limit))
    return available
