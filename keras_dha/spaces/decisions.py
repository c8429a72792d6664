"""The answers to a space's questions, as plain data."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from keras_dha.spaces.choice import Choice
from keras_dha.write_file import write_text


class Decisions(Mapping[str, tuple[str, ...]]):
    """Which options are kept, for each choice of a space.

    A read-only mapping from a choice's name to the names of its kept options, in the order of the choice. A single kept
    option may be given as a string.

    Args:
        kept: Mapping of choice name to option name, or to a sequence of option names.

    Raises:
        ValueError: If a value is neither.

    Example:

    >>> Decisions({"edge_0": "conv", "node_1": ["0/conv", "1/skip"]})["edge_0"]
    ('conv',)
    """

    def __init__(self, kept: Mapping[str, str | Iterable[str]]) -> None:
        if not isinstance(kept, Mapping):
            raise ValueError(
                f"Decisions must be a mapping of choice names to kept options. Received: kept={kept!r}. "
                "Give a dict such as {'edge_0': 'conv'}."
            )
        self._kept = {name: self._options(name, options) for name, options in kept.items()}

    @staticmethod
    def _options(name: object, options: object) -> tuple[str, ...]:
        values = (options,) if isinstance(options, str) else options
        if (
            not isinstance(name, str)
            or not isinstance(values, (list, tuple))
            or not all(isinstance(value, str) for value in values)
        ):
            raise ValueError(
                f"A decision must be a choice's name and the names of its kept options. "
                f"Received: {name!r}={options!r}. Give strings."
            )
        return tuple(values)

    def __getitem__(self, name: str) -> tuple[str, ...]:
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return f"Decisions({self._kept})"

    def validate(self, choices: Iterable[Choice]) -> "Decisions":
        """Checks the decisions against the questions of a space, and returns them.

        Raises:
            ValueError: If a choice is missing or unknown, an option is unknown or excluded, or too few or too many
                are kept.
        """
        by_name = {choice.name: choice for choice in choices}
        if set(by_name) != set(self._kept):
            missing, unknown = sorted(set(by_name) - set(self._kept)), sorted(set(self._kept) - set(by_name))
            raise ValueError(
                "Decisions must answer every choice of the space, and no other. "
                f"Received: missing={missing}, unknown={unknown}. Were they made for another space?"
            )
        for name, choice in by_name.items():
            self._validate_one(choice, self._kept[name])
        return self

    @staticmethod
    def _validate_one(choice: Choice, kept: tuple[str, ...]) -> None:
        allowed = [option for option in choice.options if option not in choice.excluded]
        groups = dict(zip(choice.options, choice.group_numbers))
        in_range = len(kept) in choice.numbers and all(option in allowed for option in kept)
        if not in_range or len({groups[option] for option in kept}) != len(kept):
            number = f"{choice.keep}" if choice.fewest == choice.keep else f"{choice.fewest} to {choice.keep}"
            number += f" (a multiple of {choice.multiple_of}, or all)" if choice.multiple_of > 1 else ""
            raise ValueError(
                f"The choice {choice.name!r} must keep {number} of {allowed}, at most one per input. "
                f"Received: {list(kept)}. Correct the decision, or build the space that it was made for."
            )

    def to_json(self) -> str:
        """The decisions as a JSON object of lists."""
        return json.dumps({name: list(options) for name, options in self._kept.items()}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Decisions":
        """Reads what `to_json` wrote.

        Raises:
            ValueError: If the text is not such an object.
        """
        try:
            data: Any = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(
                f"Decisions must be a JSON object. Received: {text[:80]!r}, {error}. Write them with Decisions.save."
            ) from error
        return cls(data)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the decisions to a JSON file, whole or not at all."""
        write_text(path, self.to_json() + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Decisions":
        """Reads a file written by `save`.

        Raises:
            OSError: If the file cannot be read.
            ValueError: If it does not hold decisions.
        """
        return cls.from_json(Path(path).read_text(encoding="utf-8"))
