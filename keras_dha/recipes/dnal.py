"""DNAL: a gate for each channel, which becomes 0 or 1 (arXiv 2103.02126)."""

from typing import Any

import keras

from keras_dha.penalties import CostTarget, OpenChannels
from keras_dha.recipes.dha import dha
from keras_dha.recipes.recipe import Recipe
from keras_dha.recipes.tune import tune
from keras_dha.relaxations import ScaledSigmoid
from keras_dha.schedules import Schedule


def dnal(
    *,
    weight: float = 1e-4,
    max_multiply_adds: float | None = None,
    max_parameters: float | None = None,
    decoupled: bool = True,
    joint: bool = False,
) -> Recipe:
    """Differentiable Neural Architecture Learning for Efficient Neural Network Design.

    Three stages, of the same training data: weights, with all gates at 1; gates, with weights at rest, while their
    scale grows from 1 to 10,000; weights, without the channels whose gates are closed.

    Args:
        weight: Of the sum of `sigmoid(logits)` over all channels, which is added to the loss of the gates. What a
            channel that the loss does not defend loses is in proportion to it, and to the number of gate steps: the
            released weights, 5e-5 to 1.2e-4, are for 130,000 of them. Not used where a bound is given.
        max_multiply_adds: A bound for the multiply-adds of the derived network, a number, or a share of what the model
            takes: the search meets it, by `keras_dha.penalties.CostTarget`, which is ours.
        max_parameters: Likewise.
        decoupled: Whether weights rest while gates move, as in the paper. False: they move along, and no epoch is lost
            to them; ours.
        joint: Whether the gates are searched as DHA searches: along with the weights, the augmentation, the learning
            rate and the weight decay, which are then learned, too; never decoupled. Ours.

    Where we differ: gates of channels that belong together are one; the scale grows in each step, not at the start of
    each of ten epochs; the optimizer of the gates keeps its momentum, and moves nothing but gates; a width keeps at
    least one channel. Epochs: three tenths, one tenth, six tenths of the fit, near the released 30, 10 and 70.

    Reference: Guo, Wu, Kittler, Feng, https://arxiv.org/abs/2103.02126, and its released code.
    """
    bounds = {"max_multiply_adds": max_multiply_adds, "max_parameters": max_parameters}
    is_bound = any(bound is not None for bound in bounds.values())
    stages: dict[str, Any] = {"search_fraction": 0.4, "warmup_fraction": 0.3, "weights_rest": decoupled and not joint}
    gates: dict[str, Any] = {
        "width_relaxation": ScaledSigmoid(rest=stages["warmup_fraction"] / stages["search_fraction"]),
        "penalties": (CostTarget(**bounds) if is_bound else OpenChannels(weight),),
        "schedule": Schedule(**stages),
        "architecture_optimizer": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    }
    if joint:
        return dha().replace(name="dnal", source="arXiv 2103.02126 in DHA, arXiv 2109.05765", **gates)
    gates["optimizer"] = lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-4)
    return tune().replace(name="dnal", source="arXiv 2103.02126", **gates)
