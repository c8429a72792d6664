"""PC-DARTS: edges have weights of their own, and part of the channels pass (arXiv 1907.05737)."""

import keras

from keras_dha.recipes.darts import darts
from keras_dha.recipes.recipe import Recipe
from keras_dha.relaxations import EdgeSoftmax
from keras_dha.schedules import Schedule


def pc_darts() -> Recipe:
    """PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search.

    As DARTS, with a softmax over the inputs of a node beside those over operations, and an architecture that rests in
    the first three tenths of the search. That a quarter of the channels pass the operations, the others pass by, is a
    property of the space: `DARTSSpace(..., partial_channels=4)`. In a space without it edges still have their weights.

    Where we differ: what is searched with partial channels is also derived with them, where the paper trains a network
    of all channels from scratch; the numbers are those of its batch of 256, so lower the rate with a smaller one
    (`compile(optimizer=...)`); otherwise as `darts()`.

    Reference: Xu et al., https://arxiv.org/abs/1907.05737, and its released code.
    """
    return darts().replace(
        name="pc_darts",
        source="arXiv 1907.05737",
        relaxation=EdgeSoftmax(),
        schedule=Schedule(search_fraction=0.5, warmup_fraction=0.15),
        optimizer=lambda: keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=3e-4, global_clipnorm=5.0),
        architecture_optimizer=lambda: keras.optimizers.Adam(6e-4, beta_1=0.5, weight_decay=1e-3),
    )
