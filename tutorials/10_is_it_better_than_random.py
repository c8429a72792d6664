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
# # Is it better than random?
#
# A search that ends at a good accuracy has not shown anything yet: networks drawn at random from the same space, and
# trained the same way, may be as good. "NAS evaluation is frustratingly hard" (Yang, Esperanca, Carlucci, 2020)
# compared eight methods with chance on five data sets, and found most of their gain in the training, not in the
# search. Here the same is done for two recipes in a small space, by the same protocol.
#
# Install with `pip install '.[all]'` in a checkout. Set the environment variable `KERAS_DHA_TINY=1` to run everything
# in a minute or two, just to see that it runs.

# %%
import os
import tempfile

import keras
import matplotlib.pyplot as plt

import keras_dha
from keras_dha.evaluation import EvaluationData, Group, Protocol, SearchStudy, relative_improvement, summary_of
from keras_dha.reports import accuracy_boxes, random_search_curve

tiny = os.environ.get("KERAS_DHA_TINY") == "1"
epochs, num_random, seeds = (2, 3, (0,)) if tiny else (12, 8, (0, 1, 2))
recipes = ("dsnas",) if tiny else ("dha", "darts")


# %% [markdown]
# ## A space, and data in three parts
#
# Searches learn from the training part. Whoever wants to choose, as random search does, may look at the validation
# part. Nothing is chosen by the test part.


# %%
@keras.saving.register_keras_serializable()
class ThreeStages(keras_dha.SearchSpace):
    def build(self, choose):
        inputs = x = keras.Input(self.input_shape)
        for stage in range(3):
            options = {
                "conv3": lambda: keras.layers.Conv2D(12, 3, padding="same"),
                "conv1": lambda: keras.layers.Conv2D(12, 1, padding="same"),
                "pool": lambda: lambda t: keras.layers.Conv2D(12, 1)(keras.layers.AveragePooling2D(3, 1, "same")(t)),
            }
            x = choose.op(f"stage_{stage}", options)(x)
            x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
        return keras.Model(inputs, keras.layers.Dense(self.num_classes)(keras.layers.GlobalMaxPooling2D()(x)))


space = ThreeStages((8, 8, 1), 10)
data = EvaluationData.of(keras_dha.data.load("digits"))
print(data.sizes())

# %% [markdown]
# ## The study
#
# Everything is trained once, and kept in a file of its own: if this is interrupted, the same lines go on where it
# stood. The command line does the same for whole data sets, and writes the page: `keras-dha evaluate --data digits
# --recipes dha darts --out runs/chance`.

# %%
protocol = Protocol(recipe=recipes[0], epochs=epochs, tricks=False)
study = SearchStudy(space, data, recipes, tempfile.mkdtemp(), protocol=protocol, num_random=num_random, seeds=seeds)
found = study.run(again=num_random, progress=print)
summary = summary_of(found)

# %% [markdown]
# ## Relative improvement
#
# `RI = 100 (searched - random) / random`, of mean test accuracies. Both groups are trained from scratch by the same
# protocol; the interval is that of the bootstrap, and with so few runs it is wide. If it holds 0, nothing is shown.

# %%
print(f"random: {summary['random']['mean']:.4f} ± {summary['random']['deviation']:.4f}")
for recipe, figures in summary["recipes"].items():
    ri, (low, high) = figures["improvement"]["against_mean"], figures["improvement"]["interval"]
    print(f"{recipe}: RI {ri:+.2f} % (from {low:+.2f} to {high:+.2f})")
    for way in ("ready", "fine_tuned", "retrained"):
        print(f"  {way}: {figures[way]['mean']:.4f} ± {figures[way]['deviation']:.4f}")

# %%
accuracy_boxes(summary)

# %% [markdown]
# Random architectures are the mean of what a space holds; random *search* takes the best of several, by validation
# accuracy. It costs as many trainings as it tries, a search in one fit costs one.

# %%
random_search_curve(summary)

# %% [markdown]
# ## How much of it is noise?
#
# The same random architectures, trained with another seed. If Kendall's tau is low, the order of these networks is
# mostly chance, and a difference smaller than the mean change says little.

# %%
again = summary["again"]
print(f"Kendall's tau {again['tau']}, mean change {again['mean_change']:.4f}, largest {again['largest_change']:.4f}")

# %% [markdown]
# ## What the supernet thinks of them
#
# With the weights of a supernet, networks can be ranked without training them. Is the ranking right? Each point is a
# random architecture.

# %%
figure, axes = plt.subplots(1, len(recipes), figsize=(4.2 * len(recipes), 3.4), squeeze=False)
alone = {run["name"]: run["validation"] for run in found["random"]}
for axis, recipe in zip(axes[0], recipes):
    search = next(run for run in found["search"] if run["recipe"] == recipe)
    axis.plot([search["supernet"][name] for name in alone], list(alone.values()), "o")
    axis.set_title(f"{recipe}, tau {summary['recipes'][recipe]['supernet_tau'][0]}")
    axis.set_xlabel("accuracy with the supernet's weights")
    axis.set_ylabel("trained alone")
figure.tight_layout()

# %% [markdown]
# ## What must not be compared
#
# A network that was trained longer, or with more augmentation, is better for that. Groups know their protocol, and are
# not compared with others.

# %%
longer = Group("longer", [0.99], protocol.replace(epochs=600).to_dict())
try:
    relative_improvement(longer, Group("random", [0.9], protocol.to_dict()))
except ValueError as error:
    print(error)
