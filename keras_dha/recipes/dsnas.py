"""DSNAS: one path a step, weights and architecture on the same batch (arXiv 2002.09128)."""

import keras

from keras_dha.recipes.darts import darts
from keras_dha.recipes.recipe import Recipe
from keras_dha.relaxations import OneHotSample
from keras_dha.schedules import Schedule


def dsnas() -> Recipe:
    """DSNAS: Direct Neural Architecture Search without Parameter Retraining.

    Every step draws one option a choice from `softmax(logits)`, and runs only that. One backward pass trains its
    weights and gives each logit its credit, `z * dL/dz * d(log p(z))`. A choice whose best option leads by 0.3 is
    frozen at the end of an epoch; those that never lead settle when the search ends.

    Where we differ: the learning rate is the paper's 0.5 for a batch of 1,024, in proportion for a batch of 64; logits
    start at 0, not N(1, 0.01); no FLOPs term; batch normalization as the space has it, where the released search takes
    an epsilon of 0.01. Behind a batch normalization the credit of a lone branch vanishes (`OneHotSample`): on such
    spaces `dha()` or `estimator="score"` see more.

    Reference: Hu et al., https://arxiv.org/abs/2002.09128, and its released code.
    """
    return darts().replace(
        name="dsnas",
        source="arXiv 2002.09128",
        relaxation=OneHotSample(estimator="credit", freeze_margin=0.3),
        schedule=Schedule(search_fraction=1 / 3, warmup_fraction=0.06),
        optimizer=lambda: keras.optimizers.SGD(0.03, momentum=0.9, weight_decay=4e-5),
        architecture_optimizer=lambda: keras.optimizers.Adam(1e-3, beta_1=0.5),
        architecture_loss="training",
    )
