"""TopoNAS: which inputs a node reads has variables of its own (arXiv 2011.09300)."""

from keras_dha.penalties import PassiveAggressive
from keras_dha.recipes.darts import darts
from keras_dha.recipes.recipe import Recipe
from keras_dha.relaxations import Topology


def toponas() -> Recipe:
    """Explicitly Learning Topology for Differentiable Neural Architecture Search: a reconstruction.

    As DARTS, with topological variables beside those of the operations, learned together with them: one for each set of
    inputs that a node may read.

    Where we differ: the paper's code is not public, and its body was not at hand. What is here follows its abstract and
    the code of DOTS (arXiv 2010.00969): sets of exactly as many inputs as a node keeps, at temperature 1; in
    `DARTSSpace(..., node_inputs=(1, 2))` of one or two. The passive-aggressive penalty against invalid topology is 0 in
    a cell whose nodes are all read; it has something to act on in `DARTSSpace(..., learned_output=True)`.

    Reference: Huang et al., https://arxiv.org/abs/2011.09300.
    """
    parts = {"relaxation": Topology(), "penalties": (PassiveAggressive(),)}
    return darts().replace(name="toponas", source="arXiv 2011.09300", **parts)
