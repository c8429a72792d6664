"""What a user may say about a search."""

import dataclasses
import os
import shlex
from collections.abc import Mapping
from typing import Any

# What may be changed when a search goes on: how long it lasts.
_EXTENDABLE = ("epochs", "time_budget")


@dataclasses.dataclass(frozen=True)
class SearchOptions:
    """The options of `keras-dha search` that decide what is computed; None where the user gave none.

    Args:
        data: `digits`, `npz:FILE`, `dir:FOLDER` or `tfds:NAME`.
        space: `nas_bench_201`, `darts` or `mobile_net`.
        channels: Channels of the first cell.
        cells: Number of cells; in `nas_bench_201` of each stage; in `mobile_net` most layers of a stage.
        recipe: A name of `keras_dha.recipes.RECIPES`, or `single_path`.
        epochs: Epochs of search and settling together.
        time_budget: Seconds for search and settling together.
        batch_size: Examples in a training step.
        seed: Makes a run repeatable.
        flip: Whether training images may be mirrored left to right.
        max_latency_ms: Bounds of the model, for `single_path`: milliseconds by `table`;
        max_multiply_adds: a number, or a share of the largest network's, as the next ones,
        max_parameters: of parameters,
        max_model_bytes: and of bytes of weights.
        table: A file that `keras-dha latency` wrote.
        strategy: `mirrored`, `multiworker` or `tpu`: which devices train together; None: one.
        workers: Processes of this machine, for `multiworker`, unless `TF_CONFIG` names them.
        dtype: The policy of the networks: `mixed_bfloat16` or `mixed_float16`; None: Keras's default, float32.
        keep_checkpoints: How many backups stay while the search runs; None: one.
    """

    data: str | None = None
    space: str | None = None
    channels: int | None = None
    cells: int | None = None
    recipe: str | None = None
    epochs: int | None = None
    time_budget: float | None = None
    batch_size: int | None = None
    seed: int | None = None
    flip: bool | None = None
    max_latency_ms: float | None = None
    max_multiply_adds: float | None = None
    max_parameters: float | None = None
    max_model_bytes: float | None = None
    table: str | None = None
    strategy: str | None = None
    workers: int | None = None
    dtype: str | None = None
    keep_checkpoints: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `run.json`."""
        return dataclasses.asdict(self)

    def filled(self, defaults: Mapping[str, Any]) -> "SearchOptions":
        """These options, with `defaults` where the user gave none."""
        own = {name: value for name, value in self.to_dict().items() if value is not None}
        return SearchOptions(**{**{name: defaults[name] for name in self._names() if name in defaults}, **own})

    def bounds(self) -> dict[str, float]:
        """The bounds of the model that were given."""
        return {name: value for name, value in self.to_dict().items() if name.startswith("max_") and value is not None}

    def with_absolute_paths(self) -> "SearchOptions":
        """These options with full paths of data and table, so that a search can go on from another directory."""
        table = None if self.table is None else os.path.abspath(os.path.expanduser(self.table))
        kind, _, path = (self.data or "").partition(":")
        if kind not in ("npz", "dir") or not path:
            return dataclasses.replace(self, table=table)
        return dataclasses.replace(self, table=table, data=f"{kind}:{os.path.abspath(os.path.expanduser(path))}")

    def resumed(self, stored: Mapping[str, Any]) -> "SearchOptions":
        """The stored options of a search that goes on, with a longer time if these give one.

        Raises:
            ValueError: If these differ from the stored ones in anything else.
        """
        given = {name: value for name, value in self.with_absolute_paths().to_dict().items() if value is not None}
        changed = {
            name: value
            for name, value in given.items()
            if name not in _EXTENDABLE and name in stored and stored[name] != value
        }
        if changed:
            before = {name: stored[name] for name in changed}
            raise ValueError(
                "A search that goes on must keep its options; only epochs and time budget may change. "
                f"Received: {changed}, before {before}. Leave them out, or start a new search in another folder."
            )
        return SearchOptions(**{name: stored.get(name) for name in self._names()}).overridden(
            {name: given[name] for name in _EXTENDABLE if name in given}
        )

    def overridden(self, changes: Mapping[str, Any]) -> "SearchOptions":
        """These options with `changes`."""
        return dataclasses.replace(self, **changes)

    def command(self, out: str, command: str = "search") -> str:
        """The command line that starts this search, or another command with these options."""
        words = ["keras-dha", command, "--data", str(self.data), "--out", out]
        for name, value in self.to_dict().items():
            option = "--" + name.replace("_", "-")
            if isinstance(value, bool):
                words += [option if value else f"--no-{name}"]
            elif value is not None and name != "data":
                words += [option, str(value)]
        return shlex.join(words)

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        return tuple(field.name for field in dataclasses.fields(cls))
