"""Writes addons.npz: what tensorflow-addons makes of two pictures, for our transforms to be checked against.

tensorflow-addons is past its end of life and cannot be imported beside Keras 3, so this runs in an environment of its
own, with Python 3.11:

    python3.11 -m venv addons && addons/bin/pip install -r tests/golden/requirements.txt
    addons/bin/python tests/golden/make_addons_golden.py
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

ANGLES = (0.3, -0.5)
SHIFTS = ((3.0, -2.0), (-1.5, 0.25))  # to the right, downwards
SHEARS = (0.25, -0.3)
FACTORS = (0.1, 1.9)


def main() -> None:
    """Runs every function of the library that has a counterpart here."""
    rng = np.random.default_rng(0)
    low = rng.random((2, 5, 5, 3))
    smooth = tf.image.resize(low, (17, 21), method="bicubic").numpy()
    images = np.clip(255 * smooth + rng.normal(0, 6, smooth.shape), 0, 255).round().astype("uint8")
    floats = images.astype("float32") / 255.0
    height, width = images.shape[1:3]
    y, x = (height - 1) / 2, (width - 1) / 2
    shear_x = [[1.0, s, -s * y, 0.0, 1.0, 0.0, 0.0, 0.0] for s in SHEARS]
    shear_y = [[1.0, 0.0, 0.0, s, 1.0, -s * x, 0.0, 0.0] for s in SHEARS]
    bilinear = {"interpolation": "bilinear", "fill_mode": "constant", "fill_value": 0.0}
    found = {
        "images": images,
        "angles": ANGLES,
        "shifts": SHIFTS,
        "shears": SHEARS,
        "factors": FACTORS,
        "rotate": tfa.image.rotate(floats, ANGLES, **bilinear),
        "translate": tfa.image.translate(floats, SHIFTS, **bilinear),
        "shear_x": tfa.image.transform(floats, shear_x, **bilinear),
        "shear_y": tfa.image.transform(floats, shear_y, **bilinear),
        # The library's own shears are about the upper left corner, and take the nearest pixel: whole slopes.
        "corner_shear_x": tfa.image.shear_x(images[0], 1.0, replace=0),
        "corner_shear_y": tfa.image.shear_y(images[0], -1.0, replace=0),
        "equalize": tfa.image.equalize(images),
        "sharpness": np.stack([tfa.image.sharpness(image[None], f)[0] for image, f in zip(images, FACTORS)]),
        "cutout": tfa.image.cutout(images, (6, 6), offset=[[4, 9], [16, 1]], constant_values=0),
        "cutout_offset": [[4, 9], [16, 1]],
        "gaussian_filter": tfa.image.gaussian_filter2d(floats, (9, 9), sigma=1.0, padding="REFLECT"),
        "versions": [tf.__version__, tfa.__version__],
    }
    np.savez_compressed(Path(__file__).with_name("addons.npz"), **{k: np.asarray(v) for k, v in found.items()})


if __name__ == "__main__":
    main()
