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
# # Two modalities
#
# A blurred picture of a digit, and a noisy sound pattern of the same digit: neither says enough. Which inputs should a
# network read, how should it look at each, and where should it put them together? `MultimodalSpace` asks, and is
# answered twice here: by networks drawn at random, and by one fit that searches while it trains.
#
# Install with `pip install '.[all]'` in a checkout. Set the environment variable `KERAS_DHA_TINY=1` to run everything
# in a minute or two, just to see that it runs.

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
from keras_dha.derivation import FixedChooser
from keras_dha.spaces import MultimodalSpace

tiny = os.environ.get("KERAS_DHA_TINY") == "1"
trials, epochs, number = (1, 1, 160) if tiny else (6, 10, 1200)
folder = Path(tempfile.mkdtemp())
rng = np.random.default_rng(0)

# %% [markdown]
# ## The data
#
# The picture keeps only four principal components of scikit-learn's digits. The "sound" is made up: each class has a
# pattern of 12 frequency bands by 10 moments, heard at a random loudness through noise. Two classes each share a
# pattern, so that the sound alone can never tell all of them apart.

# %%
digits, labels = load_digits(return_X_y=True)
digits = digits / 16.0
order = rng.permutation(len(digits))
train, kept, test = np.split(order[: number + 597], [int(0.8 * number), number])

mean = digits[order[:number]].mean(0)
components = np.linalg.svd(digits[order[:number]] - mean, full_matrices=False)[2][:4]
images = ((digits - mean) @ components.T @ components + mean).reshape(-1, 8, 8)

bands, moments = np.mgrid[0:12, 0:10]
tones = np.stack([np.exp(-(((bands - 1 - 2 * k - 0.3 * k * np.sin(moments)) / 1.5) ** 2)) for k in range(5)])
sounds = rng.uniform(0.5, 1.5, (len(labels), 1, 1)) * tones[labels % 5] + rng.normal(0.0, 0.8, (len(labels), 12, 10))
arrays = {"image": images.astype("float32"), "sound": sounds.astype("float32")}


def part(rows):
    """The inputs of some examples, by name, and their labels."""
    return {name: array[rows] for name, array in arrays.items()}, labels[rows]


# %%
figure, axes = plt.subplots(3, 8, figsize=(8, 3.4))
for column, row in enumerate(train[:8]):
    for line, shown in enumerate((digits[row].reshape(8, 8), images[row], sounds[row])):
        axes[line, column].imshow(shown, cmap="gray_r")
        axes[line, column].set(xticks=[], yticks=[])
    axes[0, column].set_title(labels[row])
for line, name in enumerate(("digit", "image", "sound")):
    axes[line, 0].set_ylabel(name)
figure.tight_layout()
plt.show()

# %% [markdown]
# ## The space
#
# One name and one shape for each input. Values need no range: each tower begins with a batch normalization. Nothing is
# scaled or augmented behind your back.

# %%
shapes = {"image": (8, 8), "sound": (12, 10)}
sizes = {"channels": 4, "stages": 1 if tiny else 2, "units": 32}
space = MultimodalSpace(shapes, 10, **sizes)
for choice in space.choices():
    print(f"{choice.name}: {', '.join(choice.options)}")

# %% [markdown]
# ## Random search
#
# Draw decisions, build the network, train it for a few epochs, keep the best on examples that no trial trained on. A
# trial that fails is a result, too.


# %%
def trial(space, number):
    """A random network of a space, trained; what it is worth on the kept examples, and its decisions."""
    keras.utils.set_random_seed(number)
    decisions = space.random_decisions(seed=number)
    model = space.build(FixedChooser(decisions))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.003), loss, metrics=["accuracy"])
    rows = keras_dha.data.reshuffled(*part(train), batch_size=32, seed=number)  # another order in each epoch
    model.fit(rows, epochs=epochs, shuffle=False, verbose=0)
    return model.evaluate(*part(kept), verbose=0)[1], decisions, model


def random_search(space):
    """The best of some random networks, and all that was found."""
    found, failed = [], 0
    for number in range(trials):
        try:
            found.append(trial(space, number))
        except (ValueError, tf.errors.OpError) as error:
            failed += 1
            print(f"trial {number} failed: {error}")
    best = max(found, key=lambda one: one[0])
    print(f"{len(found)} trials, {failed} failed; the best reads {' and '.join(space.modalities_of(best[1]))}")
    return best, found


started = time.process_time()
best, found = random_search(space)
seconds = time.process_time() - started

# %% [markdown]
# The networks of one input are points of the same space; a space of them alone has the same trials to itself.

# %%
single = {name: random_search(MultimodalSpace(shapes, 10, combinations=[[name]], **sizes))[0] for name in shapes}

# %% [markdown]
# ## One fit that searches
#
# The same space, the same data: `SearchModel` trains all of it at once, decides in the first half, and settles in the
# second. What it took stands beside the trials below; much of a short fit goes into tracing the many branches.

# %%
schedule = keras_dha.schedules.Schedule(search_fraction=0.5, warmup_fraction=0.0)
search = keras_dha.SearchModel(space, keras_dha.recipes.gdas(), schedule=schedule, seed=0)
search.compile(keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=5e-4))
started = time.process_time()
search.fit(*part(train), batch_size=32, epochs=2 if tiny else 30, held_out=part(kept), verbose=0)
searched = time.process_time() - started
decisions = search.decisions()
print(f"reads {' and '.join(space.modalities_of(decisions))}; {decisions['fusion_place']}")

# %%
final = search.derive()
models = {**{f"random, {name} only": one[2] for name, one in single.items()}, "random": best[2], "search": final}
accuracies = {name: model.evaluate(*part(test), verbose=0)[1] for name, model in models.items()}
for name, accuracy in accuracies.items():
    print(f"{name:20} test accuracy {accuracy:.3f}, {models[name].count_params():,} parameters")
print(f"processor seconds: random {seconds:.0f}, search {searched:.0f}")

# %%
figure, axes = plt.subplots(figsize=(6, 2.6))
axes.barh(list(accuracies), list(accuracies.values()), color=["lightgray", "lightgray", "C0", "C1"])
axes.set(xlabel="test accuracy, one seed", xlim=(0.0, 1.0))
axes.invert_yaxis()
figure.tight_layout()
plt.show()

# %% [markdown]
# ## How probable each option was
#
# What the search thought of the inputs, and of the place where they meet. Numbers that are nearly equal mean that the
# fit was too short for it to prefer anything: then what it kept is no better than a draw, and several draws may well be
# better. `combinations=[["image", "sound"]]` takes the first of these questions out of the space.

# %%
for name in ("modalities", "fusion_place", "fusion_operator"):
    shown = {option.split("/")[-1]: round(value, 2) for option, value in search.probabilities()[name].items()}
    print(f"{name}: {shown}")

# %% [markdown]
# ## Serve it
#
# The derived model is plain Keras. The served one takes a dict, one array a name.

# %%
final.save(folder / "digits.keras")
search.export(str(folder / "digits"))
served = tf.saved_model.load(str(folder / "digits"))
x, y = part(test[:1])
probabilities = served.serve({name: tf.constant(array) for name, array in x.items()})["probabilities"]
print(f"The first test example is a {int(tf.argmax(probabilities[0]))}; the label says {y[0]}.")
