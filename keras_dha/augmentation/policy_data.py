"""A learned pair policy as plain data, and back with checks."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_dha.augmentation.basic_augmentation import BasicAugmentation

VERSION = 1
_ARGUMENTS = ("operations", "mapping", "fill", "temperature", "score", "direction")


def policy_to_data(
    config: Mapping[str, Any], base: tuple[BasicAugmentation, ...], probabilities: np.ndarray, magnitude: float
) -> dict[str, Any]:
    """The data of `PairPolicy.policy`: from its config, base augmentations, probabilities and current magnitude."""
    return {
        "version": VERSION,
        **{name: config[name] for name in _ARGUMENTS},
        "probabilities": np.asarray(probabilities).tolist(),
        "magnitudes": {
            "search": config["search_magnitude"],
            "settle": config["settle_magnitude"],
            "current": magnitude,
        },
        "base": [
            {"name": keras.saving.get_registered_name(type(augmentation)), "config": augmentation.get_config()}
            for augmentation in base
        ],
    }


def read_policy(policy: Mapping[str, Any]) -> tuple[dict[str, Any], np.ndarray, float]:
    """The arguments of a `PairPolicy`, its probabilities and its current magnitude, from data.

    Names of operations, and the arguments' values, are checked by `PairPolicy`.

    Raises:
        ValueError: If the data is of another version, lacks something, or the probabilities are not a distribution.
    """
    if not isinstance(policy, Mapping) or policy.get("version") != VERSION:
        version = policy.get("version") if isinstance(policy, Mapping) else None
        raise ValueError(
            f"A policy must be a dict of version {VERSION}. Received: {type(policy).__name__}, version={version!r}. "
            "Give what PairPolicy.policy() returned, in this version of keras_dha."
        )
    missing = sorted({*_ARGUMENTS, "probabilities", "magnitudes", "base"} - set(policy))
    magnitudes = policy.get("magnitudes", {})
    if missing or not isinstance(magnitudes, Mapping) or set(magnitudes) != {"search", "settle", "current"}:
        raise ValueError(
            "A policy must be whole, with magnitudes for 'search', 'settle' and 'current'. "
            f"Received: missing={missing}, magnitudes={magnitudes}. Give what PairPolicy.policy() returned."
        )
    probabilities = _distribution(policy["probabilities"], len(policy["operations"]))
    arguments = {
        **{name: policy[name] for name in _ARGUMENTS},
        "search_magnitude": magnitudes["search"],
        "settle_magnitude": magnitudes["settle"],
        "base": [_augmentation(entry) for entry in policy["base"]],
    }
    return arguments, probabilities, float(magnitudes["current"])


def _distribution(values: Any, size: int) -> np.ndarray:
    try:
        probabilities = np.array(values, dtype="float32")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"A policy's probabilities must be {size} lists of {size} numbers. Received: probabilities={values}. "
            "Give what PairPolicy.policy() returned."
        ) from error
    if probabilities.shape != (size, size):
        raise ValueError(
            f"A policy of {size} operations must have probabilities of shape ({size}, {size}). "
            f"Received: shape={probabilities.shape}. Give one row for each first operation."
        )
    total = float(probabilities.sum())
    if not (probabilities >= 0.0).all() or not abs(total - 1.0) < 1e-3:
        raise ValueError(
            f"A policy's probabilities must be at least 0 and sum to 1. Received: sum={total}, "
            f"min={probabilities.min()}. Divide them by their sum."
        )
    return probabilities


def _augmentation(entry: Any) -> BasicAugmentation:
    # Registered classes only: data must not be able to import a module.
    name = entry.get("name") if isinstance(entry, Mapping) else None
    found = keras.saving.get_registered_object(name) if isinstance(name, str) else None
    if not isinstance(found, type) or not issubclass(found, BasicAugmentation):
        raise ValueError(
            "A policy's base must name registered BasicAugmentations. "
            f"Received: base entry {entry!r}. Import the module that registers it first."
        )
    return found.from_config(dict(entry.get("config", {})))
