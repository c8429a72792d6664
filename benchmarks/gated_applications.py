"""keras.applications without the channels that random gates close: are the logits the same?

Makes the table of docs/channels.md:

    python benchmarks/gated_applications.py

Random weights and batch statistics, random decisions of `GatedSpace`, images of 96 pixels (107 where a network asks for
more). The largest difference of the logits is given in units of the largest logit, before and after saving and loading.
Takes ten minutes and 6 GB.
"""

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np

from keras_dha.costs import multiply_adds, parameters
from keras_dha.derivation import FixedChooser
from keras_dha.spaces import GatedSpace

NAMES = (
    "MobileNetV2",
    "MobileNetV3Small",
    "MobileNetV3Large",
    "ResNet50",
    "ResNet50V2",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "DenseNet121",
    "VGG16",
    "ConvNeXtTiny",
    "Xception",
    "InceptionV3",
)
LARGE = ("Xception", "InceptionV3")


def randomized(model: keras.Model, rng: np.random.Generator) -> keras.Model:
    """The model with random biases, scales, shifts and statistics: what zeros would hide."""
    for variable in model.variables:
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif variable.name in ("beta", "moving_mean", "bias"):
            variable.assign(rng.normal(0.0, 0.2, variable.shape))
    return model


def difference(ones: np.ndarray, others: np.ndarray) -> float:
    """The largest difference, in units of the largest number."""
    return float(np.abs(ones - others).max() / np.abs(ones).max())


def row(name: str, seed: int) -> str:
    """One line of the table."""
    rng, size = np.random.default_rng(seed), 107 if name in LARGE else 96
    make = getattr(keras.applications, name)
    model = make(weights=None, input_shape=(size, size, 3), classes=10, classifier_activation=None)
    space = GatedSpace(randomized(model, rng))
    decisions = space.random_decisions(seed=seed)
    masked = space.build(FixedChooser(decisions))
    smaller = space.without_closed(masked)
    images = rng.uniform(0.0, 255.0, (4, size, size, 3)).astype("float32")
    expected = masked.predict(images, verbose=0)
    found = smaller.predict(images, verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "smaller.keras"
        smaller.save(path)
        loaded = keras.models.load_model(path).predict(images, verbose=0)
    stock = all(type(layer).__module__.startswith("keras.") for layer in smaller.layers)
    channels = sum(len(choice.options) for choice in space.choices())
    counts = [count(smaller) / count(model) for count in (multiply_adds, parameters)]
    return (
        f"| {name} | {len(space.choices())} | {channels} | {counts[0]:.2f} | {counts[1]:.2f} | "
        f"{difference(expected, found):.0e} | {difference(expected, loaded):.0e} | {'yes' if stock else 'no'} |"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(NAMES))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    heads = ("network", "widths", "channels", "multiply-adds left", "parameters left", "difference", "loaded", "stock")
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for name in arguments.networks:
        print(row(name, arguments.seed), flush=True)
        keras.backend.clear_session()


if __name__ == "__main__":
    main()
