"""SNAS: soft draws from the architecture distribution (arXiv 1812.09926)."""

from keras_dha.recipes.darts import darts
from keras_dha.recipes.recipe import Recipe
from keras_dha.relaxations import AnnealedScale, GumbelSoftmax


def snas() -> Recipe:
    """SNAS: Stochastic Neural Architecture Search.

    Every step draws soft one-hot weights of all options by the Gumbel-softmax trick; logits and weights descend the
    same training loss. The temperature falls from 1 to 0.03 by equal factors over the search, so that the draws harden.

    Where we differ: no resource constraint; other numbers are those of `darts()`.

    Reference: Xie et al., "SNAS: Stochastic Neural Architecture Search", https://arxiv.org/abs/1812.09926. The
    temperatures are ours.
    """
    return darts().replace(
        name="snas",
        source="arXiv 1812.09926",
        relaxation=GumbelSoftmax(scale=AnnealedScale(1.0, 0.03, geometric=True)),
        architecture_loss="training",
    )
