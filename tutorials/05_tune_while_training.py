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
# # Tune while training
#
# A learning rate is usually found by training many times. Here it is learned in the one fit that trains the network, as
# are the weight decay, a dropout rate, or a smoothing of labels: by the gradient of the loss on a few held-out
# examples, which go back to the training data when the search is over.
#
# Install with `pip install '.[all]'` in a checkout. Set the environment variable `KERAS_DHA_TINY=1` to run everything
# in a minute or so, just to see that it runs.

# %%
import os

import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import keras_dha
from keras_dha.hyperparameters import DropoutRate, LabelSmoothing, LearningRate, WeightDecay
from keras_dha.optimizers import MomentumSGD

tiny = os.environ.get("KERAS_DHA_TINY") == "1"
epochs = 2 if tiny else 30

# %%
images, labels = load_digits(return_X_y=True)
images = np.round(images.reshape(-1, 8, 8, 1) * 15.9).astype("uint8")
order = np.random.default_rng(0).permutation(len(images))
train, test = order[:1200], order[1200:]

# %% [markdown]
# ## A network with a bad learning rate
#
# Any functional or `Sequential` model of one output will do, with any Keras optimizer. This one starts 30 times too
# fast, or 30 times too slow.


# %%
def network(rate):
    """A small network for pictures of bytes, compiled."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8, 8, 1)), keras.layers.Rescaling(1 / 127.5, -1.0)]
    for filters in (16, 32):
        layers += [keras.layers.Conv2D(filters, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D()]
    layers += [keras.layers.Flatten(), keras.layers.Dropout(0.1, name="dropout"), keras.layers.Dense(10, name="head")]
    model = keras.Sequential(layers)
    optimizer = MomentumSGD(rate, momentum=0.9, nesterov=True, weight_decay=1e-4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


def plain(rate):
    """The test accuracy of a fit as it is, whose epochs differ in their order, as those of a search do."""
    model = network(rate)
    rows = keras_dha.data.reshuffled(images[train], labels[train], batch_size=64, seed=0)
    model.fit(rows, epochs=epochs, shuffle=False, verbose=0)
    return model.evaluate(images[test], labels[test], verbose=0)[1]


def tuned(rate):
    """The same fit, in which the learning rate and the decay are learned."""
    parts = [LearningRate(bounds=(1e-5, 10.0)), WeightDecay()]
    search = keras_dha.SearchModel(network(rate), hyperparameters=parts, seed=0)
    history = search.fit(images[train], labels[train], batch_size=64, epochs=epochs, verbose=0).history
    return search, history, search.derive().evaluate(images[test], labels[test], verbose=0)[1]


rates = {"30 times too slow": 0.001, "about right": 0.03, "30 times too fast": 0.9}
results = {name: (plain(rate), *tuned(rate)) for name, rate in rates.items()}
for name, (before, _, _, after) in results.items():
    print(f"{name:20} test accuracy {before:.3f} as it is, {after:.3f} tuned")

# %% [markdown]
# ## What the learning rate did
#
# In the first half of the fit it is learned, by long steps at first; in the second half it is annealed to 0.

# %%
figure, axes = plt.subplots(figsize=(6, 3))
for name, (_, _, history, _) in results.items():
    axes.semilogy(np.maximum(history["learning_rate"], 1e-4), label=name)
axes.set(xlabel="epoch", ylabel="learning rate")
axes.legend()
figure.tight_layout()
plt.show()

# %% [markdown]
# What was learned is in `hyperparameters()`, in the logs of each step, in the saved search model, and at the end of
# `summary()`.

# %%
search = results["about right"][1]
print(search.hyperparameters())

# %% [markdown]
# ## What enters the loss: wrong labels
#
# A fifth of the training labels are wrong now. Smoothing, dropout and decay may help; how much, the held-out loss says.
# The network is handed back with the dropout rate that was learned. One run each: a look, not a comparison of methods.

# %%
rng = np.random.default_rng(1)
noisy = np.where(rng.random(len(train)) < 0.2, rng.integers(0, 10, len(train)), labels[train])


def on_noisy(parts):
    """The search, and the test accuracy on right labels."""
    search = keras_dha.SearchModel(network(0.03), hyperparameters=parts, seed=0)
    search.fit(images[train], noisy, batch_size=64, epochs=epochs, verbose=0)
    return search, search.derive().evaluate(images[test], labels[test], verbose=0)[1]


_, rate_only = on_noisy([LearningRate(bounds=(1e-5, 10.0))])
search, all_of_them = on_noisy([LearningRate(bounds=(1e-5, 10.0)), LabelSmoothing(), DropoutRate()])
print(f"learning rate {rate_only:.3f}, smoothing and dropout too {all_of_them:.3f}")
print(search.hyperparameters())
print(search.derive().get_layer("dropout").rate)

# %% [markdown]
# ## A rate of its own for some weights
#
# `where=` is a layer, or a regular expression that the paths of weights are searched for. Other estimators are given
# as `hypergradients=`: docs/hyperparameters.md says which one sees what, and what it costs.

# %%
parts = [LearningRate(bounds=(1e-5, 10.0)), LearningRate(0.03, bounds=(1e-5, 10.0), where="head")]
search = keras_dha.SearchModel(network(0.03), hyperparameters=parts, seed=0)
search.fit(images[train], labels[train], batch_size=64, epochs=epochs, verbose=0)
print(search.hyperparameters())
