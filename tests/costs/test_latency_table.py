import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import pytest
from tiny_space import TinySpace

from keras_dha.costs import LatencyTable, Timing, latency_table, parts
from keras_dha.costs.covering import combinations_of_blocks, extreme_decisions, network, networks_with_all_options
from keras_dha.derivation import on_raw_inputs
from keras_dha.layers import ImageScaling
from keras_dha.spaces import Choice, DARTSSpace, GatedSpace, SearchSpace

IDLE, PER_LAYER = 0.5, 0.25


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Models take 0.5 ms a call and 0.25 ms a layer with weights, 0.125 ms another; whole networks twice as long."""
    measured: list[int] = []

    def stub(models: Sequence[keras.Model], **_: Any) -> list[Timing]:
        measured.append(len(models))
        networks = len(measured) % 2 == 0  # parts first, then whole networks
        return [Timing(IDLE + (2.0 if networks else 1.0) * work(model), 0.01) for model in models]

    monkeypatch.setattr(latency_table, "milliseconds_of", stub)
    return measured


def work(model: keras.Model) -> float:
    if [type(layer) for layer in model.layers[1:]] == [keras.layers.Rescaling]:
        return 0.0
    return sum(sum(PER_LAYER if call.layer.weights else PER_LAYER / 2 for call in part.steps) for part in parts(model))


def test_every_network_of_a_space_is_predicted_after_measuring_few(timed: list[int]) -> None:
    space = TinySpace()
    told: list[str] = []
    table = LatencyTable.measure(space, progress=told.append)
    assert timed[1] == 10
    assert len(told) == 3
    assert (table.runtime, table.overhead_ms) == ("litert", IDLE)
    assert table.scale == pytest.approx(2.0)
    assert table.median_error == pytest.approx(0.0)
    for edge in ("conv", "point", "skip"):
        for node in ("0/skip", "0/conv", "1/skip", "1/conv"):
            decisions = {"edge": edge, "node": node}
            expected = IDLE + 2.0 * work(network(space, decisions))
            assert table.predict_decisions(space, decisions) == pytest.approx(expected)
    assert table.largest(space) == pytest.approx(table.predict_decisions(space, {"edge": "conv", "node": "1/conv"}))
    assert table.agreement[-1][0] == pytest.approx(table.largest(space))


class SharingSpace(SearchSpace):
    """Whether the ReLU behind the stem is fused into it depends on both choices."""

    def build(self, choose: Any) -> keras.Model:
        inputs = keras.Input(self.input_shape)
        x = keras.layers.Dense(3)(inputs)
        options = {"skip": keras.layers.Identity}
        options |= {f"dense{n}": lambda n=n: lambda x: keras.layers.Dense(3)(keras.layers.ReLU()(x)) for n in (1, 2)}
        return keras.Model(inputs, keras.layers.Add()([choose.op(name, options)(x) for name in ("a", "b")]))


def test_parts_whose_fusion_depends_on_several_choices_are_all_there(timed: list[int]) -> None:
    space = SharingSpace((3,), 3)
    table = LatencyTable.measure(space)
    found = [
        part.name
        for a in ("skip", "dense1")
        for b in ("skip", "dense2")
        for part in parts(network(space, {"a": a, "b": b}))
        if table.predict_decisions(space, {"a": a, "b": b}) > IDLE
    ]
    assert {"Dense on (3,)", "ReLU on (3,)", "Dense + ReLU on (3,)"} < set(found)


@pytest.mark.parametrize(
    ("means", "stds"), [((0.5,) * 3, (0.25,) * 3), ((0.0,) * 3, (1.0,) * 3), ((1, 2, 3), (4, 5, 6))]
)
def test_a_derived_network_is_predicted_behind_its_scaling(timed: list[int], means: Any, stds: Any) -> None:
    space = TinySpace((8, 8, 3))
    table = LatencyTable.measure(space)
    plain = network(space, space.random_decisions(seed=1))
    scaling = ImageScaling(3)
    scaling.adapt(0.0, 1.0, means, stds)
    scaled = on_raw_inputs(plain, scaling.as_rescaling(8))
    assert table.predict(plain) <= table.predict(scaled) < table.predict(plain) + 1.0


def dense(units: int, *others: keras.layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(units), *others])


def table_of(model: keras.Model, **others: Any) -> LatencyTable:
    return LatencyTable({part.key: 2.0 for part in parts(model)}, runtime="litert", **others)


def test_predicted_is_overhead_and_the_scaled_sum_of_parts() -> None:
    model = dense(4, keras.layers.ReLU(), keras.layers.Softmax())
    assert table_of(model, overhead_ms=0.5, scale=1.5).predict(model) == 0.5 + 1.5 * (2.0 + 2.0)


def test_a_fused_part_without_an_entry_is_the_sum_of_its_pieces() -> None:
    fused = dense(4, keras.layers.ReLU())
    (part,) = parts(fused)
    pieces = {piece.key: ms for piece, ms in zip(part.split(), (2.0, 0.25))}
    assert LatencyTable(pieces, runtime="litert").predict(fused) == 2.25


def test_an_unknown_part_is_an_error_that_names_it_and_never_0_ms() -> None:
    with pytest.raises(ValueError, match=r"\['Dense on \(3,\)'\] are not among 1 entries. Measure"):
        table_of(dense(4)).predict(dense(5))


def test_a_saved_table_is_the_same_again(tmp_path: Path) -> None:
    table = table_of(dense(4), overhead_ms=0.5, scale=1.5, device="d", agreement=[(1.0, 1.1)], versions={"keras": "3"})
    table.save(tmp_path / "table.json")
    again = LatencyTable.load(tmp_path / "table.json")
    assert again.get_config() == table.get_config()
    assert again.predict(dense(4)) == table.predict(dense(4))
    assert again.median_error == pytest.approx(1.0 - 1.0 / 1.1)
    serialized = json.loads(json.dumps(keras.saving.serialize_keras_object(table)))
    assert keras.saving.deserialize_keras_object(serialized).get_config() == table.get_config()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"format": "other"}, "Received: 'other'"),
        ({"runtime": "tpu"}, "Received: runtime='tpu'"),
        ({"scale": 0.0}, "scale must be a finite number, and positive. Received: 0.0"),
        ({"overhead_ms": -1.0}, "overhead_ms must be a finite number, and not negative. Received: -1.0"),
        ({"entries": {"a": [float("nan"), 0.0]}}, "The time of the part a must be .* Received: nan"),
        ({"entries": {"a": [0.0, 0.0]}}, "positive. Received: 0.0"),
        ({"entries": {"a": ["1", 0.0]}}, "Received: '1'"),
        ({"entries": [1.0]}, r"must have entries of \[ms, spread\]"),
        ({"entries": {"a": 1.0}}, r"must have entries of \[ms, spread\]"),
        ({"agreement": [[1.0, "x"]]}, "could not convert"),
        ({"more": 1}, "unexpected keyword argument 'more'"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, change: dict[str, Any], match: str) -> None:
    path = tmp_path / "table.json"
    path.write_text(json.dumps({**table_of(dense(4)).get_config(), **change}))
    with pytest.raises(ValueError, match=match):
        LatencyTable.load(path)


@pytest.mark.parametrize("text", ["", "[1]", '{"runtime": "litert"}'])
def test_what_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "table.json").write_text(text)
    with pytest.raises(ValueError, match="Write it with"):
        LatencyTable.load(tmp_path / "table.json")


class Blocks(SearchSpace):
    """Two choices whose costs depend on each other, one alone, and one that keeps two."""

    def choices(self) -> tuple[Choice, ...]:
        return (
            Choice("a", ("1", "2"), excluded=("2",)),
            Choice("b", ("1", "2", "3")),
            Choice("c", ("1", "2")),
            Choice("d", ("0/x", "0/y", "1/x", "1/y"), keep=2, groups=(0, 0, 1, 1)),
        )

    def cost_blocks(self) -> tuple[tuple[str, ...], ...]:
        return (("b", "c"), ("a",))

    def build(self, choose: Any) -> keras.Model:
        raise NotImplementedError


def test_few_networks_have_all_combinations_of_each_block() -> None:
    space = Blocks((1,), 1)
    found = [decisions.validate(space.choices()) for decisions in networks_with_all_options(space)]
    assert len(found) == 6
    assert len({(decisions["b"], decisions["c"]) for decisions in found}) == 6
    assert {option for decisions in found for option in decisions["d"]} == set(space.choices()[3].options)
    assert [len(block) for block in combinations_of_blocks(space)][:2] == [6, 1]


@pytest.mark.parametrize(
    "space",
    [
        DARTSSpace((8, 8, 1), 2, channels=2, cells=3),
        GatedSpace(keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(2)])),
    ],
    ids=["DARTSSpace", "GatedSpace"],
)
def test_options_of_choices_that_keep_several_are_all_in_one_network(space: SearchSpace) -> None:
    found = [decisions.validate(space.choices()) for decisions in networks_with_all_options(space)]
    for choice in space.choices():
        kept = {option for decisions in found for option in decisions[choice.name]}
        assert kept == {option for option, may in zip(choice.options, choice.allowed) if may}


class RowSpace(SearchSpace):
    """Two layers, of one to three units."""

    def build(self, choose: Any) -> keras.Model:
        inputs = keras.Input(self.input_shape)
        options = {str(n): lambda n=n: lambda x: keras.layers.Dense(3)(keras.layers.Dense(n)(x)) for n in (2, 1, 3)}
        return keras.Model(inputs, choose.op("b", options)(choose.op("a", options)(inputs)))


def test_the_extremes_are_found_block_by_block() -> None:
    calls: list[int] = []

    def cost(model: keras.Model) -> float:
        calls.append(model.count_params())
        return float(calls[-1])

    least, most = extreme_decisions(RowSpace((3,), 3), cost)
    assert (dict(least), dict(most)) == ({"a": ("1",), "b": ("1",)}, {"a": ("3",), "b": ("3",)})
    assert len(calls) == 6
