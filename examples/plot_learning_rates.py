"""
Rates over twelve decades
=========================

Where F stands after a few passes, for one rate after the other: below some rate a descent crawls,
above another it diverges, and between them lie few decades.
"""

# %%
from matplotlib import pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale

from skgd import GDClassifier
from skgd.inspection import LearningRateDisplay

X, y = load_breast_cancer(return_X_y=True)

# %%
# Columns as they come, with deviations from 0.003 to 570: what is right for one coefficient is
# too large or too small for all others, so even the best rate gets a fraction of the way. On
# standardised columns many rates get far.
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for ax, rows, title in zip(axes, (X, scale(X)), ("raw", "standardised"), strict=True):
    est = GDClassifier(solver="sgd", batch_size=1, random_state=0)
    LearningRateDisplay.from_estimator(est, rows, y, ax=ax)
    ax.set_xlabel(f"eta0, {title} columns")

# %%
# Left to itself skgd sees the columns centred and scaled, and takes a rate from the data.
est = GDClassifier(solver="sgd", max_iter=1, tol=None, random_state=0).fit(X, y)
print(f"raw columns, eta0='auto': F after one pass {est.loss_curve_[-1]:.3f}")
