"""How much memory the training of a supernet will take."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_dha.costs.kept_tensors import KeptTensors, elements_of
from keras_dha.layers.branch import is_zero
from keras_dha.spaces import Choice, Chooser, SearchSpace
from keras_dha.spaces.chooser import NodeFactory, OpFactory, as_layer

Tensor = Any
_BYTES = 4  # of a float32
_PATHS = ("all", "one")
_COPIES_OF_INPUTS = 4  # the batch as it comes, the next one, as floats, scaled

# Fitted to measured peaks of resident memory on a CPU, by `python benchmarks/training_memory.py --fit`: docs/radars.md.
_MIB = 2**20
FIT_BYTES = 84 * _MIB
LAYER_BYTES = {"all": 0.78 * _MIB, "one": 0.53 * _MIB}
CONDITIONAL_LAYER_BYTES = 2.16 * _MIB  # where one path is drawn among the options of several inputs
COPIES_OF_PARAMETERS = 11  # weights, gradients, both once more as one vector, and what is between them


@dataclasses.dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that training adds to what the process held before, by what they are for.

    Args:
        fit: What every fit takes, whatever is trained.
        graph: Traced and optimized graphs.
        activations: Tensors that are kept for gradients, and those that are passed on.
        parameters: Weights, their gradients, the optimizer's slots, and copies of them.
    """

    fit: int
    graph: int
    activations: int
    parameters: int

    @property
    def total(self) -> int:
        """All of them together."""
        return self.fit + self.graph + self.activations + self.parameters


@dataclasses.dataclass(frozen=True)
class _Option:
    """What an option keeps, on its input; and whether it is multiplied by its weight in a pass of its own."""

    kept: KeptTensors
    source: Tensor
    is_zero: bool
    is_multiplied: bool


@dataclasses.dataclass(frozen=True)
class _Place:
    """A question at one place of the network."""

    choice: Choice
    options: dict[str, _Option]

    def all_paths(self, alive: Sequence[str]) -> tuple[int, int, dict[Any, int]]:
        """Where all options run: numbers that are kept, those in their outputs, and tensors that others may keep."""
        own, outputs, shared = 0, 0, dict[Any, int]()
        for option in (self.options[name] for name in alive if not self.options[name].is_zero):
            kept = option.kept
            own += kept.elements - kept.rectified
            outputs += kept.outputs
            if kept.rectified:  # one ReLU serves all that read it
                shared["rectified", id(option.source)] = kept.rectified
            reads = kept.reads_input
            if option.is_multiplied and kept.outputs_kept:  # as the gradient of the weight reads it
                reads = reads or not kept.elements
            elif option.is_multiplied:
                own += kept.outputs
            if reads:
                shared["input", id(option.source)] = elements_of(option.source)
        return own, outputs, shared

    def one_path(self, alive: Sequence[str]) -> tuple[int, int, dict[Any, int]]:
        """The same of the dearest options that run together."""
        runs = [self.options[name] for name in alive if not self.options[name].is_zero]
        costs = [o.kept.elements + elements_of(o.source) * o.kept.reads_input for o in runs]
        outputs = [option.kept.outputs for option in runs]
        own, passing = (sum(sorted(sizes, reverse=True)[: self.choice.keep]) for sizes in (costs, outputs))
        return own, passing, {}


