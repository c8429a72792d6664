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
# # A model for this device
#
# How many milliseconds may a picture take on the machine that is to serve the model? One fit finds the layers, trains
# them, and hands back a network that is nearly as slow as is allowed, and no slower.
#
# Install with `pip install '.[all]'` in a checkout. Set the environment variable `KERAS_DHA_TINY=1` to run everything
# in a minute or two, just to see that it runs.

# %%
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import keras_dha
from keras_dha.costs import LatencyTable, milliseconds_of, parameters

tiny = os.environ.get("KERAS_DHA_TINY") == "1"
epochs, shares = (3, (0.6, 0.8)) if tiny else (20, (0.4, 0.7))
folder = Path(tempfile.mkdtemp())

# %%
images, labels = load_digits(return_X_y=True)
images = np.round(images.reshape(-1, 8, 8, 1) * 15.9).astype("uint8")
order = np.random.default_rng(0).permutation(len(images))
train, test = order[:1200], order[1200:]

# %% [markdown]
# ## A space of sizes
#
# Rows of inverted residuals, as in MobileNetV2: each layer has a kernel of 3 or 5, is 3 or 6 times as wide inside as
# its input, and may be left out unless it is the first of its stage. All networks are parts of the largest one,
# which is all that is trained.

# %%
space = keras_dha.spaces.MobileNetSpace(
    (8, 8, 1), 10, channels=4, widths=(2.0,) if tiny else (4.0, 8.0), repeats=2, kernels=(3, 5), ratios=(0.0,)
)
for choice in space.choices():
    print(choice.name, choice.options)

# %% [markdown]
# ## What parts of networks take here
#
# In LiteRT, on one thread, a picture at a time. The parts of all networks are measured once, and fitted to ten whole
# networks; from then on, milliseconds of any network of the space are a sum. The command line does the same:
# `keras-dha latency --space mobile_net --out table.json`.

# %%
table = LatencyTable.measure(space, progress=print)
table.save(folder / "table.json")
largest = table.largest(space)
print(f"the slowest network takes {largest:.4f} ms, by the table")

# %% [markdown]
# Measured and predicted milliseconds of those ten networks; one number was fitted to them all.

# %%
predicted, measured = np.array(table.agreement).T
figure, axes = plt.subplots(figsize=(3.6, 3.4))
axes.plot([0, measured.max()], [0, measured.max()], color="lightgray")
axes.plot(measured, predicted, "o")
axes.set(xlabel="measured milliseconds", ylabel="predicted milliseconds")
figure.tight_layout()
plt.show()

# %% [markdown]
# ## One fit for each bound
#
# `max_latency_ms` is all that is said; how much a millisecond is worth is found during the search. `max_multiply_adds`,
# `max_parameters` and `max_model_bytes` work likewise, and together.

# %%
found = {}
for share in shares:
    recipe = keras_dha.recipes.single_path(max_latency_ms=share * largest, table=table)
    search = keras_dha.SearchModel(space, recipe, seed=0)
    search.compile(metrics=["accuracy"])
    search.fit(images[train], labels[train], batch_size=64, epochs=epochs, verbose=0)
    found[share] = search
    kept = [name for name, options in search.decisions().items() if name.endswith("repeat") and options[0] != "0"]
    print(f"{share:.0%} of the slowest: of the layers that may be left out, {kept} stay")

# %%
models = {share: search.derive() for share, search in found.items()}
timings = [timing.ms for timing in milliseconds_of(list(models.values()))]
for (share, model), ms in zip(models.items(), timings):
    accuracy = model.evaluate(images[test], labels[test], verbose=0)[1]
    asked = f"asked for {share * largest:.4f} ms, predicted {table.predict(model):.4f}, measured {ms:.4f}"
    print(f"test accuracy {accuracy:.3f}, {parameters(model):,} parameters; {asked}")

# %% [markdown]
# ## More points, from one command
#
# `keras-dha pareto --data digits --out runs/bounds` measures a table, searches for each of several bounds, and writes a
# page with a picture and a table of all points: accuracy, milliseconds, parameters, decisions.
#
# ## Serve it
#
# As a LiteRT file; the interpreter is in the package `ai-edge-litert`.

# %%
models[shares[0]].export(folder / "small.tflite", format="litert", verbose=False)
print((folder / "small.tflite").stat().st_size, "bytes")
