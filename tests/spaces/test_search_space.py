import collections
import itertools
import math
from typing import Any

import keras
import numpy as np
import pytest

from keras_dha.spaces import Choice, Chooser, DARTSSpace, Decisions, NASBench201Space, SearchSpace


def conv(channels: int) -> Any:
    return lambda: keras.layers.Conv2D(channels, 1, use_bias=False)


class TinySpace(SearchSpace):
    """One operation asked at two places, then a node over three tensors."""

    def build(self, choose: Chooser) -> keras.Model:
        inputs = keras.Input(self.input_shape)
        options = {"conv": conv(1), "double": lambda: lambda x: keras.layers.Rescaling(2.0)(x)}  # a layer, a function
        x = choose.op("edge", options)(inputs)
        y = choose.op("edge", options)(x)
        candidates = {"none": lambda i: keras.layers.Rescaling(0.0), "skip": lambda i: keras.layers.Identity()}
        candidates["double"] = lambda i: keras.layers.Rescaling(2.0)
        x = choose.node("sum", candidates, keep=2, excluded=("none",))([inputs, x, y])
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(inputs, keras.layers.Dense(self.num_classes)(x))


def num_answers(choice: Choice) -> int:
    """In how many ways a choice can be answered: pick groups, then one allowed option of each."""
    allowed = collections.Counter(g for g, ok in zip(choice.group_numbers, choice.allowed) if ok)
    return sum(math.prod(allowed[g] for g in groups) for groups in itertools.combinations(allowed, choice.keep))


def test_choices_in_the_order_of_asking() -> None:
    space = TinySpace((4, 4, 1), 2)
    assert [choice.name for choice in space.choices()] == ["edge", "sum"]
    assert space.choices() is space.choices()


def test_number_of_answers() -> None:
    edge, node = TinySpace((4, 4, 1), 2).choices()
    assert num_answers(edge) == 2
    assert num_answers(node) == 3 * 2 * 2  # pairs of inputs, times operations of each


def test_nas_bench_201_has_15625_networks() -> None:
    space = NASBench201Space((4, 4, 1), 2, channels=1, cells_per_stage=1)
    assert math.prod(num_answers(choice) for choice in space.choices()) == 5**6 == 15_625


def test_darts_has_a_billion_cells_of_each_kind() -> None:
    choices = DARTSSpace((4, 4, 1), 2, channels=1, cells=3).choices()
    for kind in ("normal", "reduce"):
        answers = [num_answers(choice) for choice in choices if choice.name.startswith(kind)]
        assert answers == [math.comb(n, 2) * 7**2 for n in (2, 3, 4, 5)]
        assert math.prod(answers) == 1_037_664_180


def test_random_decisions_are_valid_and_repeatable() -> None:
    space = TinySpace((4, 4, 1), 2)
    drawn = [space.random_decisions(seed=seed).validate(space.choices()) for seed in range(5)]
    assert drawn == [space.random_decisions(seed=seed) for seed in range(5)]
    assert any(decisions != drawn[0] for decisions in drawn)


def test_random_decisions_are_uniform(monkeypatch: pytest.MonkeyPatch) -> None:
    space = TinySpace((4, 4, 1), 2)
    choices = space.choices()
    monkeypatch.setattr(space, "choices", lambda: choices)
    drawn = collections.Counter(space.random_decisions(seed=seed)["sum"] for seed in range(1200))
    assert len(drawn) == 12
    # 100 expected of each, standard deviation below 10: six of them fail in less than one of 10^7 choices of seeds.
    assert all(40 <= count <= 160 for count in drawn.values())


def test_random_sets_of_an_open_number_are_uniform(monkeypatch: pytest.MonkeyPatch) -> None:
    space = TinySpace((4, 4, 1), 2)
    options = tuple(f"{i}/{op}" for i in range(4) for op in ("none", "conv"))
    groups = (0, 0, 1, 1, 2, 2, 3, 3)
    # Input 3 can only be `none`, which is never kept.
    excluded = (*options[::2], "3/conv")
    choice = Choice("sum", options, keep=2, groups=groups, excluded=excluded, at_least=1)
    monkeypatch.setattr(space, "choices", lambda: [choice])
    drawn = [space.random_decisions(seed=seed).validate([choice])["sum"] for seed in range(600)]
    counts = collections.Counter(drawn)
    assert len(counts) == 6  # three single inputs, three pairs
    assert all(50 <= count <= 150 for count in counts.values())


def test_config_and_back() -> None:
    space = TinySpace.from_config(TinySpace(np.array([4, 4, 1]).tolist(), np.int64(2)).get_config())
    assert space.get_config() == {"input_shape": [4, 4, 1], "num_classes": 2}


@pytest.mark.parametrize("shape", [4, (4, 0, 1), (None, None, 1), (4, 4.0, 1)])
def test_input_shape_must_be_positive_integers(shape: Any) -> None:
    with pytest.raises(ValueError, match="positive integers") as error:
        TinySpace(shape, 2)
    assert f"Received: input_shape={shape}, num_classes=2" in str(error.value)


@pytest.mark.parametrize("num_classes", [0, -1, 2.0, None])
def test_num_classes_must_be_a_positive_integer(num_classes: Any) -> None:
    with pytest.raises(ValueError, match=f"num_classes={num_classes}"):
        TinySpace((4, 4, 1), num_classes)


def test_decisions_of_another_space_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"missing=\['edge', 'sum'\], unknown=\['other'\]"):
        Decisions({"other": "conv"}).validate(TinySpace((4, 4, 1), 2).choices())
