"""A space's questions, answered by KerasTuner's hyper-parameters."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras_tuner

from keras_dha.derivation import FixedChooser
from keras_dha.spaces import Choice, Decisions, SearchSpace

_MOST_SETS = 10_000  # of inputs of a node


class TrialChooser(FixedChooser):
    """Builds the network of a trial: the trial's values say what is kept, and the rest is `FixedChooser`.

    | question | hyper-parameters |
    |---|---|
    | `op`, `kernel`, `repeat`, `squeeze_excite`, `width` with sizes | one `Choice`, named as the question |
    | `node` that keeps one | one `Choice` |
    | other `node` | `Choice` "name/inputs" of sets of inputs, such as "0+2"; an input has a "name/0" of operations |
    | `width` of channels | `Int`: how many are kept, the first ones |

    Each decision that a question allows comes from exactly one point, and there are no other points; but that of
    channels without sizes only the first ones can be kept, for a tuner can do nothing with hundreds of switches. The
    operation of an input is only asked for where the input is kept. Options that are never kept are not offered.

    Args:
        hp: What `build` of a hypermodel is given.

    Raises:
        ValueError: While building, if a node has more than 10,000 sets of inputs, or a value is no option.

    Example:

    >>> from keras_dha.spaces import NASBench201Space
    >>> space = NASBench201Space((8, 8, 1), 10, channels=4, cells_per_stage=1)
    >>> import keras_tuner
    >>> hp = keras_tuner.HyperParameters()
    >>> model = space.build(TrialChooser(hp))
    >>> hp.get("edge_2_from_1")
    'none'
    """

    def __init__(self, hp: keras_tuner.HyperParameters) -> None:
        super().__init__({})
        self._hp = hp

    def _kept(self, choice: Choice) -> list[str]:
        self._decisions = Decisions({**self._decisions, choice.name: kept_of(self._hp, choice)})
        return super()._kept(choice)


def kept_of(hp: keras_tuner.HyperParameters, choice: Choice) -> list[str]:
    """The options that a trial keeps; its hyper-parameters are asked for."""
    if _is_width(choice):
        most = len(choice.options)
        if choice.multiple_of == 1:
            number = hp.Int(choice.name, choice.fewest, most, default=most)
        else:
            number = hp.Choice(choice.name, list(choice.numbers), default=most)
        if number not in choice.numbers:
            several = "" if choice.multiple_of == 1 else f", a multiple of {choice.multiple_of}, or all"
            raise ValueError(
                f"The width {choice.name!r} must have between {choice.fewest} and {most} channels{several}. "
                f"Received: {choice.name}={number!r}. Were the values made for another space?"
            )
        return list(choice.options[:number])
    allowed = [option for option in choice.options if option not in choice.excluded]
    if choice.keep == 1:
        return [_chosen(hp, choice.name, allowed)]
    operations = _operations(choice)
    sets = _sets(choice)
    name = f"{choice.name}/inputs"
    kept = [int(group) for group in _chosen(hp, name, list(sets)).split("+")]
    found = {}
    for group, options in operations.items():  # all of them, also those that this trial does not keep, are to be known
        with hp.conditional_scope(name, [text for text, groups in sets.items() if group in groups]):
            if group in kept:
                found[group] = _chosen(hp, f"{choice.name}/{group}", list(options))
            else:
                hp.Choice(f"{choice.name}/{group}", list(options))
    return [operations[group][found[group]] for group in sorted(kept)]


def decisions_of(space: SearchSpace, values: keras_tuner.HyperParameters | Mapping[str, Any]) -> Decisions:
    """What a trial keeps.

    Args:
        space: The space that was searched.
        values: Hyper-parameters of a trial, such as `tuner.get_best_hyperparameters()[0]`, or their values; others
            than those of the space are ignored.

    Raises:
        ValueError: If one is missing, or no option.
    """
    given = dict(values.values if isinstance(values, keras_tuner.HyperParameters) else values)
    hp = keras_tuner.HyperParameters()
    hp.values = dict(given)
    kept = {choice.name: kept_of(hp, choice) for choice in space.choices()}
    missing = sorted({known.name for known in hp.space if hp.is_active(known)} - set(given))
    if missing:
        raise ValueError(
            f"Values must answer every question of the space. Received: none for {missing}, "
            f"values of {sorted(given)}. Were they made for another space?"
        )
    return Decisions(kept).validate(space.choices())


def hyperparameters_of(space: SearchSpace, decisions: Mapping[str, Any]) -> keras_tuner.HyperParameters:
    """Hyper-parameters whose trial keeps what `decisions` say: where a tuner may start, or what it is to run.

    Args:
        space: The space.
        decisions: `Decisions` of it, or a mapping like them.

    Raises:
        ValueError: If they do not fit the space, or keep other channels of a width than its first ones.
    """
    known = Decisions(decisions).validate(space.choices())
    hp = keras_tuner.HyperParameters()
    for choice in space.choices():
        kept = [option for option in choice.options if option in known[choice.name]]
        hp.values.update(_values_of(choice, kept))
        kept_of(hp, choice)
    return hp


def _values_of(choice: Choice, kept: list[str]) -> dict[str, Any]:
    if _is_width(choice):
        if kept != list(choice.options[: len(kept)]):
            raise ValueError(
                "A trial keeps the first channels of a width. "
                f"Received: {choice.name}={kept}. Give the width sizes, or build the network with FixedChooser."
            )
        return {choice.name: len(kept)}
    if choice.keep == 1:
        return {choice.name: _plain(choice.options)(kept[0])}
    groups = dict(zip(choice.options, choice.group_numbers))
    operations = {
        group: {option: text for text, option in known.items()} for group, known in _operations(choice).items()
    }
    inputs = "+".join(str(group) for group in sorted(groups[option] for option in kept))
    chosen = {f"{choice.name}/{groups[option]}": operations[groups[option]][option] for option in kept}
    return {f"{choice.name}/inputs": inputs, **chosen}


def _is_width(choice: Choice) -> bool:
    return choice.groups is None and choice.at_least is not None


def _operations(choice: Choice) -> dict[int, dict[str, str]]:
    """For each input that can be kept, its operations, and the options that they are."""
    found: dict[int, dict[str, str]] = {}
    for option, group in zip(choice.options, choice.group_numbers):
        if option not in choice.excluded:
            found.setdefault(group, {})[option.split("/", 1)[-1]] = option
    return found


def _sets(choice: Choice) -> dict[str, tuple[int, ...]]:
    """The sets of inputs that can be kept, by what a trial calls them."""
    groups, sizes = sorted(_operations(choice)), choice.numbers
    number = sum(math.comb(len(groups), size) for size in sizes)
    if number > _MOST_SETS:
        raise ValueError(
            f"A node must have at most {_MOST_SETS} sets of inputs. Received: {number} for {choice.name!r}, which "
            f"keeps {choice.fewest} to {choice.keep} of {len(groups)}. Let it keep fewer, or split it."
        )
    return {"+".join(map(str, kept)): kept for size in sizes for kept in itertools.combinations(groups, size)}


def _chosen(hp: keras_tuner.HyperParameters, name: str, options: Sequence[str]) -> str:
    plain = _plain(options)
    value = hp.Choice(name, [plain(option) for option in options])
    if str(value) not in options:
        raise ValueError(
            f"The value of {name!r} must be one of {list(options)}. Received: {name}={value!r}. "
            "Were the values made for another space?"
        )
    return str(value)


def _plain(options: Sequence[str]) -> Callable[[str], Any]:
    """Options that are all numbers, such as sizes of a kernel, are so for a tuner, which then knows their order."""
    return int if all(option.isdecimal() and str(int(option)) == option for option in options) else str
