"""DHA: augmentation, hyper-parameters and architecture in one run (arXiv 2109.05765)."""

from collections.abc import Sequence

import keras

from keras_dha.augmentation import BasicAugmentation, Crop, PairPolicy
from keras_dha.hyperparameters import LearningRate, WeightDecay
from keras_dha.recipes.recipe import Recipe
from keras_dha.relaxations import SparseCode
from keras_dha.schedules import Schedule


def dha(*, base: Sequence[BasicAugmentation] = (Crop(),)) -> Recipe:
    """End-to-End Joint Optimization of Data Augmentation Policy, Hyper-parameter and Architecture.

    Every step: the policy over ordered pairs of operations moves against the training loss, the compressed codes of the
    architecture and the weights descend it on the same batch, and the learning rate and the weight decay descend the
    held-out loss through the weight step just made.

    Args:
        base: What is done to every training image before the policy's operations. Mirroring is not among it by default,
            for it changes what digits and letters mean: `base=(Crop(), HorizontalFlip())` for photographs.

    Where we differ from the released code, and why, stands in docs/methods.md.

    Reference: "DHA: End-to-End Joint Optimization of Data Augmentation Policy, Hyper-parameter and Architecture",
    arXiv 2109.05765.
    """
    return Recipe(
        name="dha",
        source="arXiv 2109.05765",
        relaxation=SparseCode(num_measurements=7, exploration=0.25, exploration_rate=0.03, capacity_prior=2.5),
        augmentation=PairPolicy(base=base, search_magnitude=1.0, settle_magnitude=2.0),
        hyperparameters=(LearningRate(0.1, bounds=(0.01, 1.0)), WeightDecay(5e-4, bounds=(5e-5, 5e-3))),
        schedule=Schedule(search_fraction=0.2, warmup_fraction=0.1),
        optimizer=lambda: keras.optimizers.SGD(
            0.1, momentum=0.9, nesterov=True, weight_decay=5e-4, global_clipnorm=5.0
        ),
        architecture_optimizer=lambda: keras.optimizers.Adam(0.005, beta_1=0.5),
        augmentation_optimizer=lambda: keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True),
        hyperparameter_optimizer=lambda: keras.optimizers.Adam(0.003),
    )
