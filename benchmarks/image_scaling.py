"""What the scaling of raw images costs before a network, by the form that its factors have.

    python benchmarks/image_scaling.py --size 224

Milliseconds of one picture and one thread, of MobileNetV3Small alone, and behind a `Rescaling` of one number, of a
number for each of three channels, and of those of a row of pixels, as `SearchModel.derive` writes them; in turns.
LiteRT needs `pip install ai-edge-litert`.
"""

import argparse

import keras
import numpy as np
from cores import use_one_core

from keras_dha.costs import milliseconds_of
from keras_dha.costs.network_parts import with_random_weights
from keras_dha.derivation import on_raw_inputs
from keras_dha.layers.image_scaling import fast_rescaling


def main() -> None:
    """Prints a line a runtime."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=224, help="of the pictures, in pixels")
    parser.add_argument("--repeats", type=int, default=50)
    arguments = parser.parse_args()
    use_one_core()
    shape = (arguments.size, arguments.size, 3)
    network = keras.applications.MobileNetV3Small(shape, weights=None, include_preprocessing=False)
    network = with_random_weights(network)
    factors = np.array([0.5, 0.6, 0.7]), np.array([0.1, 0.2, 0.3])
    scalings = {
        "alone": None,
        "one number": keras.layers.Rescaling(0.5, 0.1),
        "a number a channel": fast_rescaling(*factors, None),
        "a row": fast_rescaling(*factors, arguments.size),
    }
    models = [on_raw_inputs(network, scaling) for scaling in scalings.values()]
    for runtime in ("litert", "saved_model"):
        timings = milliseconds_of(models, runtime=runtime, repeats=arguments.repeats)
        each = [f"{name} {timing.ms:.3g} ms" for name, timing in zip(scalings, timings)]
        print(f"{runtime}: {', '.join(each)}", flush=True)


if __name__ == "__main__":
    main()
