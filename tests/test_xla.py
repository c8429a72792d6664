"""Every part of a step compiles under XLA, with shapes that it knows, as a TPU needs it."""

from typing import Any

import keras
import numpy as np
import pytest
from tiny_space import TinySpace, images, search_model

from keras_dha.augmentation import Crop, PairPolicy
from keras_dha.hyperparameters import LearningRate, WeightDecay
from keras_dha.penalties import ZeroOne
from keras_dha.relaxations import GumbelSoftmax, OneHotSample, Sigmoid, Softmax, SparseCode

X, Y = images(32)
POLICY = PairPolicy(("Identity", "Brightness", "TranslateXRel"), base=(Crop(),), static_shapes=True)
LEARNED = (LearningRate(0.05), WeightDecay(1e-3))


@pytest.mark.slow
@pytest.mark.parametrize(
    "parts",
    [
        {"relaxation": Softmax(), "augmentation": POLICY, "hyperparameters": LEARNED},
        {"relaxation": SparseCode(), "augmentation": POLICY, "hyperparameters": LEARNED},
        {"relaxation": OneHotSample(), "augmentation": None, "hyperparameters": None},
        {"relaxation": GumbelSoftmax(), "augmentation": None, "hyperparameters": None},
        {
            "relaxation": Sigmoid(),
            "augmentation": None,
            "hyperparameters": None,
            "architecture_loss": "held_out",
            "penalties": (ZeroOne(1.0),),
        },
    ],
    ids=["all_paths", "dha", "one_path", "gumbel", "bilevel"],
)
def test_search_and_settling_compile(parts: dict[str, Any]) -> None:
    """Both phases, with a policy, hyper-parameters every second step, and a bilevel architecture."""
    histories = []
    for compiled in (False, True):
        keras.utils.set_random_seed(0)
        model = search_model(space=TinySpace(), **parts)
        model.compile(jit_compile=compiled)
        histories.append(model.fit(X, Y, batch_size=8, epochs=2, verbose=0).history)
    assert histories[1]["phase"] == [0.0, 1.0]
    assert histories[0].keys() == histories[1].keys()
    assert all(np.isfinite(values).all() for values in histories[1].values())
