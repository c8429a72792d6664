"""A contact sheet: the user's images beside what the policy made of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_dha.reports import figure as figures


@figures.in_report_style
def contact_sheet(samples: Mapping[str, np.ndarray]) -> Any | None:
    """Each column is one image: the original on top, augmented versions below.

    Args:
        samples: `originals` `(n, height, width, channels)`, `augmented` `(n, k, height, width, channels)`, uint8, and
            `labels` `(n,)`.

    Returns:
        A matplotlib figure; None without samples.
    """
    originals, augmented = samples.get("originals"), samples.get("augmented")
    if originals is None or augmented is None or originals.size == 0:
        return None
    count, versions = augmented.shape[:2]
    side = min(1.15, 9.4 / count)
    ratio = originals.shape[1] / originals.shape[2]
    figure, axes = figures.new_figure(
        side * count, side * ratio * (versions + 1) + 0.3, versions + 1, count, squeeze=False
    )
    labels = [str(label) for label in samples.get("labels", [""] * count)]
    for column in range(count):
        _show(axes[0, column], originals[column])
        axes[0, column].set_title(_short(labels[column]), fontsize=8, loc="center", parse_math=False)
        for row in range(versions):
            _show(axes[row + 1, column], augmented[column, row])
    axes[0, 0].set_ylabel("original", fontsize=8)
    axes[1, 0].set_ylabel("augmented", fontsize=8)
    return figure


def policy_sheet(
    policy: Callable[..., Any], images: np.ndarray, *, labels: Sequence[Any] | None = None, versions: int = 4
) -> Any:
    """What a policy makes of some images: `policy_sheet(policy, x[:8], labels=y[:8]).savefig("sheet.png")`.

    Args:
        policy: An `AugmentationPolicy`, such as `keras_dha.augmentation.load("policy.json")`.
        images: A few, shape `(n, height, width, channels)`, bytes or floats in [0, 1].
        labels: What stands above each, or None.
        versions: How many times each is augmented.

    Returns:
        A matplotlib figure: each column is one image, the original on top.

    Raises:
        ValueError: If there are no images, or they are of another shape.
    """
    images = np.asarray(images)
    if images.ndim != 4 or not images.size or versions < 1:
        raise ValueError(
            "A sheet needs images of shape (n, height, width, channels), and versions of at least 1. "
            f"Received: shape={images.shape}, versions={versions}. For example x[:8] and 4."
        )
    augmented = np.stack([np.asarray(policy(images, training=True)) for _ in range(versions)], axis=1)
    samples = {"originals": as_bytes(images), "augmented": as_bytes(augmented)}
    return contact_sheet(samples if labels is None else {**samples, "labels": np.asarray(labels)})


def as_bytes(images: np.ndarray) -> np.ndarray:
    """Images of floats in [0, 1] as bytes; bytes as they are."""
    return images if images.dtype == np.uint8 else np.rint(np.clip(images, 0.0, 1.0) * 255).astype(np.uint8)


def _show(axis: Any, image: np.ndarray) -> None:
    """Gray for one channel, colour for three; of any other number the mean."""
    channels = image.shape[-1]
    picture = image if channels == 3 else image.mean(axis=-1)
    axis.imshow(picture, cmap=None if channels == 3 else "gray", vmin=0, vmax=255, interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _short(text: str, limit: int = 14) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
