"""
Early stopping
==============

Few rows, many columns, hardly a penalty: F falls on and on, while the model soon gets worse on rows
it has not seen. ``early_stopping`` watches rows that are held out, and goes back to the best pass.
"""

# %%
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skgd import GDClassifier
from skgd.inspection import LossCurveDisplay

X, y = make_classification(300, 100, n_informative=5, flip_y=0.2, random_state=0)
X, X_val, y, y_val = train_test_split(X, y, test_size=0.5, random_state=0)
options = {"solver": "adam", "eta0": 0.003, "alpha": 1e-8, "random_state": 0}
options["scoring"] = "neg_log_loss"
whole = GDClassifier(max_iter=80, tol=None, **options).fit(X, y, X_val=X_val, y_val=y_val)
LossCurveDisplay.from_estimator(whole, name="no early stopping")

# %%
stopped = GDClassifier(early_stopping=True, max_iter=80, tol=1e-4, **options)
stopped.fit(X, y, X_val=X_val, y_val=y_val)
print(f"stopped after {stopped.n_iter_} passes: {stopped.stop_reason_}")
for name, est in {"stopped early": stopped, "80 passes": whole}.items():
    loss = log_loss(y_val, est.predict_proba(X_val))
    print(f"{name:14s} log loss on rows held out {loss:.3f}")
LossCurveDisplay.from_estimator(stopped, name="early stopping")
