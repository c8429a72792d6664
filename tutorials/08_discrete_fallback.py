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
# # Where gradients do not reach
#
# The size of a batch, the kind of optimizer, a number of epochs: nothing has a gradient there. KerasTuner tries such
# things one after another, and an oracle says what to try next. Every space of keras_dha is a hypermodel of
# KerasTuner, and three oracles work for hypermodels of any kind.
#
# Install with `pip install '.[all]'` in a checkout. Set the environment variable `KERAS_DHA_TINY=1` to run everything
# in a minute or two, just to see that it runs.

# %%
import os
import tempfile
import time

import keras
import keras_tuner
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import keras_dha
from keras_dha.tuners import RegularizedEvolutionOracle, SpaceHyperModel, WeakPredictorOracle

tiny = os.environ.get("KERAS_DHA_TINY") == "1"
trials, epochs = (3, 1) if tiny else (24, 4)
folder = tempfile.mkdtemp()

# %%
images, labels = load_digits(return_X_y=True)
images = np.round(images.reshape(-1, 8, 8, 1) * 15.9).astype("uint8")
order = np.random.default_rng(0).permutation(len(images))
train, kept, test = np.split(order, [1000, 1200])

# %% [markdown]
# ## A space is a hypermodel
#
# The space is written once. `SpaceHyperModel` asks KerasTuner what to build, and adds what the training needs: rate,
# decay, smoothing and augmentation by default, and the size of a batch if it is told which ones there are. Each can be
# given a number instead, or left out.


# %%
@keras.saving.register_keras_serializable()
class TinySpace(keras_dha.SearchSpace):
    def build(self, choose):
        inputs = x = keras.Input(self.input_shape)
        for stage in range(2):
            options = {f"conv{k}": lambda k=k: keras.layers.Conv2D(12, k, padding="same") for k in (1, 3, 5)}
            x = choose.op(f"stage_{stage}", options)(x)
            activations = {name: lambda name=name: keras.layers.Activation(name) for name in ("relu", "tanh", "gelu")}
            x = choose.op(f"activation_{stage}", activations)(x)
        x = keras.layers.GlobalMaxPooling2D()(x)
        return keras.Model(inputs, keras.layers.Dense(self.num_classes)(x))


space = TinySpace((8, 8, 1), num_classes=10)
given = {"label_smoothing": None, "augmentation": None, "batch_size": (16, 64), "epochs": epochs, "seed": 0}
hypermodel = SpaceHyperModel(space, **given)

# %% [markdown]
# ## An oracle says what to try
#
# The weak predictor learns, after every few trials, what the good ones have in common, and asks for what looks good to
# it; its few first ones are drawn at random. Beside it: random search, with as many trials.

# %%
objective = "val_accuracy"
oracles = {
    "weak predictor": WeakPredictorOracle(objective, max_trials=trials, seed=0),
    "random": keras_tuner.oracles.RandomSearchOracle(objective, max_trials=trials, seed=1),
}
held_out = images[kept], labels[kept]
tuners = {}
for name, oracle in oracles.items():
    tuners[name] = keras_tuner.Tuner(oracle, hypermodel, directory=folder, project_name=name)
    started = time.monotonic()
    tuners[name].search(images[train], labels[train], validation_data=held_out, verbose=0)
    best = oracle.get_best_trials()[0]
    print(f"{name}: {best.score:.3f} on held-out digits, {time.monotonic() - started:.0f} s")

# %%
figure, axes = plt.subplots(figsize=(6, 3))
for name, tuner in tuners.items():
    scores = [tuner.oracle.trials[trial].score for trial in tuner.oracle.end_order]
    axes.step(np.arange(1, len(scores) + 1), np.maximum.accumulate(scores), where="post", label=name)
axes.set(xlabel="trials", ylabel="best accuracy so far, held out")
axes.legend()
figure.tight_layout()
plt.show()

# %% [markdown]
# One run of each, of few trials, in a small space: chance does as well here now and then. Over twenty runs on a table
# of 15,625 cells it does not: docs/tuners.md.
#
# The best trial: its numbers, what it keeps of the space, and its model, trained, of raw pixels and stock layers.

# %%
tuner = tuners["weak predictor"]
best = tuner.get_best_hyperparameters()[0]
print({name: value for name, value in best.values.items() if name in ("learning_rate", "weight_decay", "batch_size")})
print(hypermodel.decisions(best))
model = tuner.get_best_models()[0]
print(f"test accuracy {model.evaluate(images[test], labels[test], verbose=0)[1]:.3f}")

# %% [markdown]
# ## The same space by gradient
#
# What has a gradient is found faster by it: one fit, with the epochs of a few trials.

# %%
search = keras_dha.SearchModel(space, seed=0)
search.compile(metrics=["accuracy"])
started = time.monotonic()
search.fit(images[train], labels[train], batch_size=64, epochs=2 if tiny else 40, verbose=0)
accuracy = search.derive().evaluate(images[test], labels[test], verbose=0)[1]
print(f"one fit: test accuracy {accuracy:.3f}, {time.monotonic() - started:.0f} s")
print(search.decisions())

# %% [markdown]
# Its decisions can be where a tuner starts, for what is left: `keras_dha.tuners.hyperparameters_of`.
#
# ## Any hypermodel
#
# Oracles know nothing of spaces. Evolution changes one number of a good trial at a time; here, over a choice of
# optimizers, one of which has a momentum.


# %%
def build(hp):
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    kind = hp.Choice("optimizer", ["sgd", "adam", "lion"])
    rate = hp.Float("rate", 1e-4, 1.0, sampling="log")
    if kind == "sgd":
        with hp.conditional_scope("optimizer", ["sgd"]):
            optimizer = keras.optimizers.SGD(rate, momentum=hp.Float("momentum", 0.0, 0.99))
    else:
        optimizer = {"adam": keras.optimizers.Adam, "lion": keras.optimizers.Lion}[kind](rate)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


oracle = RegularizedEvolutionOracle(objective, max_trials=trials, seed=0, population_size=8, sample_size=3)
tuner = keras_tuner.Tuner(oracle, build, directory=folder, project_name="optimizers")
tuner.search(images[train] / 255, labels[train], validation_data=(held_out[0] / 255, held_out[1]), verbose=0)
print(oracle.get_best_trials()[0].hyperparameters.values)

# %% [markdown]
# ## Many workers, and kills
#
# A search that was killed goes on from its folder. Several workers share one: `keras-dha tune --data digits --out
# runs/trials --workers 2`, or for a program of your own `keras_dha.tuners.Workers`. A worker that dies is replaced, and
# gets its trial again.
