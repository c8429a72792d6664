"""How much memory a whole search will take."""

from collections.abc import Mapping, Sequence

from keras_dha.costs.training_memory import COPIES_OF_PARAMETERS, MemoryEstimate, TrainingMemory

# Fitted to peaks of resident memory on a CPU with two threads: docs/radars.md. By what runs in a step.
_MIB, _BYTES = 2**20, 4
_FIT = 250 * _MIB
_LAYER = {"all": 0.05 * _MIB, "one": 0.0}  # equal branches share their graph
_HELD_OUT_LAYER = {"all": 0.35 * _MIB, "one": 0.5 * _MIB}
_CONDITIONAL_LAYER, _HELD_OUT_CONDITIONAL_LAYER = 1.3 * _MIB, 0.6 * _MIB
_ACTIVATIONS = {"all": 1.2, "one": 1.7}  # what is freed is not all used again
_LEARNED_ACTIVATIONS = 0.3


def search_memory(
    memory: TrainingMemory,
    batch_size: int,
    *,
    alive: Mapping[str, Sequence[str]] | None = None,
    paths: str = "all",
    slots: int = 1,
    held_out: bool = False,
    learned: bool = False,
) -> MemoryEstimate:
    """The memory that a `fit` of a search model adds to what the process held before.

    More than `TrainingMemory.of`, which is the least that a training of few steps takes: threads, the held-out pass,
    what learned hyper-parameters keep, and memory that is free and does not fit.

    Args:
        memory: Of the space.
        batch_size: As in `TrainingMemory.of`, as the next three are.
        alive: Options that are left.
        paths: `"all"` or `"one"`.
        slots: Of the optimizer of the weights.
        held_out: Whether a held-out batch takes part in a step.
        learned: Whether hyper-parameters learn from it.

    Raises:
        ValueError: As `TrainingMemory.of`.
    """
    counted = memory.counts(batch_size, alive=alive, paths=paths, slots=slots)
    layer = _LAYER[paths] + held_out * _HELD_OUT_LAYER[paths]
    conditional = _CONDITIONAL_LAYER + held_out * _HELD_OUT_CONDITIONAL_LAYER
    kept = _ACTIVATIONS[paths] + learned * _LEARNED_ACTIVATIONS
    return MemoryEstimate(
        fit=_FIT,
        graph=round(layer * counted["layers"] + conditional * counted["conditional_layers"]),
        activations=round(kept * _BYTES * counted["activations"]),
        parameters=_BYTES * (COPIES_OF_PARAMETERS + slots) * counted["parameters"],
    )
