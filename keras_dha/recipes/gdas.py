"""GDAS: hard draws with a soft gradient (arXiv 1910.04465)."""

import keras

from keras_dha.recipes.darts import darts
from keras_dha.recipes.recipe import Recipe
from keras_dha.relaxations import AnnealedScale, GumbelSoftmax


def gdas() -> Recipe:
    """Searching for a Robust Neural Architecture in Four GPU Hours.

    Every pass draws one option a choice, and runs only that; the logits descend the held-out loss through the softmax
    of the perturbed logits, whose temperature falls from 10 to 0.1 by equal differences over the search.

    Where we differ: the architecture moves before the weights, there after them; the scalars that the released code
    adds for options that were not drawn are left out (see `GumbelSoftmax`); an option that is 0 is never drawn, for a
    draw without a branch teaches nothing; as for `darts()`, nothing is trained again.

    Reference: Dong, Yang, "Searching for a Robust Neural Architecture in Four GPU Hours",
    https://arxiv.org/abs/1910.04465; numbers of its released configuration for NAS-Bench-201.
    """
    return darts().replace(
        name="gdas",
        source="arXiv 1910.04465",
        relaxation=GumbelSoftmax(hard=True, scale=AnnealedScale(10.0, 0.1)),
        optimizer=lambda: keras.optimizers.SGD(
            0.025, momentum=0.9, nesterov=True, weight_decay=5e-4, global_clipnorm=5.0
        ),
    )
