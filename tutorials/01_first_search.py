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
# # A first search
#
# One `fit` trains a network, and while it trains, chooses its operations, the augmentation of its images, its learning
# rate and its weight decay. What comes out is a plain Keras model.
#
# Install with `pip install '.[all]'` in a checkout. The data are scikit-learn's handwritten digits: 1,797 images of 8
# by 8 pixels, nothing to download. Set the environment variable `KERAS_DHA_TINY=1` to run everything in a minute or so,
# just to see that it runs.

# %%
import os
import tempfile
from pathlib import Path

import keras
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import keras_dha

tiny = os.environ.get("KERAS_DHA_TINY") == "1"

# %% [markdown]
# ## The data
#
# Images have the shape `(height, width, channels)`, labels are integers. Hand the pixels over as they are: the model
# finds their range and scales them itself, also after it is exported.

# %%
images, labels = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8, 1).astype("float32")
x_train, x_test, y_train, y_test = train_test_split(images, labels, test_size=0.2, stratify=labels, random_state=0)
if tiny:
    x_train, y_train = x_train[:200], y_train[:200]
print(f"{len(x_train)} images to train with, {len(x_test)} to test; pixels from {images.min():g} to {images.max():g}")

# %% [markdown]
# ## The space: what may be searched
#
# `NASBench201Space` is a small convolutional network. Its cell has six connections, and each is one of five operations:
# 5^6 = 15,625 networks.

# %%
space = keras_dha.spaces.NASBench201Space(
    (8, 8, 1), num_classes=10, channels=8, cells_per_stage=1, stages=1 if tiny else 2
)
for choice in space.choices():
    print(f"{choice.name}: keep {choice.keep} of {', '.join(choice.options)}")

# %% [markdown]
# ## One fit
#
# `SearchModel` is a `keras.Model`. Nothing but the space is needed: by default it follows the DHA method. `fit` keeps a
# fifth of the training data aside (`held_out=0.2`): on this part it judges learning rate and decay.
#
# The fit has two phases. In the first it *searches*; then the decisions are made, and in the second the chosen
# network *settles*: it goes on training with the same weights. There is no training from scratch.

# %%
model = keras_dha.SearchModel(space, seed=0)
history = model.fit(x_train, y_train, epochs=2 if tiny else 30, batch_size=32, verbose=2)

# %% [markdown]
# ## What was found
#
# All of it is plain data.

# %%
for name, kept in model.decisions().items():
    print(f"{name}: {', '.join(kept)}")
print(model.hyperparameters())

# %% [markdown]
# The policy says how likely each pair of transforms is to be drawn, for the next image; at the beginning every pair was
# as likely as any other.

# %%
policy = model.policy()
pairs = {
    f"{first}, then {second}": probability
    for first, row in zip(policy["operations"], policy["probabilities"])
    for second, probability in zip(policy["operations"], row)
}
print(f"{len(pairs)} pairs, each {1 / len(pairs):.4f} at the beginning; most likely now:")
for pair in sorted(pairs, key=pairs.get, reverse=True)[:3]:
    print(f"  {pair}: {pairs[pair]:.4f}")

# %% [markdown]
# What `fit` returns has the curves.

# %%
for key, values in sorted(history.history.items()):
    print(f"{key:>30}: {float(values[0]):.4g} -> {float(values[-1]):.4g}")

# %% [markdown]
# ## The model
#
# `derive` hands back the chosen network with its trained weights: stock Keras layers only, which know nothing of
# keras_dha. It computes what the search model computes.

# %%
final = model.derive()
final.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
loss, accuracy = final.evaluate(x_test, y_test, verbose=0)
print(f"{final.count_params():,} parameters, accuracy on the test images {accuracy:.4f}")

# %% [markdown]
# ## Export
#
# `export` writes a SavedModel for serving. It takes images as yours are, and loads where there is neither Keras nor
# keras_dha.

# %%
folder = Path(tempfile.mkdtemp())
final.save(folder / "digits.keras")
model.export(str(folder / "digits"))
served = tf.saved_model.load(str(folder / "digits"))
probabilities = served.serve(tf.constant(x_test[:1]))["probabilities"]
print(f"The first test image is a {int(tf.argmax(probabilities[0]))}; the label says {y_test[0]}.")


# %% [markdown]
# ## A space of your own
#
# Write the network once, and ask `choose` where you are not sure.


# %%
@keras.saving.register_keras_serializable()
class TinySpace(keras_dha.SearchSpace):
    """Three convolutions, each with a kernel of 1, 3 or 5 pixels."""

    def build(self, choose):
        inputs = x = keras.Input(self.input_shape)
        for stage in range(3):
            kernels = {
                f"conv{k}": lambda k=k: keras.layers.Conv2D(16, k, padding="same", activation="relu") for k in (1, 3, 5)
            }
            x = choose.op(f"stage_{stage}", kernels)(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(inputs, keras.layers.Dense(self.num_classes)(x))


own = keras_dha.SearchModel(TinySpace((8, 8, 1), num_classes=10), seed=0)
own.fit(x_train, y_train, epochs=2 if tiny else 10, batch_size=32, verbose=2)
print(dict(own.decisions()))
