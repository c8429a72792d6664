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
# # Methods side by side
#
# Every published method in keras_dha is a *recipe*: which relaxation, which loss the architecture descends, which
# numbers. Any recipe searches any space. Here all of them search the same small one, on the same data, for the same
# number of epochs, and end in the same thing: a trained Keras model.
#
# Install with `pip install '.[all]'` in a checkout. Set the environment variable `KERAS_DHA_TINY=1` to run everything
# in a few minutes, just to see that it runs.

# %%
import os
import time

import keras
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import keras_dha
from keras_dha.recipes.table import as_markdown

tiny = os.environ.get("KERAS_DHA_TINY") == "1"
images, labels = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8, 1).astype("float32")
x_train, x_test, y_train, y_test = train_test_split(images, labels, test_size=0.2, stratify=labels, random_state=0)
if tiny:
    x_train, y_train = x_train[:100], y_train[:100]

# %% [markdown]
# ## The space
#
# Three stages; each is one of four operations, followed by a normalization. `nothing` is a trap: whoever keeps it sees
# no picture behind it. Recipes whose options learn by the gradient of their weights never keep it, for it has no
# gradient of its own (DARTS has the same rule); `dha` and `proxyless`, which see the loss of each draw, must learn to
# leave it.


# %%
@keras.saving.register_keras_serializable()
class FourOperations(keras_dha.SearchSpace):
    def build(self, choose):
        x = inputs = keras.Input(self.input_shape)
        x = keras.layers.Conv2D(16, 3, padding="same")(x)
        for stage in range(1 if tiny else 3):
            options = {
                "conv_3x3": lambda: keras.layers.Conv2D(16, 3, padding="same"),
                "conv_1x1": lambda: keras.layers.Conv2D(16, 1),
                "identity": lambda: keras.layers.Identity(),
                "nothing": lambda: keras.layers.Rescaling(0.0),
            }
            x = choose.op(f"stage_{stage}", options)(x)
            x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(inputs, keras.layers.Dense(self.num_classes)(x))


space = FourOperations((8, 8, 1), num_classes=10)

# %% [markdown]
# ## One fit a recipe
#
# `dha` brings its augmentation and its hyper-parameters with it. To compare searches of architecture alone, they are
# switched off here; in your own work, switch them on for any recipe: `SearchModel(space, recipe, augmentation=...,
# hyperparameters=...)`.

# %%
rows = []
for name, make in keras_dha.recipes.RECIPES.items():
    started = time.time()
    model = keras_dha.SearchModel(space, make(), augmentation=None, hyperparameters=None, seed=0)
    model.fit(x_train, y_train, epochs=2 if tiny else 30, batch_size=32, verbose=0)
    _, accuracy = model.derive().evaluate(x_test, y_test, verbose=0)
    kept = [options[0] for options in model.decisions().values()]
    rows.append((name, accuracy, time.time() - started, kept))

print(f"{'recipe':<12} {'accuracy':>8} {'seconds':>8}  kept")
for name, accuracy, seconds, kept in rows:
    print(f"{name:<12} {accuracy:>8.3f} {seconds:>8.1f}  {', '.join(kept)}")

# %% [markdown]
# One run each, on a small task: this shows how the methods are used, not which is best. Learning rates differ, as the
# papers' do.

# %%
figure, axis = plt.subplots(figsize=(7, 3.5))
axis.barh([row[0] for row in rows][::-1], [row[1] for row in rows][::-1], color="#4878a8")
axis.set_xlabel("test accuracy, one run")
axis.set_xlim(0, 1)
figure.tight_layout()

# %% [markdown]
# ## What differs
#
# The table of docs/methods.md, made by the code:

# %%
print(as_markdown())
