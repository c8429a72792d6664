"""DOTS: first operations, then inputs (arXiv 2010.00969)."""

from keras_dha.recipes.darts import darts
from keras_dha.recipes.recipe import Recipe
from keras_dha.relaxations import DecoupledTopology
from keras_dha.schedules import Schedule


def dots() -> Recipe:
    """DOTS: Decoupling Operation and Topology in Differentiable Architecture Search.

    The search has four parts, of 15, 15, 20 and 20 of the paper's 70 epochs: the weights alone; operations, in two
    groups that do not compete; the weights alone, of the best two operations on each input; which inputs a node reads.

    Where we differ: both searches descend the held-out loss, where the paper's second one descends the training loss on
    all examples; weights and optimizers go on through the pruning, where the paper starts them anew; one Adam serves
    both searches (the paper's second one has a beta_1 of 0.9); otherwise as `darts()`.

    Reference: Gu et al., https://arxiv.org/abs/2010.00969, and its released code.
    """
    search = 0.7
    return darts().replace(
        name="dots",
        source="arXiv 2010.00969",
        relaxation=DecoupledTopology(phases=(3 / 7, 5 / 7)),
        schedule=Schedule(
            search_fraction=search, warmup_fraction=search * 15 / 70, rest=(search * 30 / 70, search * 50 / 70)
        ),
    )
