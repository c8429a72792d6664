"""ProxylessNAS: one path a step, the architecture by reinforcement on held-out data (arXiv 1812.00332)."""

import keras

from keras_dha.recipes.darts import darts
from keras_dha.recipes.recipe import Recipe
from keras_dha.relaxations import OneHotSample
from keras_dha.schedules import Schedule


def proxyless() -> Recipe:
    """ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware, its variant by REINFORCE.

    Every weight step trains one drawn path. At every fifth step the logits move by the score function, with the loss of
    a held-out batch on another drawn path, minus its moving mean. The first fifth of the fit trains weights only.

    Where we differ: one drawn architecture an update, there ten; the reward is the negative loss, there accuracy (times
    a power of the latency); otherwise as `darts()`.

    Reference: Cai, Zhu, Han, https://arxiv.org/abs/1812.00332, and its released code.
    """
    return darts().replace(
        name="proxyless",
        source="arXiv 1812.00332",
        relaxation=OneHotSample(estimator="score"),
        schedule=Schedule(search_fraction=0.6, warmup_fraction=0.2, architecture_every=5),
        optimizer=lambda: keras.optimizers.SGD(0.025, momentum=0.9, nesterov=True, weight_decay=4e-5),
        architecture_optimizer=lambda: keras.optimizers.Adam(1e-3, beta_1=0.0),
    )
