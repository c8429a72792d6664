"""What a plain Keras model is tuned with while it trains."""

import keras

from keras_dha.hypergradients import T1T2, OneStep, WholePath
from keras_dha.optimizers import MomentumSGD
from keras_dha.recipes.recipe import Recipe
from keras_dha.relaxations import Softmax
from keras_dha.schedules import Schedule


def tune() -> Recipe:
    """No method of architecture search: the hyper-parameters, or the policy, that a given model is to learn.

    Hyper-parameters take a step after each step of the weights, in the first half of the fit: long ones at first, a
    tenth of that at its end. In the second half they stay, what was held out is trained on, too, and the learning rate
    is annealed. A learning rate and a decay are judged by the whole way of the weights, which follows them; what else
    is learned, by the last step.

    The choice of these numbers is ours: docs/hyperparameters.md.
    """
    return Recipe(
        name="tune",
        source="DHA's one-step hypergradient, arXiv 2109.05765; Mechanic's scale of the whole way, arXiv 2306.00144",
        relaxation=Softmax(),
        augmentation=None,
        hyperparameters=(),
        schedule=Schedule(search_fraction=0.5, warmup_fraction=0.0, hyperparameters_every=1, hyperparameter_steps=0.1),
        optimizer=lambda: MomentumSGD(0.05, momentum=0.9, nesterov=True, global_clipnorm=5.0),
        architecture_optimizer=lambda: keras.optimizers.Adam(0.005),
        augmentation_optimizer=lambda: keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True),
        hypergradients=(WholePath(), OneStep(), T1T2()),
        hyperparameter_optimizer=lambda: keras.optimizers.Adam(0.3),
    )
