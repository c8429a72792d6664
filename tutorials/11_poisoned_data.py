# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Poisoned data
#
# Some rows of a table may be wrong, by accident or because someone wants them to be. Two questions: how many added rows
# does it take to have a feature selected that does not matter? And what do wrong labels do to a fit that learns its
# augmentation and its decay from held-out examples, whose labels are as wrong?
#
# Install with `pip install '.[all]'` in a checkout. Set the environment variable `KERAS_DHA_TINY=1` to run everything
# in a minute or so, just to see that it runs.

# %%
import os

import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes, load_digits
from sklearn.tree import DecisionTreeRegressor

import keras_dha
from keras_dha.augmentation import RandAugment, RelaxedPolicy
from keras_dha.evaluation import (
    GateSelector,
    ImportanceSelector,
    LassoSelector,
    selection_robustness,
    sparse_problem,
)
from keras_dha.hyperparameters import WeightDecay

tiny = os.environ.get("KERAS_DHA_TINY") == "1"

# %% [markdown]
# ## A table of which five features matter
#
# A Lasso finds them. An attacker adds rows in which one other feature is 1, all else is 0, and `y` is 1, until the
# Lasso takes that feature, too. One who is *oblivious* has to choose the feature beforehand; one who is *aware* sees
# the table and takes the feature, and the sign of `y`, that need fewest rows.

# %%
problem = sparse_problem(500, 100) if tiny else sparse_problem()
lasso = LassoSelector(penalty=problem.penalty)
print("taken:", np.flatnonzero(lasso.support(problem.x, problem.y)))
found = selection_robustness(lasso, problem.x, problem.y)
print(f"aware: {found.aware} rows; oblivious, for an even chance: {found.oblivious()}; gap: {found.gap()}")
print(found.advice())


# %%
def draw(found, title):
    """Both chances of success by budget."""
    curve = found.curve()
    figure, axes = plt.subplots(figsize=(6, 3))
    axes.step(curve["budgets"], curve["aware"], where="post", label="sees the table")
    axes.step(curve["budgets"], curve["oblivious"], where="post", label="does not see it")
    axes.set(xlabel="added rows", ylabel="chance of success", title=title)
    axes.legend(loc="upper left")
    figure.tight_layout()
    plt.show()


draw(found, f"Lasso, {len(found.targets)} features that do not matter")

# %% [markdown]
# ## Your own table
#
# Standardise it first: the 1 of a poison row is one unit of the feature. Give `penalty`, the number that stays when
# rows are added; with scikit-learn's `alpha` it would grow with the rows, and a feature could leave again.

# %%
data = load_diabetes()
x = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
y = (data.target - data.target.mean()) / data.target.std()
penalties = len(y) * np.array([0.05, 0.1, 0.2])
for penalty in penalties:
    own = selection_robustness(LassoSelector(penalty=penalty), x, y)
    rows = {data.feature_names[target]: count for target, count in zip(own.targets, own.rows)}
    print(f"penalty {penalty:.0f}:", dict(sorted(rows.items(), key=lambda pair: pair[1] or len(y))))
    print(own.advice())

# %% [markdown]
# A larger penalty takes fewer features, and most of the others need more rows. One that was left out by a little comes
# in by a little: s3, once the penalty is so large that it is out.
#
# ## Anything that selects
#
# Channel gates on the inputs of a linear model, many poisoned tables trained side by side; the importances of a tree,
# fitted anew for each table; or any function of `x` and `y` that gives a mask or coefficients.

# %%
few = sparse_problem(400, 42)
x, y = few.x[:, :-1], few.y  # without the column of zeros
gates = GateSelector(num_steps=50, copies=40)
found = selection_robustness(gates, x, y, "oblivious" if tiny else "aware")
print("gates:", found.advice())
draw(found, "channel gates on the inputs")

# %%
tree = ImportanceSelector(DecisionTreeRegressor(min_samples_leaf=5, random_state=0))
found = selection_robustness(tree, x, y, targets=range(5, 8 if tiny else 20))
print("tree:", found.advice())


# %%
def correlated(x, y):
    """The features whose correlation with y is above 0.2."""
    return np.abs(np.corrcoef(x.T, y)[-1, :-1]) > 0.2


found = selection_robustness(correlated, x, y, targets=np.flatnonzero(~correlated(x, y))[:10])
print("correlation:", found.advice())

# %% [markdown]
# ## Wrong labels in a search
#
# The digits, a share of whose training labels are wrong. One fit as it is; one that learns an augmentation and the
# decay from a held-out fifth, in which as many labels are wrong. A wrong label pulls in no direction in particular, so
# held-out examples together still point the right way. One run each: a look; docs/robustness.md has more.

# %%
images, labels = load_digits(return_X_y=True)
images = np.round(images.reshape(-1, 8, 8, 1) * 15.9).astype("uint8")
order = np.random.default_rng(0).permutation(len(images))
train, test = order[:1200], order[1200:]
epochs, shares = (2, (0.4,)) if tiny else (30, (0.0, 0.2, 0.4))


def network():
    """A small network for pictures of bytes, compiled."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8, 8, 1)), keras.layers.Rescaling(1 / 127.5, -1.0)]
    for filters in (16, 32):
        layers += [keras.layers.Conv2D(filters, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D()]
    model = keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(10)])
    optimizer = keras.optimizers.SGD(0.03, momentum=0.9, nesterov=True, weight_decay=5e-4)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def wrong(share):
    """Training labels, a share of which are of another class."""
    rng, own = np.random.default_rng(1), labels[train]
    return np.where(rng.random(len(own)) < share, (own + rng.integers(1, 10, len(own))) % 10, own)


def fitted(share, **parts):
    """A fit, whose learning rate is annealed in the second half, and its test accuracy on right labels."""
    search = keras_dha.SearchModel(network(), seed=0, **parts)
    search.compile(augmentation_optimizer=keras.optimizers.Adam(0.05))
    search.fit(images[train], wrong(share), batch_size=64, epochs=epochs, verbose=0)
    return search, search.derive().evaluate(images[test], labels[test], verbose=0)[1]


# %%
accuracies = {"as it is": [], "augmentation and decay learned": []}
for share in shares:
    policy = RelaxedPolicy(("Identity", "TranslateXRel", "Rotate", "Noise"))
    _, plain = fitted(share, augmentation=RandAugment(("Identity",), num_layers=1))
    search, learned = fitted(share, augmentation=policy, hyperparameters=[WeightDecay(5e-4)])
    for values, accuracy in zip(accuracies.values(), (plain, learned)):
        values.append(accuracy)
    print(f"{share:.0%} wrong:", {name: round(values[-1], 3) for name, values in accuracies.items()})
    print("   decay", search.hyperparameters(), "|", *search.augmentation.sentences(3)[1:])

# %%
figure, axes = plt.subplots(figsize=(6, 3))
for name, values in accuracies.items():
    axes.plot([100 * share for share in shares], values, marker="o", label=name)
axes.set(xlabel="wrong training labels, %", ylabel="test accuracy", xlim=(-2, 42))
axes.legend()
figure.tight_layout()
plt.show()
