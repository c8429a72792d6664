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
# # How wiring evolves
#
# A search that learns from a held-out part can end with no connection at all. "Understanding the wiring evolution in
# differentiable neural architecture search" (arXiv 2009.01272) says why: to first order, dropping everything in the
# last cell changes the loss by `L - H`, the loss minus the entropy of the prediction. On examples that the weights know
# this is negative, and connections pay; on held-out examples that the network is wrong about and sure of, it is
# positive, and `none` pays.
#
# `WiringEvolution` records these numbers in any search, and says in words when something goes wrong. Here it watches a
# search that is set up to fail: few examples, half of the labels random.
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
from keras_dha.diagnostics import WiringEvolution
from keras_dha.schedules import Schedule

tiny = os.environ.get("KERAS_DHA_TINY") == "1"
images, labels = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8, 1).astype("float32")
rng = np.random.default_rng(0)
order = rng.permutation(len(images))


def some(start, number, noise):
    """Some examples, a share of whose labels are drawn anew."""
    rows = order[start : start + number]
    y = labels[rows].copy()
    wrong = rng.random(number) < noise
    y[wrong] = rng.integers(0, 10, wrong.sum())
    return images[rows], y


# %% [markdown]
# ## One cell, with `none` among its operations


# %%
@keras.saving.register_keras_serializable()
class OneCell(keras_dha.SearchSpace):
    def build(self, choose):
        inputs = keras.Input(self.input_shape)
        x = keras.layers.BatchNormalization()(keras.layers.Conv2D(16, 3, padding="same")(inputs))

        def conv(size):
            convolution = keras.layers.Conv2D(16, size, padding="same", use_bias=False)
            return keras.Sequential([keras.layers.ReLU(), convolution, keras.layers.BatchNormalization()])

        options = {
            "none": lambda: keras.layers.Rescaling(0.0),
            "skip": lambda: keras.layers.Identity(),
            "conv_1x1": lambda: conv(1),
            "conv_3x3": lambda: conv(3),
        }
        first = choose.op("edge_1_from_0", options)(x)
        second = keras.layers.Add()(
            [choose.op("edge_2_from_0", options)(x), choose.op("edge_2_from_1", options)(first)]
        )
        x = keras.layers.GlobalAveragePooling2D()(keras.layers.Concatenate()([first, second]))
        return keras.Model(inputs, keras.layers.Dense(self.num_classes, use_bias=False)(x))


space = OneCell((8, 8, 1), num_classes=10)

# %% [markdown]
# ## Three searches
#
# DARTS with a fast architecture: on clean data; on 50 examples with noisy labels; and on these 50 again, but with an
# architecture that descends the training loss, the same as the weights.

# %%
epochs = 2 if tiny else 40
watched = {}
searches = (
    ("clean", 600, 0.0, "held_out"),
    ("few and noisy", 50, 0.5, "held_out"),
    ("the same, one level", 50, 0.5, "training"),
)
for name, number, noise, loss in searches:
    rng = np.random.default_rng(0)
    train, held_out = some(0, number, noise), some(700, number, noise)
    watch = WiringEvolution(train, held_out, warn=lambda alert, name=name: print(f"{name}: {alert}\n"))
    recipe = keras_dha.recipes.darts().replace(architecture_loss=loss)
    schedule = Schedule(search_fraction=1.0, warmup_fraction=0.0)
    model = keras_dha.SearchModel(space, recipe, schedule=schedule, seed=0)
    model.compile(architecture_optimizer=keras.optimizers.Adam(0.02, beta_1=0.5))
    repeat = max(1, 600 // number)  # as many steps for all
    train = (np.repeat(train[0], repeat, axis=0), np.repeat(train[1], repeat))
    model.fit(*train, held_out=held_out, epochs=epochs, batch_size=25, callbacks=[watch], verbose=0)
    watched[name] = watch.records

# %% [markdown]
# ## What it shows
#
# Left: the probability of `none` on each edge. Right: the mean of `L - H` of examples that the weights train on, and of
# held-out ones.

# %%
figure, axes = plt.subplots(3, 2, figsize=(9, 7.5), sharex=True)
for row, (name, records) in zip(axes, watched.items()):
    for edge in records[0]["edges"]:
        row[0].plot([record["edges"][edge]["none"] for record in records], label=edge)
    for part in ("training", "held_out"):
        row[1].plot([record[part]["gap"] for record in records], label=part)
    row[1].axhline(0.0, color="grey", linewidth=0.8)
    row[0].set_ylabel(f"{name}\nP(none)")
    row[1].set_ylabel("L - H")
    row[0].set_ylim(0, 1)
axes[0, 0].legend()
axes[0, 1].legend()
for axis in axes[-1]:
    axis.set_xlabel("epoch")
figure.tight_layout()

# %% [markdown]
# With clean data `none` loses at once. With few and noisy examples the held-out gap is positive from the first epochs,
# and every edge is emptied. The same examples in a search of one level keep their connections: the weights come to know
# them, the gap is negative, and connections pay. So it is the held-out loss that empties the cell, not the noise alone.
# (One run each; other seeds draw other examples.)
