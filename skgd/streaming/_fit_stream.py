"""Learning from batches, whatever they come from, in memory that does not grow."""

import contextlib
import time
import warnings
from itertools import zip_longest

import numpy as np

from .._build import mean_loss, theta_of
from .._params import one_scorer
from .._ranges import check_number
from .._summary import check_ours
from ..callbacks import BestSoFar, StreamEvent, stream_progress
from ..losses import resolve_loss

__all__ = ["fit_stream"]


def fit_stream(
    est,
    batches,
    *,
    epochs=1,
    classes=None,
    validation=None,
    validate_every=None,
    scoring="loss",
    patience=5,
    progressive=True,
    callback=None,
):
    """Learn from batches by ``partial_fit``, one after the other.

    Parameters
    ----------
    est : GDRegressor or GDClassifier
        Goes on from where it is, if it has learnt before.
    batches : iterable
        Yields ``(X, y)`` or ``(X, y, sample_weight)``. `skgd.streaming` has sources for arrays,
        CSV, Parquet, LIBSVM files and databases. Those that know names of columns
        (``feature_names``) give them to the model, as a DataFrame would.
    epochs : int, default=1
        How often all batches are read. At least 1; above it, ``batches`` must be such that
        each loop over it begins anew.
    classes : array, default=None
        All labels that may occur; needed by a classifier that has not learnt yet.
    validation : tuple, default=None
        ``(X, y)`` or ``(X, y, sample_weight)``, held out to be scored.
    validate_every : int, default=None
        Batches from one score to the next. None scores after each epoch.
    scoring : "loss", None, str or callable, default="loss"
        ``"loss"`` takes the mean loss, negative; None the estimator's ``score``; else a scorer
        of scikit-learn. More is better.
    patience : int, default=5
        Scores without a better one after which the stream is left. At least 1. The model then,
        and at the end too, is that of the best score.
    progressive : bool, default=True
        Whether each batch is predicted before it is learnt, and its mean loss recorded: an
        honest figure of how well the model does, for one more reading of the batch.
    callback : callable, default=None
        Called with a `skgd.callbacks.StreamEvent` after each batch; True ends the stream.

    Returns
    -------
    est : GDRegressor or GDClassifier
        ``history_`` has an entry for each batch: ``progressive``, the mean loss before it was
        learnt (nan for the first), ``value``, F on it after, ``rate``, ``violation``, ``seconds``
        and ``rows`` so far, and ``validation_score`` where there is one, nan between scores.
        ``n_iter_`` is the number of batches, ``loss_curve_`` is ``history_["value"]``.

    Raises
    ------
    ValueError, TypeError
        If a batch cannot be learnt, or has other columns than the model: the message names it,
        and the model is that after the batch before. If there is no batch at all.

    Notes
    -----
    Memory is that of a batch and the model, and six numbers a batch for ``history_``. An
    interrupt leaves the model after the last whole batch.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skgd import GDClassifier
    >>> from skgd.streaming import ArrayBatches, fit_stream
    >>> X, y = load_digits(return_X_y=True)
    >>> est = GDClassifier(random_state=0)
    >>> est = fit_stream(est, ArrayBatches(X, y, batch_size=100), classes=np.arange(10))
    >>> est.n_iter_, bool(est.history_["progressive"][-1] < 1.0)
    (18, True)
    """
    check_ours(est)
    check_number("epochs", epochs, low=1, integer=True)
    check_number("patience", patience, low=1, integer=True)
    if validate_every is not None:
        check_number("validate_every", validate_every, low=1, integer=True)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be a function of an event; got {callback!r}.")
    try:
        est.partial_fit  # noqa: B018
    except AttributeError as error:
        raise AttributeError(str(error.__cause__ or error)) from error
    if epochs > 1 and iter(batches) is batches:
        raise ValueError(
            f"epochs={epochs} needs batches that can be read again, and {type(batches).__name__} "
            "is used up after one loop. Pass a list, a source of skgd.streaming, or an object "
            "whose __iter__ opens the data anew."
        )
    if est._kind == "regression" and classes is not None:
        raise ValueError(f"classes={classes!r} has no meaning for a regressor. Leave it out.")
    if validation is None and validate_every is not None:
        raise ValueError(
            f"validate_every={validate_every!r} needs rows to score: pass validation=(X, y)."
        )
    first = {} if est._kind == "regression" else {"classes": classes}
    if first and classes is None and not hasattr(est, "coef_"):
        raise ValueError(
            "classes must be given to a classifier that has not learnt yet: all labels that may "
            "ever occur, since the first batch need not hold each of them."
        )
    held = None if validation is None else _Held(est, validation, scoring, patience)
    stream = _Stream(est, batches, held, progressive, callback)
    try:
        for epoch in range(1, epochs + 1):
            for batch in batches:
                stream.learn(batch, epoch, first)
                if validate_every is not None and stream.number % validate_every == 0:
                    stream.validate()
                if stream.reason is not None:
                    break
            if not stream.number:
                raise ValueError(f"{type(batches).__name__} yielded no batch to learn from.")
            if validate_every is None and stream.reason is None:
                stream.validate()
            if stream.reason is not None:
                break
    finally:
        stream.close()
    return est


