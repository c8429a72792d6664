"""Spaces that are traced in a second or two, and data to go with them."""

from typing import Any

import keras
import numpy as np

from keras_dha import SearchModel, SearchSpace
from keras_dha.augmentation import Crop, PairPolicy
from keras_dha.hyperparameters import LearningRate, WeightDecay
from keras_dha.recipes import Recipe, dha
from keras_dha.schedules import Schedule

NUM_CLASSES = 3


@keras.saving.register_keras_serializable(package="tests")
class TinySpace(SearchSpace):
    """A stem, one choice of three that is asked twice, a node over two inputs, a head."""

    def __init__(self, input_shape: Any = (8, 8, 1), num_classes: int = NUM_CLASSES, normalize: bool = True) -> None:
        super().__init__(input_shape, num_classes)
        self.normalize = normalize

    def build(self, choose: Any) -> keras.Model:
        inputs = keras.Input(self.input_shape, name="image")
        x = self.convolution(3, 2)(inputs)
        options = {"conv": lambda: self.convolution(3), "point": lambda: self.convolution(1), **self.skip()}
        edge = choose.op("edge", options)
        y = edge(edge(x))
        z = choose.node("node", {"skip": self.skip()["skip"], "conv": lambda _: self.convolution(1)}, keep=1)([x, y])
        z = keras.layers.GlobalAveragePooling2D()(z)
        return keras.Model(inputs, keras.layers.Dense(self.num_classes, name="head")(z))

    def skip(self) -> dict[str, Any]:
        return {"skip": lambda *_: keras.layers.Identity()}

    def convolution(self, size: int, strides: int = 1) -> Any:
        def apply(x: Any) -> Any:
            x = keras.layers.Conv2D(4, size, strides, padding="same")(x)
            x = keras.layers.BatchNormalization()(x) if self.normalize else x
            return keras.layers.ReLU()(x)

        return apply

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "normalize": self.normalize}


@keras.saving.register_keras_serializable(package="tests")
class TwoInputSpace(SearchSpace):
    """Two named inputs, no image; their order by name is not the order in which they are made."""

    def build(self, choose: Any) -> keras.Model:
        inputs = {"wide": keras.Input((3,), name="wide"), "narrow": keras.Input((1,), name="narrow")}
        x = keras.layers.Concatenate()([inputs["wide"], inputs["narrow"]])
        options = {f"dense{n}": lambda n=n: lambda t: keras.layers.Dense(4)(keras.layers.Dense(n)(t)) for n in (2, 3)}
        x = choose.op("hidden", options)(x)
        return keras.Model(inputs, keras.layers.Dense(self.num_classes)(x))


@keras.saving.register_keras_serializable(package="tests")
class LineSpace(SearchSpace):
    """Straight lines: one weight, times one of two options, as a regression."""

    def build(self, choose: Any) -> keras.Model:
        inputs = keras.Input(self.input_shape, name="x")
        x = choose.op("sign", {"same": keras.layers.Identity, "also": keras.layers.Identity})(inputs)
        return keras.Model(inputs, keras.layers.Dense(self.num_classes, use_bias=False)(x))


def images(number: int = 64, *, dtype: str = "uint8", seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise, with a bright third of the rows that says the class."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 100, (number, 8, 8, 1))
    y = np.arange(number) % NUM_CLASSES
    for i, label in enumerate(y):
        x[i, 3 * label : 3 * label + 2] += 120
    return (x.astype("uint8") if dtype == "uint8" else (x / 255.0).astype(dtype)), y


def recipe(**parts: Any) -> Recipe:
    """DHA with few operations, hyper-parameters at every second step, and half of the fit searched."""
    quick = {
        "augmentation": PairPolicy(("Identity", "Brightness", "TranslateXRel"), base=(Crop(),)),
        "hyperparameters": (LearningRate(0.05, bounds=(0.005, 0.5)), WeightDecay(5e-4, bounds=(5e-5, 5e-3))),
        "schedule": Schedule(search_fraction=0.5, warmup_fraction=0.0, hyperparameters_every=2),
    }
    chosen = {**quick, **parts}
    return dha().replace(**{**chosen, "hyperparameters": tuple(chosen["hyperparameters"] or ())})


def search_model(*, space: Any = None, seed: int | None = 0, decisions: Any = None, **parts: Any) -> SearchModel:
    """A small search model, with some of the quick recipe's parts replaced."""
    return SearchModel(space or TinySpace(), recipe(**parts), seed=seed, decisions=decisions)


def weights_of(model: keras.Model) -> dict[str, np.ndarray]:
    """Every variable of a model but the time that it took."""
    return {v.path: v.numpy() for v in model.weights if not v.path.endswith("seconds")}


def assert_same(first: dict[str, np.ndarray], second: dict[str, np.ndarray], *, rtol: float = 0.0) -> None:
    """Two models' weights are equal, bit for bit unless `rtol` says otherwise."""
    assert len(first) == len(second)
    different = [
        a
        for (a, x), (_, y) in zip(first.items(), second.items())
        if not np.array_equal(x, y) and (not rtol or not np.allclose(x, y, rtol=rtol, atol=rtol))
    ]
    assert not different, different
