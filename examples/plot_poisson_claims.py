"""
Claims a year: Poisson regression
=================================

Counts of insurance claims, with policies that ran for part of a year: the rate of claims is the
target, and the time insured the weight of the row.
"""

# %%
import numpy as np
from matplotlib import pyplot as plt
from sklearn.compose import make_column_transformer
from sklearn.metrics import mean_poisson_deviance
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer

import skgd

rng = np.random.default_rng(0)
n = 20_000
age, power = rng.uniform(18, 90, n), rng.integers(4, 13, n)
region = rng.choice(["city", "town", "village"], n)
years = rng.uniform(0.1, 1.0, n)
rate = 0.08 * np.exp(0.05 * (power - 8) + 0.6 * (region == "city") + ((age - 50) / 30) ** 2)
claims = rng.poisson(rate * years)
X = np.empty((n, 3), dtype=object)
X[:, 0], X[:, 1], X[:, 2] = age, power, region

# %%
columns = make_column_transformer(
    (SplineTransformer(n_knots=6), [0]), (OneHotEncoder(), [2]), remainder="passthrough"
)
model = make_pipeline(columns, skgd.GDRegressor("poisson", alpha=1e-4))
model.fit(X, claims / years, gdregressor__sample_weight=years)
print(skgd.summary(model[-1]))
null = np.full(n, claims.sum() / years.sum())
for name, mean in {"mean rate": null, "model": model.predict(X), "truth": rate}.items():
    deviance = mean_poisson_deviance(claims / years, mean, sample_weight=years)
    print(f"{name:10s} deviance {deviance:.4f}")

# %%
fig, ax = plt.subplots(layout="constrained")
at = np.linspace(18, 90, 80)
for kind, style in (("city", "-"), ("village", "--")):
    rows = np.empty((80, 3), dtype=object)
    rows[:, 0], rows[:, 1], rows[:, 2] = at, 8, kind
    (line,) = ax.plot(at, model.predict(rows), style, label=f"{kind}, fitted")
    true = 0.08 * np.exp(0.6 * (kind == "city") + ((at - 50) / 30) ** 2)
    ax.plot(at, true, ":", color=line.get_color(), label=f"{kind}, true")
ax.set(xlabel="age of the driver (years)", ylabel="claims a year")
ax.legend(frameon=False)
