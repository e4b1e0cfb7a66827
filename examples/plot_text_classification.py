"""
Text with 100,000 columns
=========================

Words are hashed into 100,000 sparse columns. The default solver certifies a softmax over four
topics in a moment, and an l1 penalty leaves a handful of words.
"""

# %%
import time

import numpy as np
from matplotlib import pyplot as plt
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.model_selection import train_test_split

from skgd import GDClassifier

TOPICS = {
    "sea": "ship wave harbour sail tide captain anchor whale",
    "kitchen": "bread oven salt knife butter soup onion recipe",
    "court": "judge law witness trial appeal jury verdict clerk",
    "garden": "rose soil seed bee hedge spade lawn compost",
}
rng = np.random.default_rng(0)
common = np.array([f"word{k}" for k in range(20_000)])
names, texts, y = list(TOPICS), [], rng.integers(0, 4, 4_000)
for topic in y:
    own = rng.choice(TOPICS[names[topic]].split(), rng.integers(0, 4))
    texts.append(" ".join([*own, *rng.choice(common, 40)]))
X = HashingVectorizer(n_features=100_000, alternate_sign=False).transform(texts)
X, X_test, y, y_test = train_test_split(X, y, random_state=0)
print(f"{X.shape[0]} texts, {X.shape[1]} columns, {X.nnz / X.shape[0]:.0f} words each")

# %%
alphas, rows = np.logspace(-3.5, -2, 4), []
for alpha in alphas:
    for penalty in ("l2", "l1"):
        begin = time.perf_counter()
        est = GDClassifier(penalty=penalty, alpha=alpha).fit(X, y)
        seconds = time.perf_counter() - begin
        rows.append((penalty, est.score(X_test, y_test), np.count_nonzero(est.coef_.any(axis=0))))
        print(f"{penalty} alpha {alpha:.0e}: {seconds:.2f} s, gap {est.optimality_:.0e}")

# %%
fig, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
for penalty, style in (("l2", "o-"), ("l1", "s--")):
    own = [row for row in rows if row[0] == penalty]
    axes[0].semilogx(alphas, [row[1] for row in own], style, label=penalty)
    axes[1].loglog(alphas, [max(row[2], 0.5) for row in own], style, label=penalty)
axes[0].set(xlabel="alpha", ylabel="accuracy on texts held out")
axes[1].set(xlabel="alpha", ylabel="columns in use")
axes[0].legend(frameon=False)