class _Stream:
    """One call of `fit_stream`: what was learnt, and how it went."""

    names = ("progressive", "value", "violation", "rate", "seconds", "rows", "validation_score")

    def __init__(self, est, batches, held, progressive, callback):
        self.est, self.batches, self.held = est, batches, held
        self.progressive, self.callback = progressive, callback
        self.told = self.known = None  # names of columns: of the source, of the model
        self.rows, self.table, self.reason = 0, [], None
        self.begin = time.perf_counter()
        self.show = stream_progress(type(est).__name__) if est.verbose > 0 else None

    @property
    def number(self):
        """Batches that were learnt."""
        return len(self.table)

    def learn(self, batch, epoch, first):
        """Predict a batch, learn it, and record both."""
        where = f"Batch {self.number + 1}" + (f" of epoch {epoch}" if epoch > 1 else "")
        if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
            raise ValueError(
                f"{where} must be (X, y) or (X, y, sample_weight); got {type(batch).__name__}"
                f"{f' of length {len(batch)}' if hasattr(batch, '__len__') else ''}."
            )
        X, y, *weights = batch
        s = weights[0] if weights else None
        est, ahead = self.est, np.nan
        with _named(where), self.columns(X):
            if self.progressive and hasattr(est, "coef_"):
                ahead = loss_of(est, X, y, s)
            named = {} if self.number and hasattr(est, "coef_") else first
            est.partial_fit(X, y, sample_weight=s, **named)
        self.rows += X.shape[0] if hasattr(X, "shape") else len(X)
        last = getattr(est, "history_", {})  # weights of zero teach nothing
        figures = [last.get(name, [np.nan])[-1] for name in ("value", "violation", "rate")]
        seconds = time.perf_counter() - self.begin
        self.table.append([ahead, *figures, seconds, self.rows, np.nan])
        if self.show is not None or self.callback is not None:
            event = StreamEvent(self.number, epoch, self.rows, seconds, ahead, est)
            if self.show is not None:
                self.show(event)
            if self.callback is not None and self.callback(event):
                self.reason = "callback"

    @contextlib.contextmanager
    def columns(self, X):
        """Have the model take an array for one with the columns that the source has names for.

        Without names of its own it would make the model forget them, or scikit-learn warn.
        """
        told = getattr(self.batches, "feature_names", None)
        if told is not None and told is not self.told and not callable(told):
            # A source may make them anew at each look.
            anew = self.told is None or list(told) != list(self.told)
            if anew and len(told) and all(isinstance(name, str) for name in told):
                self.known = self._checked_names(told, np.shape(X))
            self.told = told
        if self.known is None or hasattr(X, "columns"):
            yield
            return
        given = vars(self.est)
        given.pop("feature_names_in_", None)
        try:
            yield
        finally:
            if hasattr(self.est, "coef_"):
                given["feature_names_in_"] = self.known

    def _checked_names(self, told, shape):
        """Return names as the model keeps them; None if it has learnt columns without."""
        est, names = self.est, np.array(told, dtype=object)
        source, model = type(self.batches).__name__, type(est).__name__
        if shape[1:] != names.shape:
            raise ValueError(f"{source} has {len(names)} feature_names, and X the shape {shape}.")
        if not hasattr(est, "coef_"):
            return names
        known = getattr(est, "feature_names_in_", None)
        if known is None:
            warnings.warn(
                f"{source} names its columns, but {model} was fitted without feature names: they "
                "are taken to be in the same order.",
                stacklevel=6,
            )
            return None
        for j, (here, there) in enumerate(zip_longest(names, known)):
            if here != there:
                raise ValueError(
                    f"column {j} of {source} is {here!r}, where {model} has learnt {there!r}. Pass "
                    "features=list(est.feature_names_in_) to the source."
                )
        return known

    def validate(self):
        """Score the rows held out, and see whether it is time to stop."""
        if self.held is None or not self.number:
            return
        with self.columns(self.held.X):
            self.table[-1][-1] = score = self.held.score(self.est)
        if self.held.is_enough(self.est, score):
            self.reason = "early_stopping"

    def close(self):
        """Set what the whole stream leaves behind."""
        if not self.table:
            return
        est = self.est
        if self.held is not None and self.held.best.kept is not None:
            est.coef_, est.intercept_ = self.held.best.kept
        table = np.array(self.table)
        est.history_ = {name: table[:, j].copy() for j, name in enumerate(self.names)}
        if self.held is None:
            del est.history_["validation_score"]
        est.loss_curve_ = est.history_["value"].copy()
        est.n_iter_ = self.number
        est.stop_reason_ = self.reason or "max_iter"
        est.converged_ = self.reason == "early_stopping"


class _Held:
    """Rows that are scored and never learnt."""

    def __init__(self, est, validation, scoring, patience):
        if not isinstance(validation, tuple | list) or len(validation) not in (2, 3):
            raise ValueError("validation must be (X, y) or (X, y, sample_weight).")
        self.X, self.y, *weights = validation
        self.s = weights[0] if weights else None
        self.scorer = None if scoring == "loss" else one_scorer(est, scoring)
        self.patience, self.best = patience, BestSoFar()

    def score(self, est):
        """Return how good the model is, more is better."""
        if self.scorer is None:
            return -loss_of(est, self.X, self.y, self.s)
        options = {} if self.s is None else {"sample_weight": self.s}
        return float(self.scorer(est, self.X, self.y, **options))

    def is_enough(self, est, score):
        """Keep the best model; return whether too many scores were no better."""
        self.best.look(-score, lambda: (est.coef_.copy(), est.intercept_.copy()))
        return self.best.waited >= self.patience


@contextlib.contextmanager
def _named(where):
    """Put the name of the batch before what is wrong with it."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise type(error)(f"{where}: {error}") from error


def loss_of(est, X, y, sample_weight=None):
    """Return the mean loss of a fitted model on some rows, without the penalty.

    Parameters
    ----------
    est : GDRegressor or GDClassifier
        Fitted.
    X, y, sample_weight
        The rows.

    Returns
    -------
    float
    """
    X, y = est._check_rows(X, y, reset=False)
    s = np.ones(X.shape[0]) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    loss = resolve_loss(est.loss, est._kind, est.epsilon)
    targets = est._encode(y, loss, est._known())
    return mean_loss(X, targets, s)(theta_of(est))
