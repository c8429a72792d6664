"""Who trains a variable.

Whoever makes a variable tags it; the trainer partitions by tag and asks nobody else.
"""

from collections.abc import Iterable

import keras

WEIGHT = "weight"
ARCHITECTURE = "architecture"
HYPERPARAMETER = "hyperparameter"
AUGMENTATION = "augmentation"
ROLES = (WEIGHT, ARCHITECTURE, HYPERPARAMETER, AUGMENTATION)


def tag(variable: keras.Variable, role: str) -> keras.Variable:
    """Says who trains `variable`, and returns it.

    Args:
        variable: A Keras variable.
        role: One of `keras_dha.roles.ROLES`.

    Raises:
        ValueError: If `role` is unknown.
    """
    if role not in ROLES:
        raise ValueError(f"A role must be one of {ROLES}. Received: role={role!r}. Use a constant of keras_dha.roles.")
    variable.keras_dha_role = role
    return variable


def role_of(variable: keras.Variable) -> str:
    """The role of `variable`: what `tag` said, or `WEIGHT`."""
    return getattr(variable, "keras_dha_role", WEIGHT)


def partition(variables: Iterable[keras.Variable]) -> dict[str, list[keras.Variable]]:
    """Sorts variables by role, keeping their order; every role has a (possibly empty) list."""
    parts: dict[str, list[keras.Variable]] = {role: [] for role in ROLES}
    for variable in variables:
        parts[role_of(variable)].append(variable)
    return parts
