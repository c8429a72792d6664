"""Fair DARTS: options that do not compete (arXiv 1911.12126)."""

import keras

from keras_dha.penalties import ZeroOne
from keras_dha.recipes.darts import darts
from keras_dha.recipes.recipe import Recipe
from keras_dha.relaxations import Sigmoid


def fair_darts() -> Recipe:
    """Fair DARTS: Eliminating Unfair Advantages in Differentiable Architecture Search.

    A sigmoid for each option, so that skip connections cannot win by pushing others down, and a zero-one loss of weight
    10 beside the held-out loss, so that the weights decide.

    Where we differ: an option of little weight is kept if its choice has no better one, where the paper drops those
    below 0.85; the paper has no option `none`, here it is never kept where the space excludes it; otherwise as
    `darts()`.

    Reference: Chu et al., https://arxiv.org/abs/1911.12126, and its released code.
    """
    return darts().replace(
        name="fair_darts",
        source="arXiv 1911.12126",
        relaxation=Sigmoid(),
        penalties=(ZeroOne(10.0),),
        optimizer=lambda: keras.optimizers.SGD(0.005, momentum=0.9, weight_decay=3e-4, global_clipnorm=5.0),
        architecture_optimizer=lambda: keras.optimizers.Adam(3e-3, beta_1=0.9, weight_decay=1e-3),
    )
