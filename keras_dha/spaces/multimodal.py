"""Networks of several inputs."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_dha.spaces.chooser import Chooser, Tensor
from keras_dha.spaces.decisions import Decisions
from keras_dha.spaces.modalities import MODALITIES, fusions, joined, joint_kind, largest_size
from keras_dha.spaces.operations import batch_norm
from keras_dha.spaces.search_space import SearchSpace

Vectors = dict[str, Tensor]
Names = tuple[str, ...]


@keras.saving.register_keras_serializable(package="keras_dha")
class MultimodalSpace(SearchSpace):
    """Networks of several named inputs, such as a picture, a sound and a table: which to read, and how to fuse them.

    Each modality has a tower of stages. A stage is a block, a pool that halves the positions, and perhaps one more
    block, added to its input; blocks are convolutions of an image or a sequence, and dense layers of a table. Chosen
    are

    - `"modalities"`: which inputs are read, one of `combinations`; the towers of others are not in the network;
    - `"fusion_place"`: `early`, of the inputs; `stage_1`, ..., of what the stages of the towers give; or `late`, of one
      vector a modality. From there on a joint tower has the stages that are left;
    - `"fusion_operator"`: `concat`, `sum`, `product` or `gated`: see docs/multimodal.md;
    - for each tower and stage the block, with its kernel and width (`"image_block_1"`), the pool (`"image_pool_1"`),
      and the second block or `skip` (`"image_more_1"`); how the tower becomes a vector (`"image_features"`);
    - a last dense block or `skip` (`"head"`), and the dropout before the logits (`"dropout"`).

    Networks take a dict with one array a modality, as the user has it, and have a batch normalization at the start of
    each tower: values need no range, but must be finite. There is no scaling of images, nor augmentation.

    Args:
        input_shapes: For each modality its name, which becomes the name of the input, and the shape of an example.
        num_classes: Number of outputs.
        kinds: For some modalities by name `"image"`, `"sequence"` or `"table"`. By default, of three or two sizes an
            image (`(height, width, channels)`, or of one channel), of one size a table; a sequence `(steps, channels)`
            must be named here.
        combinations: Which modalities may be read together, such as `[["image", "audio"], ["image"]]`; a search begins
            with the first, or, by a recipe with a prior of capacity such as `dha`, with what reads most. Default: all,
            any of them together, and each alone. Where an image is fused with others, the joint tower is one of images.
        channels: Channels of the first stage of an image or sequence; each later one has twice as many.
        stages: Number of stages of a tower.
        units: Length of the vectors, and width of a table's blocks.

    Raises:
        ValueError: If a name is no identifier, or a shape, a kind, a combination or a size cannot be used.

    Example:

    >>> from keras_dha.spaces import MultimodalSpace
    >>> space = MultimodalSpace({"image": (28, 28, 1), "table": (5,)}, num_classes=10)
    >>> {choice.name: choice.options for choice in space.choices()}["modalities"]
    ('0/image+table', '1/image', '2/table')

    Reference: the idea of random search over networks of several inputs is that of "RandomNet: Towards Fully Automatic
    Neural Architecture Design for Multimodal Learning", https://arxiv.org/abs/2003.01181; this space is ours.
    """

    standardizes = False

    def __init__(
        self,
        input_shapes: Mapping[str, Sequence[int]],
        num_classes: int,
        *,
        kinds: Mapping[str, str] | None = None,
        combinations: Sequence[Sequence[str]] | None = None,
        channels: int = 8,
        stages: int = 2,
        units: int = 64,
    ) -> None:
        _check_shapes(input_shapes)
        super().__init__((), num_classes)
        sizes = {"channels": channels, "stages": stages, "units": units}
        for name, value in sizes.items():
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"{name} must be an integer, 1 or more. Received: {name}={value!r}.")
        self.input_shapes = {name: tuple(int(size) for size in shape) for name, shape in input_shapes.items()}
        self.kinds = _kinds(self.input_shapes, dict(kinds or {}))
        self.combinations = _combinations(tuple(self.input_shapes), combinations)
        self.channels, self.stages, self.units = int(channels), int(stages), int(units)
        if keras.config.image_data_format() != "channels_last":
            raise ValueError(
                "The ready-made spaces need channels last. "
                f"Received: keras.config.image_data_format()={keras.config.image_data_format()!r}. "
                'Call keras.config.set_image_data_format("channels_last").'
            )

    def build(self, choose: Chooser) -> keras.Model:
        """The network, from a dict of inputs to logits."""
        inputs = {name: keras.Input(shape, name=name) for name, shape in self.input_shapes.items()}
        read = [name for name in inputs if any(name in combination for combination in self.combinations)]
        towers = {name: self._tower(choose, name, inputs[name]) for name in read}
        vectors = {name: self._features(choose, name, self.kinds[name], towers[name][-1]) for name in read}
        found: dict[Names, Tensor] = {(name,): vectors[name] for name in read}
        for kind, several in self._joint().items():
            found |= dict.fromkeys(several, self._joint_vector(choose, kind, several, towers, vectors))
        x = self._pick(choose, {names: found[names] for names in self.combinations})
        x = keras.layers.ReLU()(x)
        x = keras.layers.ReLU()(choose.op("head", MODALITIES["table"].residuals(self.units))(x))
        rates = {f"dropout_{percent}": lambda p=percent: keras.layers.Dropout(p / 100) for percent in (25, 50)}
        x = choose.op("dropout", {"none": keras.layers.Identity, **rates})(x)
        return keras.Model(inputs, keras.layers.Dense(self.num_classes)(x))

    def _tower(self, choose: Chooser, name: str, x: Tensor) -> list[Tensor]:
        """The normalized input, and what each stage gives."""
        taps = [MODALITIES[self.kinds[name]].start(x)]
        for stage in range(1, self.stages + 1):
            taps.append(self._stage(choose, name, self.kinds[name], stage, taps[-1]))
        return taps

    def _stage(self, choose: Chooser, name: str, kind: str, stage: int, x: Tensor) -> Tensor:
        modality, channels = MODALITIES[kind], self._channels(kind, stage)
        x = choose.op(f"{name}_block_{stage}", modality.blocks(channels))(x)
        if pools := modality.pools():
            x = choose.op(f"{name}_pool_{stage}", pools)(x)
        return keras.layers.ReLU()(choose.op(f"{name}_more_{stage}", modality.residuals(channels))(x))

    def _features(self, choose: Chooser, name: str, kind: str, x: Tensor) -> Tensor:
        ways = MODALITIES[kind].features(self.units)
        return choose.op(f"{name}_features", ways)(x) if len(ways) > 1 else next(iter(ways.values()))()(x)

    def _channels(self, kind: str, stage: int) -> int:
        return self.units if kind == "table" else self.channels * 2 ** max(stage - 1, 0)

    def _joint(self) -> dict[str, list[Names]]:
        """Combinations of several modalities, by the kind of their joint tower."""
        found: dict[str, list[Names]] = {}
        for names in self.combinations:
            if len(names) > 1:
                found.setdefault(joint_kind([self.kinds[name] for name in names]), []).append(names)
        return found

    def _joint_vector(
        self, choose: Chooser, kind: str, several: list[Names], towers: dict[str, list[Tensor]], vectors: Vectors
    ) -> Tensor:
        """One vector of several modalities, wherever they are fused.

        The joint tower goes on with what it has, or, at the place of fusion, begins with what the towers have.
        """
        places = ["early", *(f"stage_{stage}" for stage in range(1, self.stages)), "late"]
        maps = [self._fused(choose, kind, several, towers, stage) for stage in range(self.stages)]
        late = {names: keras.layers.Concatenate()([vectors[name] for name in names]) for names in several}
        x = maps[0]
        for stage in range(1, self.stages + 1):
            x = self._stage(choose, f"joint_{kind}", kind, stage, x)
            if stage < self.stages:
                options = {place: x if i < stage else maps[stage] for i, place in enumerate(places)}
                x = choose.tensor("fusion_place", options)
        x = self._features(choose, f"joint_{kind}", kind, x)
        last = self._pick(choose, {names: self._operator(choose, len(names), y) for names, y in late.items()})
        return choose.tensor("fusion_place", {place: last if place == "late" else x for place in places})

    def _fused(
        self, choose: Chooser, kind: str, several: list[Names], towers: dict[str, list[Tensor]], stage: int
    ) -> Tensor:
        """What several modalities have after this stage of their towers, as one tensor of the joint kind."""
        read = {name for names in several for name in names}
        size = largest_size([towers[name][stage] for name in read if self.kinds[name] == kind])
        found: dict[Names, Tensor] = {}
        for names in several:
            taps, kinds = [towers[name][stage] for name in names], [self.kinds[name] for name in names]
            x = joined(taps, kinds, kind, size, self._channels(kind, stage))
            found[names] = keras.layers.ReLU()(self._operator(choose, len(names), x))
        return self._pick(choose, found)

    def _pick(self, choose: Chooser, found: Mapping[Names, Tensor]) -> Tensor:
        """The tensor of the combination that is read; any one where that has none, for nothing will read it."""
        first = next(iter(found.values()))
        if len(found) == 1:
            return first
        options = {"+".join(names): names for names in self.combinations}
        tensors = {key: found.get(names, first) for key, names in options.items()}
        return choose.tensor("modalities", tensors, capacities={key: len(names) for key, names in options.items()})

    def _operator(self, choose: Chooser, number: int, x: Tensor) -> Tensor:
        return batch_norm()(choose.op("fusion_operator", fusions(number))(x))

    def modalities_of(self, decisions: Mapping[str, Any]) -> tuple[str, ...]:
        """The names of the inputs that the network of these decisions reads.

        Raises:
            ValueError: If they are not decisions of this space.
        """
        kept = Decisions(decisions).validate(self.choices())
        number = int(kept["modalities"][0].split("/")[0]) if "modalities" in kept else 0
        return self.combinations[number]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "input_shapes": {name: list(shape) for name, shape in self.input_shapes.items()},
            "num_classes": self.num_classes,
            "kinds": self.kinds,
            "combinations": [list(names) for names in self.combinations],
            "channels": self.channels,
            "stages": self.stages,
            "units": self.units,
        }


def _check_shapes(shapes: Any) -> None:
    """There is at least one modality, and each has a name that inputs may have, and a shape."""
    if not isinstance(shapes, Mapping) or not shapes:
        raise ValueError(
            "input_shapes must be a dict of at least one modality and the shape of an example of it. "
            f'Received: input_shapes={shapes!r}. For example {{"image": (28, 28, 1), "table": (5,)}}.'
        )
    for name, shape in shapes.items():
        if not isinstance(name, str) or not name.isidentifier() or name.split("_")[0] in ("joint", "fusion"):
            raise ValueError(
                "The name of a modality must be an identifier that does not start with joint or fusion. "
                f"Received: {name!r}. Rename it, in the data too."
            )
        sizes = list(shape) if isinstance(shape, Sequence) and not isinstance(shape, str) else [None]
        if not 1 <= len(sizes) <= 3 or not all(
            isinstance(size, (int, np.integer)) and not isinstance(size, bool) and size > 0 for size in sizes
        ):
            raise ValueError(
                "The shape of a modality must be one to three positive integers. "
                f"Received: {name}={shape!r}. Leave the batch size out; cut or pad what has no fixed size."
            )


def _kinds(shapes: Mapping[str, tuple[int, ...]], given: dict[str, str]) -> dict[str, str]:
    """The kind of each modality, as given or as its shape says."""
    unknown = sorted(set(given) - set(shapes))
    if unknown:
        raise ValueError(
            f"kinds must be of modalities. Received: kinds of {unknown}, modalities {list(shapes)}. Correct the names."
        )
    kinds = {name: given.get(name, "image" if len(shape) > 1 else "table") for name, shape in shapes.items()}
    for name, kind in kinds.items():
        if kind not in MODALITIES:
            raise ValueError(
                f"The kind of a modality must be one of {list(MODALITIES)}. Received: {name}={kind!r}. Choose one."
            )
        if len(shapes[name]) not in MODALITIES[kind].ranks:
            numbers = " or ".join(str(rank) for rank in MODALITIES[kind].ranks)
            raise ValueError(
                f"The shape of the kind {kind!r} must have {numbers} sizes. "
                f"Received: {name}={shapes[name]}. Reshape the data, or give another kind."
            )
    return kinds


def _combinations(names: tuple[str, ...], given: Sequence[Sequence[str]] | None) -> tuple[tuple[str, ...], ...]:
    """Which modalities may be read together, in the order of the modalities; all together first.

    A search that learns nothing about this choice keeps its first option.
    """
    if given is None:
        sizes = range(len(names), 0, -1)
        return tuple(part for size in sizes for part in itertools.combinations(names, size))
    sets = [(set(part) if isinstance(part, (list, tuple)) else {part}) for part in given]
    if not sets or not all(part and part <= set(names) for part in sets) or len(set(map(frozenset, sets))) < len(sets):
        raise ValueError(
            f"combinations must be different lists of modalities, each of at least one of {list(names)}. "
            f"Received: combinations={given!r}. Leave it out for all."
        )
    return tuple(tuple(name for name in names if name in part) for part in sets)
