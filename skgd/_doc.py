"""The docstrings of the two estimators, each shared sentence written once."""

__all__ = ["document"]

_INTRO = r"""{summary}

    Minimises, for the linear map :math:`\eta_i = x_i W^T + b`,

    .. math::

        F(W, b) = \frac{{1}}{{\sum_i s_i}} \sum_i s_i \, \ell(y_i, \eta_i) + \alpha R(W)

    with weights :math:`s_i` of the rows. Intercepts are never penalised. Every solver
    minimises the same F: it changes the way, never the answer (but ``"adamw"``, which
    decays the weights apart from the gradient, and ``"hedge"``, which follows streams).

    Parameters
    ----------
    loss : str or Loss, default="{loss}"
        :math:`\ell`. {losses} An object with ``value`` and ``gradient`` is a loss of
        your own.
    penalty : {{"l2", "l1", "elasticnet"}}, None or Penalty, default="l2"
        :math:`R`: ``||W||^2 / 2``, ``||W||_1``, or ``l1_ratio`` of the latter and the rest of
        the former. An object with ``value`` and ``prox`` is a penalty of your own.
    alpha : float, default=1e-4
        Strength :math:`\alpha` of the penalty, in ``[0, inf)``.
    l1_ratio : float, default=0.15
        Share of the l1 norm in ``"elasticnet"``, in ``[0, 1]``.
    fit_intercept : bool, default=True
        Whether ``b`` is learnt; False holds it at zero.
    solver : str or Solver, default="auto"
        How F is descended; `skgd.solvers.get_solver_names` lists the names. ``"auto"``
        takes ``"newton"``, or ``"lbfgs"`` and ``"agd"`` where columns are many, in ``fit``
        (``"smoothing"`` or ``"sdca"`` where the loss has a kink, ``"gd"`` where a rate is
        given), and ``"hedge"`` in ``partial_fit``. An object carries hyper-parameters:
        ``Adam(beta_2=0.99)``.
    batch_size : int or "auto", default="auto"
        Rows per step of a stochastic solver. ``"auto"`` is 1 for ``"sgd"``, ``"sag"``,
        ``"saga"`` and ``"svrg"`` (``"ftrl"`` and ``"hedge"`` take no other); for the rest as
        many rows as make a gradient cost what the update costs: the number of columns over the
        stored entries of a row, at least 32.
        ``"rmsprop"`` takes at least twice that number, 64 and a 128th of the rows,
        ``"adadelta"`` at least 64 and a 192nd; but none more than a 64th (``"rmsprop"`` a
        16th), or 32 where that is more. The last step of a pass has nearly as many rows as the
        others, for which they may have fewer. Where a few rows have most of the gradient,
        ``"rmsprop"`` and ``"adadelta"`` take a twentieth.
    learning_rate : str, Schedule or callable, default="auto"
        How the rate changes; `skgd.schedules.get_schedule_names` lists the names.
        ``"auto"`` is constant with a float ``eta0``, otherwise the solver's own choice. A
        callable takes the step number 1, 2, ... and returns the rate.
    eta0 : float or "auto", default="auto"
        Initial rate, positive. A float is a rate in the units of X as given, and the
        textbook's recurrence is followed exactly (``"lbfgs"`` and ``"newton"`` search for
        their steps, and take none). ``"auto"`` centres and scales the columns (algebra,
        not a copy), and takes the rate from the data.
    power_t : float, default={power_t}
        Exponent of ``learning_rate="invscaling"``, in ``[0, inf)``.
    clip_norm, clip_value : float or None, default=None
        Bounds on the gradient's Euclidean norm and on each of its entries, positive.
        Entries are clipped first.
    max_iter : int, default=1000
        Iterations at most: passes over the rows of a stochastic solver, steps of a batch
        one. Schedules with a horizon take it as such, and so do rates from the data where it
        is at least 20.
    tol : float or None, default=1e-4
        When to stop. Solvers that see all rows at each step, such as ``"gd"``, or after
        each pass, such as ``"saga"``: when ``optimality_`` is at most this. Other stochastic
        solvers: when F has not fallen by this fraction for ``n_iter_no_change`` passes. None
        runs all of ``max_iter``.
    shuffle : bool, default=True
        Whether the order of rows is drawn anew in each pass. Every row comes once a pass.
    average : bool or int, default=False
        Whether ``coef_`` is the average of the iterates over steps; a number is the step
        at which averaging begins. With an l1 part an average has few exact zeros.
        Stochastic solvers only: the others have no noise to average out.
    early_stopping : bool, default=False
        Hold out ``validation_fraction`` of the rows (unless ``X_val`` is given), score them
        after each iteration, stop when the score has not risen by ``tol`` for
        ``n_iter_no_change`` iterations, and return the coefficients that scored best.
    validation_fraction : float, default=0.1
        Share of the rows held out, in ``(0, 1)``.
    n_iter_no_change : int, default=5
        Patience of the stopping rules.
    scoring : str, callable or None, default=None
        What early stopping watches: None is ``score``, ``"loss"`` minus the mean loss, other
        strings and callables are scikit-learn's scorers.{class_weight}
    warm_start : bool, default=False
        Whether ``fit`` starts from the coefficients of the last call.
    random_state : int, RandomState or None, default=None
        Draws the order of rows and the validation rows.
    verbose : int, default=0
        1 shows a bar on a terminal where tqdm or rich is installed, else a line for each
        iteration; above 1, lines always.
    epsilon : float, default=0.1
        Parameter of ``"huber"``, ``"epsilon_insensitive"`` and
        ``"squared_epsilon_insensitive"`` where named by string.
    n_jobs : int or None, default=None
        Threads of a pass over all rows; the result does not depend on it. None takes what
        the process may use, and 1 inside a worker of a parallel search.

    Attributes
    ----------
    coef_ : ndarray
        {coef}
    intercept_ : ndarray of shape (1,) or ({k},)
        Zeros with ``fit_intercept=False``.{classes}
    n_features_in_ : int
        Columns seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, where X had names that are all strings.
    n_iter_ : int
        Iterations done.
    t_ : int
        One more than the number of updates.
    loss_curve_ : ndarray of shape (n_iterations,)
        F after each iteration.
    history_ : dict of ndarray
        ``"value"``, ``"violation"``, ``"rate"``, ``"seconds"``, each of length ``n_iter_``, and
        ``"validation_score"`` where there is one. Stochastic solvers leave the violation
        at NaN unless ``verbose`` asks for it: it costs a gradient of all rows.
    restarts_ : ndarray of int
        Iterations after which the run had diverged and went back to its best point.
    solver_ : object
        The solver that ran.
    converged_ : bool
        Whether the run ended before ``max_iter`` by a rule.
    stop_reason_ : str
        ``"converged"``, ``"no_improvement"``, ``"early_stopping"``, ``"max_iter"``,
        ``"callback"``, ``"time_limit"`` or ``"interrupted"``.
    optimality_ : float
        How far F is from its optimum at most, as a fraction of the way from zero
        coefficients with the best intercept (a duality gap); where there is no gap, the
        violation of the optimality conditions relative to that at the same point. NaN
        after ``partial_fit``.
    optimality_kind_ : str
        ``"gap"`` or ``"violation"``.

    See Also
    --------
    {see}

    Notes
    -----
    Rows are read where they lie: C-ordered float32 and float64 arrays, read-only memory
    maps, and CSR matrices are not copied. A run whose rate is too large goes back to its
    best point with a smaller one and warns: coefficients are never NaN or infinite, and F
    is never above F at zero coefficients.

    Examples
    --------
    {example}
    """

