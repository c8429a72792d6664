"""Numbers that describe a system."""

import math


def check_positive(**numbers: float) -> None:
    """Lengths, masses and times are finite and above 0.

    Raises:
        ValueError: If one is not, with its name.
    """
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value < math.inf:
            raise ValueError(f"{name} must be a positive number. Received: {name}={value!r}. Leave it out for its own.")
