"""A stream learnt by hand, which others are held to."""

from sklearn.metrics import log_loss

N, SIZE = 105, 20


def by_hand(est, X, y, classes=None, s=None, size=SIZE):
    """Learn from slices by a plain loop; return the estimator and what it predicted before."""
    ahead = []
    for i in range(0, len(y), size):
        part = slice(i, i + size)
        if i and classes is not None:
            p = est.predict_proba(X[part])
            ahead.append(log_loss(y[part], p, labels=classes))
        more = {} if classes is None else {"classes": classes}
        est.partial_fit(X[part], y[part], sample_weight=None if s is None else s[part], **more)
    return est, ahead
