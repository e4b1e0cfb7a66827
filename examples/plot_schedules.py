"""
Every schedule
==============

How the rate goes by pass, for each ``learning_rate`` that skgd knows by name, and what two of
them make of the same fit.
"""

# %%
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale

from skgd import GDClassifier
from skgd.inspection import LossCurveDisplay, ScheduleDisplay
from skgd.schedules import Cosine, OneCycle

falling = ["constant", "invscaling", "linear", "step", "exponential", "cosine"]
ScheduleDisplay.from_schedule({name: name for name in falling}, n_iter=60)

# %%
# Schedules as objects have parameters: a warm-up, restarts, another peak.
ScheduleDisplay.from_schedule(
    {
        "cosine, warm-up of 10": Cosine(warmup=10),
        "cosine, restarted": Cosine(restart_every=20),
        "one cycle": OneCycle(peak=3.0),
    },
    n_iter=60,
)

# %%
# One row a step at a rate of 0.05: constant, the noise stays; with a schedule it fades.
X, y = load_breast_cancer(return_X_y=True)
fits = {}
for name in ("constant", "cosine", "invscaling"):
    est = GDClassifier(solver="sgd", batch_size=1, learning_rate=name, eta0=0.05, random_state=0)
    fits[name] = est.set_params(max_iter=60, tol=None, alpha=1e-3).fit(scale(X), y)
LossCurveDisplay.from_estimators(fits)