class TrainingMemory:
    """The memory that training a space's supernet takes, for any options that are left in it.

    `fit + graph * layers + 4 * batch_size * activations + 4 * (copies + slots) * parameters`, where activations,
    parameters and layers are sums over the options that are alive, and over what is outside of choices. Options that
    are not alive must not be built (`keras_dha.spaces.RestrictedSpace`).

    Layers are built one option at a time, and forgotten. Which tensors are kept for gradients is told from the kinds of
    layers; constants are fitted to measured peaks of resident memory on a CPU, where they stand in this file. A guess,
    not a bound: keep a margin.

    Args:
        space: The space. Choices of sizes and of widths count as their largest.

    Raises:
        ValueError: If a size of the networks is unknown.

    Example:

    >>> space = keras_dha.spaces.NASBench201Space((8, 8, 1), 10, channels=4, cells_per_stage=1)
    >>> memory = TrainingMemory(space)
    >>> memory.of(batch_size=64).activations > memory.of(batch_size=64, paths="one").activations
    True

    Reference: the sum over options that are alive is a reconstruction of what Yan, Jiang, Hu, Shi, "RADARS",
    https://arxiv.org/abs/2109.05691, must compute; how its parts are counted is ours.
    """

    def __init__(self, space: SearchSpace) -> None:
        chooser = _MeasuringChooser()
        model = space.build(chooser)
        self._places = chooser.places
        self._rest = KeptTensors.of(model)
        self._inputs = sum(map(elements_of, model.inputs))
        self.choices = {place.choice.name: place.choice for place in self._places}

    def of(
        self,
        batch_size: int,
        *,
        alive: Mapping[str, Sequence[str]] | None = None,
        paths: str = "all",
        slots: int = 1,
    ) -> MemoryEstimate:
        """What training adds to the memory of the process.

        Args:
            batch_size: Examples in a batch.
            alive: For some choices the options that are left; None, and choices not named: all.
            paths: `"all"`: all options that are alive run, as with `Softmax`; `"one"`: as many as a choice keeps, as
                with `OneHotSample`; the dearest count.
            slots: What the optimizer remembers of each weight: 1 for SGD with momentum, 2 for Adam.

        Raises:
            ValueError: If an argument is out of range, or a choice or option is unknown.
        """
        counted = self.counts(batch_size, alive=alive, paths=paths, slots=slots)
        return MemoryEstimate(
            fit=FIT_BYTES,
            graph=round(
                LAYER_BYTES[paths] * counted["layers"] + CONDITIONAL_LAYER_BYTES * counted["conditional_layers"]
            ),
            activations=_BYTES * counted["activations"],
            parameters=_BYTES * (COPIES_OF_PARAMETERS + slots) * counted["parameters"],
        )

    def counts(
        self,
        batch_size: int,
        *,
        alive: Mapping[str, Sequence[str]] | None = None,
        paths: str = "all",
        slots: int = 1,
    ) -> dict[str, int]:
        """What the estimate is made of: `activations` of a batch, `parameters`, `layers`, `conditional_layers`.

        Layers are conditional that run or not, one by one: of nodes, of which one path runs.

        Args:
            batch_size: As in `of`, as the others are.
            alive: As in `of`.
            paths: As in `of`.
            slots: As in `of`.

        Raises:
            ValueError: As `of`.
        """
        self._check(batch_size, alive or {}, paths, slots)
        kept, passing, shared = self._rest.elements + _COPIES_OF_INPUTS * self._inputs, 0, dict[Any, int]()
        parameters, layers, conditional = self._rest.parameters, self._rest.layers, 0
        for place in self._places:
            left = (alive or {}).get(place.choice.name, place.choice.options)
            own, outputs, both = place.all_paths(left) if paths == "all" else place.one_path(left)
            kept, passing, shared = kept + own, max(passing, outputs), shared | both
            parameters += sum(place.options[option].kept.parameters for option in left)
            own_layers = sum(place.options[option].kept.layers for option in left)
            is_conditional = paths == "one" and place.choice.groups is not None
            layers += 0 if is_conditional else own_layers
            conditional += own_layers if is_conditional else 0
        kept += sum(shared.values())
        counted = {"activations": batch_size * (kept + passing), "parameters": parameters, "layers": layers}
        return {**counted, "conditional_layers": conditional}

    def _check(self, batch_size: int, alive: Mapping[str, Sequence[str]], paths: str, slots: int) -> None:
        if batch_size < 1 or slots < 0 or paths not in _PATHS:
            raise ValueError(
                f"batch_size must be at least 1, slots at least 0, and paths one of {_PATHS}. "
                f"Received: batch_size={batch_size}, slots={slots}, paths={paths!r}. Correct them."
            )
        for name, options in alive.items():
            unknown = sorted(set(options) - set(self.choices[name].options)) if name in self.choices else [name]
            if unknown:
                raise ValueError(
                    "Options that are alive must be those of choices of operations or nodes of the space. "
                    f"Received: {unknown} in {name!r}, choices={list(self.choices)}. Correct the names."
                )


class AnyOutput(keras.layers.Layer):
    """Stands for all options of a choice: from its inputs to a tensor of this shape."""

    def __init__(self, shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shape = tuple(shape)

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        """A tensor of the shape."""
        return keras.KerasTensor((None, *self.shape), dtype=self.compute_dtype)


class _MeasuringChooser(Chooser):
    """Builds each option of each question once, to count it, and goes on with a tensor of the same shape."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[_Place] = []

    def _answer_op(self, choice: Choice, options: Mapping[str, OpFactory], x: Tensor) -> Tensor:
        return self._measured(choice, {name: (options[name], x) for name in choice.options}, [x])

    def _answer_node(self, choice: Choice, options: Mapping[str, NodeFactory], inputs: list[Tensor]) -> Tensor:
        made = {}
        for name in choice.options:
            source, operation = name.split("/", 1)
            made[name] = (lambda o=operation, i=int(source): options[o](i), inputs[int(source)])
        return self._measured(choice, made, inputs)

    def _measured(self, choice: Choice, made: Mapping[str, Any], inputs: list[Tensor]) -> Tensor:
        found: dict[str, _Option] = {}
        for name, (make, x) in made.items():
            branch = as_layer(make(), x)
            own = keras.Input(batch_shape=x.shape, dtype=x.dtype)
            output = branch(own)
            last = branch.layers[-1] if type(branch) is keras.Sequential else branch
            is_multiplied = type(last) is not keras.layers.BatchNormalization
            found[name] = _Option(KeptTensors.of(keras.Model(own, output)), x, is_zero(branch), is_multiplied)
        self.places.append(_Place(choice, found))
        return AnyOutput(output.shape[1:])(inputs)
