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
# # Learn an augmentation policy
#
# Which changes of a picture help depends on the data, and on what the network will meet: a digit that may stand
# anywhere asks for shifted training pictures; one upside down may be another digit. Here a policy is learned while a
# network of your own trains, from a few held-out pictures of the kind that it is for. Then it is put in words, looked
# at, and mapped over a data set.
#
# Install with `pip install '.[all]'` in a checkout. Set the environment variable `KERAS_DHA_TINY=1` to run everything
# in a minute or so, just to see that it runs.

# %%
import json
import os
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

import keras_dha
from keras_dha.augmentation import RandAugment, RelaxedPolicy
from keras_dha.reports import policy_sheet
from keras_dha.schedules import Schedule

tiny = os.environ.get("KERAS_DHA_TINY") == "1"
rng = np.random.default_rng(0)

# %% [markdown]
# ## Pictures from two places
#
# The training digits stand in the middle. Those that the network is for stand up to two pixels away from it; of these
# there are 200 with labels, and the test pictures, which nothing here learns from.

# %%
images, labels = load_digits(return_X_y=True)
images = np.round(images.reshape(-1, 8, 8, 1) / 16 * 255).astype("uint8")
images = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
order = rng.permutation(len(images))
train, held_out, test = order[:800], order[800:1000], order[1000:]


def moved(pictures):
    """Each by up to two pixels down and to the right, either way."""
    return np.stack([np.roll(picture, rng.integers(-2, 3, 2), (0, 1)) for picture in pictures])


held_out_images, test_images = moved(images[held_out]), moved(images[test])

# %% [markdown]
# ## A network of your own
#
# Any functional or `Sequential` model of one output will do. If it is compiled, its optimizer, loss and metrics are
# taken over.


# %%
def network():
    """A small network for pictures of bytes, compiled."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input(images.shape[1:]), keras.layers.Rescaling(1 / 255)]
    for filters in (16, 32):
        layers += [keras.layers.Conv2D(filters, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D()]
    layers += [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


# %% [markdown]
# ## Search while it trains
#
# All operations begin alike, each done half of the time where it is chosen, at half of its strength. In the first half
# of the fit the policy learns: operations gain whose pictures make the training gradient point where the held-out one
# does. In the second half the network goes on with what was learned.

# %%
operations = ("Identity", "Rotate", "Scale", "ShearX", "TranslateXRel", "TranslateYRel", "FlipX", "FlipY", "Invert")
schedule = Schedule(search_fraction=0.5, warmup_fraction=0.0, hyperparameters_every=1)
epochs = 2 if tiny else 40


def trained_with(policy):
    """The network after a fit with a policy, and what it is worth."""
    search = keras_dha.SearchModel(network(), augmentation=policy, schedule=schedule, seed=0)
    search.compile(augmentation_optimizer=keras.optimizers.Adam(0.02))
    search.fit(
        images[train],
        labels[train],
        batch_size=32,
        epochs=epochs,
        held_out=(held_out_images, labels[held_out]),
        verbose=0,
    )
    trained = search.derive()
    return search, trained, trained.evaluate(test_images, labels[test], verbose=0)[1]


search, trained, accuracy = trained_with(RelaxedPolicy(operations, fill=0.0))  # what comes in from outside is black

# %% [markdown]
# ## What was learned, in words and in pictures
#
# First row: pictures as they are. Below: what the policy makes of them.

# %%
folder = Path(tempfile.mkdtemp())
(folder / "policy.json").write_text(json.dumps(search.policy()))
policy = keras_dha.augmentation.load(folder / "policy.json", seed=0)
policy.summary(count=6)

# %%
policy_sheet(policy, images[train[:8]], labels=labels[train[:8]])

# %% [markdown]
# ## Use it anywhere
#
# A policy is a Keras layer. It maps data sets of bytes or floats, with their labels, and in a model it augments in
# `fit` only. The trained network is plain Keras, without the policy.

# %%
dataset = tf.data.Dataset.from_tensor_slices((images[train], labels[train])).shuffle(800, seed=0).batch(32).map(policy)
x, y = next(iter(dataset))
print(x.shape, x.dtype, y.shape)
print([layer.name for layer in trained.layers])

# %% [markdown]
# ## Was it worth it?
#
# The same network, the same epochs; without a policy, with one that does the same operations at random, and with the
# learned one, whose search was part of its fit. One run each: a look, not a comparison of methods. Always look: where
# nothing has to be learned from other pictures, no policy at all may be best.

# %%
print(f"without {trained_with(RandAugment(('Identity',)))[2]:.3f}")
print(f"random  {trained_with(RandAugment(operations, strength=0.4, fill=0.0))[2]:.3f}")
print(f"learned {accuracy:.3f}")