_CLASSIFIER = {
    "summary": "Linear classifier fitted by a descent of your choice, on data as it comes.",
    "loss": "log_loss",
    "losses": (
        '``"log_loss"`` (softmax beyond two classes), ``"hinge"``,\n'
        '        ``"squared_hinge"``, ``"modified_huber"``, ``"perceptron"``, and the regression\n'
        "        losses on targets of +1 and -1, one-vs-rest beyond two classes."
    ),
    "power_t": "0.5",
    "class_weight": """
    class_weight : dict, "balanced" or None, default=None
        Factors of the rows' weights by class. ``"balanced"`` makes the classes weigh the
        same; not in ``partial_fit``, where their shares are not known.""",
    "coef": "Shape (1, n_features) for two classes, (n_classes, n_features) beyond.",
    "k": "n_classes",
    "classes": """
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.""",
    "see": """GDRegressor : The same for numbers.
    sklearn.linear_model.SGDClassifier : One row a step, the same objective.""",
    "example": """>>> from sklearn.datasets import load_breast_cancer
    >>> from skgd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> GDClassifier().fit(X, y).score(X, y) > 0.97
    True""",
}

_REGRESSOR = {
    "summary": "Linear regression fitted by a descent of your choice, on data as it comes.",
    "loss": "squared_error",
    "losses": (
        '``"squared_error"`` (halved), ``"huber"``, ``"absolute_error"``,\n'
        '        ``"quantile"``, ``"epsilon_insensitive"``, ``"squared_epsilon_insensitive"``,\n'
        '        ``"log_cosh"``, and with a log link ``"poisson"``, ``"gamma"``, ``"tweedie"``.'
    ),
    "power_t": "0.25",
    "class_weight": "",
    "coef": "Shape (n_features,) for one target, (n_targets, n_features) beyond.",
    "k": "n_targets",
    "classes": "",
    "see": """GDClassifier : The same for labels.
    sklearn.linear_model.SGDRegressor : One row a step, the same objective.""",
    "example": """>>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressor
    >>> X, y = load_diabetes(return_X_y=True, scaled=False)
    >>> round(GDRegressor().fit(X, y).score(X, y), 3)
    0.518""",
}

