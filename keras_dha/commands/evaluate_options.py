"""What a user may say about an evaluation."""

import dataclasses
import os
import shlex
from collections.abc import Mapping
from typing import Any

from keras_dha.commands.options import SearchOptions


@dataclasses.dataclass(frozen=True)
class EvaluateOptions:
    """The options of `keras-dha evaluate` that decide what is computed; None where the user gave none.

    Args:
        data: One or several of `digits`, `npz:FILE`, `dir:FOLDER`, `tfds:NAME`.
        spaces: One or several names of spaces.
        recipes: Of those that search.
        protocol: The recipe whose training all networks have.
        channels: Of the first cell.
        cells: Number of cells.
        epochs: Of each training, searches included.
        batch_size: Examples in a training step.
        random: How many architectures are drawn.
        seeds: Of the searches.
        training_seed: Of all other trainings.
        again: How many random architectures are trained with another seed, too.
        depths: Other numbers of cells in which they are trained, too.
        without_tricks: Whether all are trained without the protocol's tricks, too.
    """

    data: tuple[str, ...] | None = None
    spaces: tuple[str, ...] | None = None
    recipes: tuple[str, ...] | None = None
    protocol: str | None = None
    channels: int | None = None
    cells: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    random: int | None = None
    seeds: tuple[int, ...] | None = None
    training_seed: int | None = None
    again: int | None = None
    depths: tuple[int, ...] | None = None
    without_tricks: bool | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "EvaluateOptions":
        """Options from what a command line, or a JSON file, has under their names; lists become tuples."""
        values: dict[str, Any] = {field.name: given.get(field.name) for field in dataclasses.fields(cls)}
        values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `run.json`."""
        values = dataclasses.asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def filled(self, defaults: Mapping[str, Any]) -> "EvaluateOptions":
        """These options with full paths, and with `defaults` where the user gave none."""
        own = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        if self.data is not None:
            own["data"] = tuple(_absolute(data) for data in self.data)
        return EvaluateOptions.of({**defaults, **own})

    def resumed(self, stored: "EvaluateOptions") -> "EvaluateOptions":
        """The stored options of an evaluation that goes on.

        Raises:
            ValueError: If these differ from the stored ones.
        """
        before, given = stored.to_dict(), self.filled({}).to_dict()
        changed = {name: value for name, value in given.items() if value is not None and value != before[name]}
        if changed:
            raise ValueError(
                "An evaluation that goes on must keep its options. "
                f"Received: {changed}, before { ({name: before[name] for name in changed}) }. Leave them out, or start "
                "in another folder."
            )
        return stored

    def command(self, out: str) -> str:
        """The command line that starts this evaluation."""
        words = ["keras-dha", "evaluate", "--out", out]
        for name, value in self.to_dict().items():
            option = "--" + name.replace("_", "-")
            if isinstance(value, bool):
                words += [option] if value else []
            elif value not in (None, []):
                words += [option, *(map(str, value) if isinstance(value, list) else [str(value)])]
        return shlex.join(words)

    def network(self, data: str, space: str) -> SearchOptions:
        """What a search on one of the data sets, in one of the spaces, has."""
        names = ("channels", "cells", "epochs", "batch_size")
        return SearchOptions(data=data, space=space, **{name: getattr(self, name) for name in names})


def _absolute(data: str) -> str:
    kind, _, path = data.partition(":")
    return f"{kind}:{os.path.abspath(os.path.expanduser(path))}" if kind in ("npz", "dir") and path else data
