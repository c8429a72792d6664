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
# # Make a model smaller
#
# A trained Keras model gets a gate for each of its channels. The gates learn which channels the model can do without,
# and become 0 or 1 while they do; closed channels are then taken out of the layers for good. What comes back is a plain
# Keras model with smaller kernels, trained on in the same fit.
#
# Install with `pip install '.[all]'` in a checkout. Set the environment variable `KERAS_DHA_TINY=1` to run everything
# in a minute or so, just to see that it runs.

# %%
import os
import tempfile
import time
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

import keras_dha
from keras_dha.costs import multiply_adds, parameters

tiny = os.environ.get("KERAS_DHA_TINY") == "1"
epochs = 3 if tiny else 20
folder = Path(tempfile.mkdtemp())

# %%
images, labels = load_digits(return_X_y=True)
images = np.round(images.reshape(-1, 8, 8, 1) * 15.9).astype("uint8")
order = np.random.default_rng(0).permutation(len(images))
train, test = order[:1200], order[1200:]

# %% [markdown]
# ## A model of yours, trained
#
# Any functional or `Sequential` model of known layers will do, such as those of `keras.applications`. This one has a
# residual sum: channels that are added must go together, which is found from the graph.


# %%
def network():
    """A small residual network for pictures of bytes, compiled."""
    keras.utils.set_random_seed(0)

    def convolution(x):
        x = keras.layers.Conv2D(32, 3, padding="same", use_bias=False)(x)
        return keras.layers.BatchNormalization()(x)

    inputs = keras.Input((8, 8, 1))
    x = keras.layers.ReLU()(convolution(keras.layers.Rescaling(1 / 127.5, -1.0)(inputs)))
    for _ in range(2):
        y = convolution(keras.layers.ReLU()(convolution(x)))
        x = keras.layers.ReLU()(keras.layers.Add()([x, y]))
    outputs = keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, outputs)
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


model = network()
model.fit(images[train], labels[train], batch_size=64, epochs=epochs, verbose=0)
model.save(folder / "mine.keras")
print(f"test accuracy {model.evaluate(images[test], labels[test], verbose=0)[1]:.3f}")

# %% [markdown]
# ## Gates
#
# A `GatedSpace` finds the widths that are free, and which layers share one. Load, gate, fit, derive: half of the
# multiply-adds, which the search keeps to, is all that is asked for. (For networks of many channels, give
# `multiple_of=8`: most hardware is no slower with 24 channels than with 19.)

# %%
model = keras.models.load_model(folder / "mine.keras")
space = keras_dha.spaces.GatedSpace(model)
for choice in space.choices():
    print(choice.name, len(choice.options), "channels")

# %%
search = keras_dha.SearchModel(space, keras_dha.recipes.dnal(max_multiply_adds=0.5), seed=0)
history = search.fit(images[train], labels[train], batch_size=64, epochs=epochs, verbose=0).history
smaller = search.derive()
print({name: len(kept) for name, kept in search.decisions().items()})

# %% [markdown]
# Three stages: weights, with all gates open; gates, with weights at rest, while they become 0 or 1; weights, of what is
# left.

# %%
figure, axes = plt.subplots(figsize=(6, 3))
axes.plot(np.arange(1, epochs + 1), history["open_channels"], label="channels that are open")
axes.plot(np.arange(1, epochs + 1), history["accuracy"], label="training accuracy")
axes.set(xlabel="epoch", ylim=(0, 1.05))
axes.legend()
figure.tight_layout()
plt.show()

# %% [markdown]
# ## What it is worth
#
# The smaller model holds stock layers only.


# %%
def milliseconds(model):
    """Of a batch of 64 pictures, the median of some calls."""
    call, x = tf.function(model), tf.zeros((64, 8, 8, 1))
    call(x)
    times = []
    for _ in range(5 if tiny else 50):
        started = time.perf_counter()
        call(x)
        times.append(time.perf_counter() - started)
    return 1000 * float(np.median(times))


for name, one in {"mine": model, "smaller": smaller}.items():
    accuracy = one.evaluate(images[test], labels[test], verbose=0)[1]
    size = f"{multiply_adds(one):,} multiply-adds, {parameters(one):,} parameters"
    print(f"{name:8} test accuracy {accuracy:.3f}, {size}, {milliseconds(one):.2f} ms")

# %% [markdown]
# ## Serve it
#
# As SavedModel, which takes raw bytes, and for LiteRT, whose interpreter is in the package `ai-edge-litert`.

# %%
search.export(folder / "served", verbose=False)
served = tf.saved_model.load(folder / "served").signatures["serve"]
print(served(tf.constant(images[test][:1]))["probabilities"].numpy().round(2))
smaller.export(folder / "smaller.tflite", format="litert", verbose=False)
print((folder / "smaller.tflite").stat().st_size, "bytes")

# %% [markdown]
# ## By hand
#
# `keras_dha.layers.ChannelGate` is a gate for a model that is put together by hand and fitted plainly. After
# `num_steps` training steps its gates are 0 or 1 for good, and `remove_closed` takes the closed channels out.

# %%
keras.utils.set_random_seed(0)
inputs = keras.Input((8, 8, 1))
x = keras.layers.Rescaling(1 / 127.5, -1.0)(inputs)
for _ in range(2):
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(32, 3, padding="same", use_bias=False)(x))
    x = keras.layers.ReLU()(keras_dha.layers.ChannelGate(num_steps=10 * epochs, weight=3e-3)(x))
gated = keras.Model(inputs, keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(x)))
gated.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
gated.fit(images[train], labels[train], batch_size=64, epochs=epochs, verbose=0)
plain = keras_dha.channels.remove_closed(gated)
print([layer.filters for layer in plain.layers if isinstance(layer, keras.layers.Conv2D)], "of 32 and 32 filters")
print(np.abs(plain.predict(images[test], verbose=0) - gated.predict(images[test], verbose=0)).max(), "apart")