_X = """X : {array-like, sparse matrix} of shape (n_rows, n_features)
            Rows. C-ordered floats and CSR are used as they are."""
_Y = {
    "GDClassifier": """y : array-like of shape (n_rows,)
            Labels.""",
    "GDRegressor": """y : array-like of shape (n_rows,) or (n_rows, n_targets)
            Targets.""",
}
_WEIGHT = """sample_weight : array-like of shape (n_rows,), default=None
            Weights of rows, not negative: a row of weight 2 counts as two rows."""

_FIT = """Minimise F on all rows.

        Parameters
        ----------
        {X}
        {y}
        coef_init : array-like, default=None
            Coefficients to start from, of the shape of ``coef_``.
        intercept_init : array-like, default=None
            Intercepts to start from.
        {weight}
        X_val, y_val : array-like, default=None
            Validation rows: scored after each iteration, and what ``early_stopping``
            watches.
        sample_weight_val : array-like, default=None
            Their weights.

        Returns
        -------
        self : estimator
            Fitted.

        Raises
        ------
        ValueError, TypeError
            If a parameter or an array cannot be used; the message names it, and a model
            fitted before stays as it was.
        """

_PARTIAL = """Do one pass over new rows, going on from the last call.

        Parameters
        ----------
        {X}
        {y}{classes}
        {weight}

        Returns
        -------
        self : estimator
            With ``coef_`` after the pass; the step count, the rule's memory and the
            schedule go on in the next call.

        Raises
        ------
        ValueError, TypeError
            As in ``fit``; the model then stays as it was.
        """

_CLASSES = """
        classes : array-like, default=None
            All labels that may ever occur; needed in the first call only."""

_PREDICTIONS = {
    "predict": ("Predict {what} of rows.", "ndarray of shape (n_rows,){more}", "{result}"),
    "decision_function": (
        "Return the linear predictor of rows.",
        "ndarray of shape (n_rows,) or (n_rows, n_classes)",
        "Above zero predicts the second of two classes; beyond two, the largest wins.",
    ),
    "predict_proba": (
        "Return the probability of each class.",
        "ndarray of shape (n_rows, n_classes)",
        "Rows add up to 1, columns in the order of ``classes_``.",
    ),
    "predict_log_proba": (
        "Return the logarithm of the probability of each class.",
        "ndarray of shape (n_rows, n_classes)",
        "Minus infinity where the probability is zero.",
    ),
}

_PREDICT = """{first}

        Parameters
        ----------
        {X}

        Returns
        -------
        {kind}
            {says}
        """


def document(cls):
    """Give a class and its methods their docstrings; a class decorator."""
    classifier = cls.__name__ == "GDClassifier"
    cls.__doc__ = _INTRO.format(**(_CLASSIFIER if classifier else _REGRESSOR))
    shared = {"X": _X, "y": _Y[cls.__name__], "weight": _WEIGHT}
    cls.fit.__doc__ = _FIT.format(**shared)
    texts = {"partial_fit": _PARTIAL.format(**shared, classes=_CLASSES if classifier else "")}
    words = (
        {"what": "the labels", "more": "", "result": "One of ``classes_`` for each row."}
        if classifier
        else {
            "what": "the targets",
            "more": " or (n_rows, n_targets)",
            "result": "Of the shape of ``y`` in ``fit``.",
        }
    )
    for name, (first, kind, says) in _PREDICTIONS.items():
        parts = {"first": first, "kind": kind, "says": says}
        parts = {key: text.format(**words) for key, text in parts.items()}
        texts[name] = _PREDICT.format(X=_X, **parts)
    for name, text in texts.items():
        member = vars(cls).get(name)
        if member is None:
            continue
        # ``available_if`` hands out the function that it wraps.
        getattr(member, "fn", member).__doc__ = text
        member.__doc__ = text
    return cls
