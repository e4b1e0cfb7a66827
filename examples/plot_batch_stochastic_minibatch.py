"""
Batch, stochastic, mini-batch
=============================

The same F, the same rate of 0.5, and three sizes of a step: all rows, one row, 32 rows. A step of
one row costs a thousandth of one of all rows, and is noisy; a few rows take away most of the noise.
"""

# %%
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale

from skgd import GDClassifier
from skgd.inspection import LossCurveDisplay

X, y = load_breast_cancer(return_X_y=True)
X = scale(X)
options = {"eta0": 0.5, "max_iter": 30, "tol": None, "random_state": 0}
fits = {
    "all rows (gd)": GDClassifier(solver="gd", **options),
    "one row": GDClassifier(solver="sgd", batch_size=1, **options),
    "32 rows": GDClassifier(solver="sgd", batch_size=32, **options),
}
for est in fits.values():
    est.fit(X, y)

# %%
# A pass of one-row steps goes 569 times for once of all rows, so it is soon far down, and then
# stays noisy at a rate that does not fall. Thin lines are what was recorded, thick ones smoothed.
LossCurveDisplay.from_estimators(fits, smoothing=0.6)

# %%
# With ``eta0="auto"`` the rate falls by itself, and the noise with it.
auto = GDClassifier(solver="sgd", max_iter=30, tol=None, random_state=0).fit(X, y)
LossCurveDisplay.from_estimators({"rate 0.5": fits["one row"], "rate from the data": auto})
