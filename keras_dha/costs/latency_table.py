"""Milliseconds of networks, as a sum over parts that were measured."""

import datetime
import json
import math
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_dha.costs.covering import extreme_decisions, network, networks_with_all_options
from keras_dha.costs.network_parts import Part, parts, with_random_weights
from keras_dha.costs.runtimes import Timing, check_runtime, milliseconds, milliseconds_of
from keras_dha.layers.image_scaling import fast_rescaling
from keras_dha.spaces import SearchSpace
from keras_dha.write_file import write_text

_FORMAT = "keras_dha.LatencyTable/1"
_LEAST_SHARE = 0.02  # of a measured time, which a part costs at least beside the call


@keras.saving.register_keras_serializable(package="keras_dha")
class LatencyTable:
    """`ms(network) = overhead_ms + scale * sum over parts of ms(part)`, on one device, one thread, for one example.

    Parts are what runtimes run as one, such as a convolution with its normalization and activation
    (`network_parts.parts`). For networks of many kinds, from a few hundred measurements of seconds in all; measure the
    one network that you keep by `measure_model`.

    Args:
        entries: For each part's key its time, a `Timing` or milliseconds, without what a call costs.
        runtime: `"litert"` or `"saved_model"`.
        overhead_ms: What a call costs.
        scale: What a part costs in a network, where others have been in the caches before, as a multiple of alone.
        device: What it was measured on.
        agreement: Predicted and measured milliseconds of the networks that `scale` was fitted to; where `measure` made
            the table, the last one is the slowest of the space.
        versions: Of Python and packages, and the date.

    Raises:
        ValueError: If a number is not finite, an entry or the scale not positive, or the runtime unknown.

    Example:

    >>> table = keras_dha.costs.LatencyTable.measure(space)  # doctest: +SKIP
    >>> table.predict_decisions(space, space.random_decisions())  # doctest: +SKIP
    0.36

    Reference: Cai, Zhu, Han, ProxylessNAS, https://arxiv.org/abs/1812.00332, whose tables have one number a block.
    Parts fused as runtimes fuse them: Zhang et al., nn-Meter, https://doi.org/10.1145/3458864.3467882. The fitted scale
    is ours.
    """

    def __init__(
        self,
        entries: Mapping[str, Timing | float],
        *,
        runtime: str,
        overhead_ms: float = 0.0,
        scale: float = 1.0,
        device: str = "",
        agreement: Sequence[tuple[float, float]] = (),
        versions: Mapping[str, str] | None = None,
    ) -> None:
        check_runtime(runtime)
        self.entries = {key: ms if isinstance(ms, Timing) else Timing(ms) for key, ms in entries.items()}
        for key, timing in self.entries.items():
            _check_number(f"The time of the part {key}", timing.ms, above=0.0)
            _check_number(f"The spread of the part {key}", timing.spread)
        _check_number("overhead_ms", overhead_ms)
        _check_number("scale", scale, above=0.0)
        self.runtime, self.overhead_ms, self.scale = runtime, float(overhead_ms), float(scale)
        self.device, self.versions = str(device), dict(versions or {})
        self.agreement = [(float(predicted), float(measured)) for predicted, measured in agreement]

    @classmethod
    def measure(
        cls,
        space: SearchSpace,
        *,
        runtime: str = "litert",
        seed: int = 0,
        progress: Callable[[str], Any] | None = None,
    ) -> "LatencyTable":
        """A table of all parts that networks of the space have, measured on this machine, and fitted to whole networks.

        Parts are those of networks that together have each combination of options of each of `space.cost_blocks()`,
        and each option of choices that keep several; and the scaling of pictures that stands first in what
        `SearchModel.derive` returns. Ten whole networks are measured, too: eight random ones, and those
        that are the fastest and the slowest by parts.

        Args:
            space: The space.
            runtime: `"litert"` or `"saved_model"`.
            seed: Of the random networks.
            progress: Is told what has been done, such as `print`.

        Raises:
            ImportError: If a package is missing.
            ValueError: If the runtime is unknown.
        """
        check_runtime(runtime)
        tell = progress or (lambda text: None)
        covering = [parts(network(space, decisions)) for decisions in networks_with_all_options(space, seed)]
        chosen = [space.random_decisions(seed=1000 * seed + number) for number in range(8)]
        wholes = [network(space, decisions) for decisions in chosen]
        wanted = _with_pieces([part for found in [*covering, *map(parts, wholes), *_scalings(space)] for part in found])
        tell(f"{len(wanted)} parts of {len(covering) + len(wholes)} networks are to be measured in {runtime}")
        idle, *found = milliseconds_of([_idle(), *(part.model() for part in wanted.values())], runtime=runtime)
        entries = {key: _beside(timing, idle) for key, timing in zip(wanted, found)}
        table = cls(entries, runtime=runtime, overhead_ms=idle.ms, device=_device(), versions=_versions())
        wholes += [network(space, decisions) for decisions in extreme_decisions(space, table.predict)]
        tell(f"{len(found)} parts measured; now {len(wholes)} whole networks")
        measured = [timing.ms for timing in milliseconds_of([with_random_weights(w) for w in wholes], runtime=runtime)]
        table._fit(wholes, measured)
        tell(f"networks take {table.scale:.2f} of the sum of their parts, by {table.median_error:.1%} more or less")
        return table

    def _fit(self, wholes: Sequence[keras.Model], measured: Sequence[float]) -> None:
        """The scale that networks have in the median, which one disturbed measurement does not move."""
        sums = np.array([self.predict(whole) for whole in wholes]) - self.overhead_ms
        self.scale *= float(np.median(np.maximum(np.array(measured) - self.overhead_ms, 1e-9) / sums))
        self.agreement = [(self.predict(whole), ms) for whole, ms in zip(wholes, measured)]

    @property
    def median_error(self) -> float:
        """How far predictions are from measurements in `agreement`, relative, in the median; NaN if there are none."""
        errors = [abs(predicted / measured - 1.0) for predicted, measured in self.agreement]
        return float(np.median(errors)) if errors else math.nan

    def predict(self, model: keras.Model) -> float:
        """Milliseconds of a network.

        Args:
            model: A functional or `Sequential` model of fixed input size, such as `network.derive()`, without masks
                (`space.without_closed`).

        Raises:
            ValueError: If it has a part that is not in the table.
        """
        found = parts(model)
        prices = [self._price(part) for part in found]
        missing = sorted({part.name for part, price in zip(found, prices) if price is None})
        if missing:
            raise ValueError(
                f"Every part of a network must have been measured. Received: {model.name!r}, whose parts "
                f"{missing[:3]}{' and others' if missing[3:] else ''} are not among {len(self.entries)} entries. "
                "Measure a table of the space that the network is of: LatencyTable.measure(space)."
            )
        return self.overhead_ms + self.scale * sum(price for price in prices if price is not None)

    def _price(self, part: Part) -> float | None:
        """The time of a part, or of its pieces; None if it is not known."""
        if part.key in self.entries:
            return self.entries[part.key].ms
        pieces = part.split()
        if len(pieces) == 1 or not all(piece.key in self.entries for piece in pieces):
            return None
        return sum(self.entries[piece.key].ms for piece in pieces)

    def predict_decisions(self, space: SearchSpace, decisions: Mapping[str, Any]) -> float:
        """Milliseconds of the network of these decisions."""
        return self.predict(network(space, decisions))

    def largest(self, space: SearchSpace) -> float:
        """Milliseconds of the slowest network of a space.

        Block by block, the slowest combination of options, all other blocks being as they are: costs add over blocks.
        Of choices that keep several options, a few sets are tried.
        """
        return self.predict_decisions(space, extreme_decisions(space, self.predict)[1])

    def measure_model(self, model: keras.Model) -> float:
        """Milliseconds of a network, measured as the table was, on the machine at hand, which may be another one."""
        return milliseconds(model, runtime=self.runtime).ms

    def get_config(self) -> dict[str, Any]:
        """The table as plain data."""
        return {
            "format": _FORMAT,
            "runtime": self.runtime,
            "device": self.device,
            "versions": dict(self.versions),
            "overhead_ms": self.overhead_ms,
            "scale": self.scale,
            "agreement": [list(pair) for pair in self.agreement],
            "entries": {key: [timing.ms, timing.spread] for key, timing in self.entries.items()},
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "LatencyTable":
        """A table from what `get_config` returned.

        Raises:
            ValueError: If it is something else.
        """
        received = config.get("format") if isinstance(config, Mapping) else type(config).__name__
        if received != _FORMAT:
            raise ValueError(
                f"A latency table must have the format {_FORMAT!r}. Received: {received!r}. Write it with "
                "LatencyTable.save, by this version of keras_dha."
            )
        fields = {name: value for name, value in config.items() if name != "format"}
        try:
            entries = {key: Timing(ms, spread) for key, (ms, spread) in fields.pop("entries").items()}
            agreement = [(float(predicted), float(measured)) for predicted, measured in fields.pop("agreement")]
            return cls(entries, agreement=agreement, **fields)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                "A latency table must have entries of [ms, spread], overhead_ms, scale, runtime, device, versions and "
                f"agreement. Received: {sorted(config)}, {error}. Write it with LatencyTable.save."
            ) from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the table to a JSON file, whole or not at all."""
        write_text(path, json.dumps(self.get_config(), indent=1) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "LatencyTable":
        """Reads a file written by `save`.

        Raises:
            OSError: If the file cannot be read.
            ValueError: If it does not hold a table.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(
                f"A latency table must be a JSON file. Received: {path}, {error}. Write it with LatencyTable.save."
            ) from error
        return cls.from_config(data)


