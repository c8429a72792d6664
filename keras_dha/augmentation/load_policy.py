"""Policies from files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_dha.augmentation.dada_policy import DADAPolicy
from keras_dha.augmentation.pair_policy import PairPolicy
from keras_dha.augmentation.policy import AugmentationPolicy
from keras_dha.augmentation.random_policy import RandAugment, TrivialAugment
from keras_dha.augmentation.relaxed_policy import RelaxedPolicy

_KINDS = (DADAPolicy, PairPolicy, RandAugment, RelaxedPolicy, TrivialAugment)
KINDS: dict[str, type[AugmentationPolicy]] = {kind.__name__: kind for kind in _KINDS}


def load(source: str | Path | Mapping[str, Any], *, seed: int | None = None) -> AugmentationPolicy:
    """A policy that a search has learned, for use: `dataset.map(load("policy.json"))`, or as a layer of a model.

    Args:
        source: The `policy.json` of a search, or what `SearchModel.policy()` returned.
        seed: Integer, or None.

    Returns:
        A layer that augments by default, and with `training=False` does not.

    Raises:
        ValueError: If there is no policy in it, or one of another version or of an unknown kind.
        FileNotFoundError: If there is no such file.

    Example:

    >>> from keras_dha.augmentation import TrivialAugment
    >>> policy = load(TrivialAugment(("Rotate", "Invert")).policy(), seed=0)
    >>> policy.operations
    ('Rotate', 'Invert')
    """
    name = "" if isinstance(source, Mapping) else f" in {str(source)!r}"
    data: Any = source
    if not isinstance(source, Mapping):
        try:
            data = json.loads(Path(source).read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"A policy must be JSON. Received: {str(source)!r}, which is not: {error}. "
                "Give the policy.json of a run."
            ) from error
    if not data:
        raise ValueError(
            f"A policy must name its operations. Received: an empty one{name}: its search had no augmentation. "
            "Give the policy of a search with augmentation."
        )
    kind = KINDS.get(str(data.get("kind"))) if isinstance(data, Mapping) else None
    if kind is None:
        received = data.get("kind") if isinstance(data, Mapping) else type(data).__name__
        raise ValueError(
            f"A policy must be of one of the kinds {sorted(KINDS)}. Received: kind={received!r}{name}. "
            "Give what policy() returned, in this version of keras_dha."
        )
    try:
        return kind.from_policy(data, seed=seed)
    except (TypeError, AttributeError, KeyError, OverflowError) as error:  # constructors are not made for such data
        raise ValueError(
            f"A policy must have values of the kinds that policy() gives. Received: {error}{name}. "
            "Take the file from a copy."
        ) from error
