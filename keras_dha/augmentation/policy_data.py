"""A policy as plain data, and back with checks."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import keras
import numpy as np

from keras_dha.augmentation.basic_augmentation import BasicAugmentation
from keras_dha.augmentation.mixing import Mixing
from keras_dha.augmentation.policy import AugmentationPolicy

VERSION = 1
_COMMON = ("operations", "mapping", "fill")


def policy_to_data(policy: AugmentationPolicy, arguments: Sequence[str]) -> dict[str, Any]:
    """What `policy` is, without what it learned.

    Args:
        policy: A policy.
        arguments: Names of its constructor's arguments, beside those that all policies have.
    """
    config = policy.get_config()
    return {
        "version": VERSION,
        "kind": type(policy).__name__,
        **{name: config[name] for name in (*_COMMON, *arguments)},
        "base": [
            {"name": keras.saving.get_registered_name(type(augmentation)), "config": augmentation.get_config()}
            for augmentation in policy.base
        ],
        "mixing": _mixing_to_data(policy.mixing),
    }


def read_policy(
    policy: Mapping[str, Any], kind: type[AugmentationPolicy], arguments: Sequence[str], learned: Sequence[str] = ()
) -> dict[str, Any]:
    """The constructor's arguments, from data; their values are checked by the constructor.

    Args:
        policy: What `policy()` returned.
        kind: The class that it should be of.
        arguments: As for `policy_to_data`.
        learned: What else the data must have.

    Raises:
        ValueError: If the data is of another version or kind, or lacks something.
    """
    if not isinstance(policy, Mapping) or policy.get("version") != VERSION:
        version = policy.get("version") if isinstance(policy, Mapping) else None
        raise ValueError(
            f"A policy must be a dict of version {VERSION}. Received: {type(policy).__name__}, version={version!r}. "
            "Give what policy() returned, in this version of keras_dha."
        )
    if policy.get("kind") != kind.__name__:
        raise ValueError(
            f"The policy must be of the kind {kind.__name__!r}. Received: kind={policy.get('kind')!r}. "
            "keras_dha.augmentation.load finds the class for it."
        )
    names = (*_COMMON, *arguments)
    if missing := sorted({*names, *learned, "base"} - set(policy)):
        raise ValueError(f"A policy must be whole. Received: missing={missing}. Give what policy() returned.")
    base = [_registered(entry, BasicAugmentation, "base") for entry in policy["base"]]
    mixing = policy.get("mixing")
    mixing = None if mixing is None else _registered(mixing, Mixing, "mixing")
    return {**{name: policy[name] for name in names}, "base": base, "mixing": mixing}


def distribution(values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Probabilities of this shape, as an array.

    Raises:
        ValueError: If they are no numbers, of another shape, or no distribution.
    """
    try:
        probabilities = np.array(values, dtype="float32")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"A policy's probabilities must be numbers of shape {shape}. Received: probabilities={values}. "
            "Give what policy() returned."
        ) from error
    if probabilities.shape != shape:
        raise ValueError(
            f"A policy of {shape[0]} operations must have probabilities of shape {shape}. "
            f"Received: shape={probabilities.shape}. Give one row for each first operation."
        )
    total = float(probabilities.sum())
    if not (probabilities >= 0.0).all() or not abs(total - 1.0) < 1e-3:
        raise ValueError(
            f"A policy's probabilities must be at least 0 and sum to 1. Received: sum={total}, "
            f"min={probabilities.min()}. Divide them by their sum."
        )
    return probabilities


def shares_of(values: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers in [0, 1] of this shape, as an array; `choices` are distributions over the last axis.

    Raises:
        ValueError: If they are not.
    """
    try:
        array = np.array(values, dtype="float32")
    except (TypeError, ValueError):
        array = np.array([np.nan], "float32")
    if array.shape != shape or not ((array >= 0.0) & (array <= 1.0)).all():
        raise ValueError(
            f"A policy's {name} must be numbers in [0, 1] of shape {shape}. "
            f"Received: shape={array.shape}, {name}={values!r:.200}. Give what policy() returned."
        )
    if name == "choices" and not np.allclose(array.sum(axis=-1), 1.0, atol=1e-3):
        raise ValueError(
            "A policy's choices must sum to 1 over the last axis. "
            f"Received: sums={array.sum(axis=-1).tolist()}. Divide them by their sums."
        )
    return array


def logit(values: Any) -> Any:
    """`log(p / (1 - p))`, of p kept a little within 0 and 1."""
    values = np.clip(np.asarray(values, "float64"), 1e-7, 1.0 - 1e-7)
    return np.log(values / (1.0 - values))


def _mixing_to_data(mixing: Mixing | None) -> dict[str, Any] | None:
    """What is learned of it is in the strength; who goes on learning starts there."""
    if mixing is None:
        return None
    strength = float(mixing.strength())
    if mixing.learned:  # rounding may have taken it to an end, where it could not be learned
        strength = min(max(strength, 1e-6), 1.0 - 1e-6)
    config = {"strength": strength, "learned": mixing.learned}
    return {"name": keras.saving.get_registered_name(type(mixing)), "config": config}


def _registered(entry: Any, kind: type[Any], name: str) -> Any:
    # Registered classes only: data must not be able to import a module.
    known = entry.get("name") if isinstance(entry, Mapping) else None
    found = keras.saving.get_registered_object(known) if isinstance(known, str) else None
    if not isinstance(found, type) or not issubclass(found, kind):
        raise ValueError(
            f"A policy's {name} must name registered {kind.__name__}s. "
            f"Received: {name} entry {entry!r}. Import the module that registers it first."
        )
    return cast(Any, found).from_config(dict(entry.get("config", {})))