def _check_number(what: str, value: Any, *, above: float | None = None) -> None:
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    in_range = is_number and 0.0 <= value <= sys.float_info.max  # an integer may be too large for math.isfinite
    if not in_range or (above is not None and value <= above):
        kind = "not negative" if above is None else "positive"
        raise ValueError(f"{what} must be a finite number, and {kind}. Received: {value!r}. Measure the table anew.")


def _with_pieces(found: Sequence[Part]) -> dict[str, Part]:
    """Parts by key; where activations come by themselves, as with two readers before them, all parts in pieces, too."""
    pieces = [piece for part in found for piece in part.split()]
    by_itself = {part.key for part in found} & {piece.key for part in found for piece in part.split()[1:]}
    return {part.key: part for part in [*found, *(pieces if by_itself else ())]}


def _scalings(space: SearchSpace) -> list[list[Part]]:
    """What a search puts before networks of pictures: a number, which may be 1 and 0, or one for each channel."""
    if len(space.input_shape) != 3:
        return []
    alike = [keras.layers.Rescaling(*numbers) for numbers in ((0.5, 0.25), (1.0, 0.0))]
    several = np.arange(1.0, 1.0 + space.input_shape[-1])
    layers = [*alike, fast_rescaling(several, several, space.input_shape[-2])]
    return [parts(keras.Sequential([keras.Input(space.input_shape), layer])) for layer in layers]


def _beside(timing: Timing, idle: Timing) -> Timing:
    """A part's time without the call's."""
    return Timing(max(timing.ms - idle.ms, _LEAST_SHARE * timing.ms), timing.spread)


def _idle() -> keras.Model:
    """A model that does next to nothing."""
    inputs = keras.Input((1,))
    return keras.Model(inputs, keras.layers.Rescaling(2.0)(inputs))


def _device() -> str:
    names = [platform.processor(), platform.machine(), platform.system()]
    return " ".join(dict.fromkeys(name for name in names if name))


def _versions() -> dict[str, str]:
    """Of what decides about speed, and the day."""
    found = {"python": platform.python_version(), "date": datetime.date.today().isoformat()}
    for name in ("keras", "tensorflow", "ai-edge-litert"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
