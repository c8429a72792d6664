import types
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tiny_space import images

from keras_dha import SearchModel
from keras_dha.costs import TrainingMemory
from keras_dha.derivation import FixedChooser
from keras_dha.recipes import darts, proxyless
from keras_dha.relaxations import SparseCode
from keras_dha.spaces import Choice, SearchSpace
from keras_dha.spaces.operations import relu_conv_bn
from keras_dha.tuners import PathController, Pruning, RadarsTuner, SpacePruning, radars_tuner


class Chain(SearchSpace):
    """Two choices between three convolutions, wide enough that tensors take more memory than graphs."""

    def build(self, choose: Any) -> keras.Model:
        x = inputs = keras.Input(self.input_shape)
        for name in NAMES:
            x = choose.op(name, {f"conv_{size}": lambda size=size: relu_conv_bn(16, size) for size in (1, 3, 5)})(x)
        return keras.Model(inputs, keras.layers.Dense(self.num_classes)(keras.layers.GlobalAveragePooling2D()(x)))


NAMES = ("first", "second")
QUICK = Pruning(samples=8, batch=4, min_spread=0.0, learning_rate=10.0)
BATCH = 1536


def tuner(budget: Any = "1TiB", **arguments: Any) -> RadarsTuner:
    defaults = {"bounds": "training", "pruning": QUICK, "seed": 0}
    return RadarsTuner(Chain((8, 8, 1), 3), budget, **{**defaults, **arguments})


def small_budget() -> int:
    """What two options of each choice take, after pruning."""
    return tuner().memory(BATCH, {name: ["conv_3", "conv_5"] for name in NAMES}, after_pruning=True)


@pytest.fixture(scope="module")
def searched() -> RadarsTuner:
    x, y = images(1600)
    # The first fit of a process takes more than such a small budget allows for: it comes before what is measured.
    SearchModel(Chain((8, 8, 1), 3), darts(), seed=0).fit(x, y, batch_size=BATCH, epochs=2, verbose=0)
    return tuner(small_budget()).search(x, y, batch_size=BATCH, epochs=2, warmup_steps=3, verbose=0)


def test_it_searches_what_is_left_and_nothing_else(searched: RadarsTuner) -> None:
    alive = searched.history["alive"]
    assert searched.model is not None
    places = [len(mixture.branches) for mixture in searched.model.supernet.mixtures]
    assert places == [len(alive[name]) for name in NAMES] == [2, 2]
    decisions = searched.decisions().validate(Chain((8, 8, 1), 3).choices())
    assert all(set(kept) <= set(alive[name]) for name, kept in decisions.items())


def test_the_history_says_what_was_predicted_and_measured(searched: RadarsTuner) -> None:
    history = searched.history
    predicted = history["predicted"]
    assert predicted["whole"] > history["budget"] >= predicted["supernet"]
    assert history["budget"] >= predicted["paths"]
    assert predicted["supernet"] == searched.memory(BATCH, history["alive"], after_pruning=True)
    assert predicted["supernet"] > searched.memory(BATCH, history["alive"])
    assert history["rounds"][-1]["memory"] == predicted["supernet"]
    assert 0 < history["measured"]["paths"] <= history["measured"]["supernet"]
    assert len(history["fit"]["loss"]) == 2
    assert history["fixed"] == 0


def test_the_network_that_is_derived_is_that_of_the_decisions(searched: RadarsTuner) -> None:
    x, y = images(64)
    derived = searched.derive()
    assert derived.evaluate(x, y, verbose=0, return_dict=True)["accuracy"] >= 0.0
    plain = Chain((8, 8, 1), 3).build(FixedChooser(searched.decisions()))
    assert derived.count_params() == plain.count_params()


def test_logits_start_at_the_probabilities_of_the_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    starts: dict[str, dict[str, np.ndarray]] = {}

    def only_look(model: Any, *args: Any, **kwargs: Any) -> None:
        starts[kind] = {name: part.logits.numpy() for name, part in model.supernet.relaxations.items()}
        raise KeyboardInterrupt

    def prune(self: RadarsTuner, rounds: SpacePruning, *args: Any) -> None:
        for name in NAMES:
            rounds.controller.logits[name][:] = np.log([1.0, 3.0, 2.0])
            rounds.controller.alive[name][1] = False
        monkeypatch.setattr(radars_tuner.SearchModel, "fit", only_look)

    monkeypatch.setattr(RadarsTuner, "_prune", prune)
    monkeypatch.setattr(RadarsTuner, "_check_peak", lambda *args: None)
    x, y = images(1600)
    for kind in ("probabilities", "zeros"):
        with pytest.raises(KeyboardInterrupt):
            tuner(small_budget(), start=kind).search(x, y, batch_size=BATCH)
    np.testing.assert_allclose(starts["probabilities"]["first"], np.log([1 / 3, 2 / 3]), rtol=1e-5)
    np.testing.assert_array_equal(starts["zeros"]["first"], [0.0, 0.0])


def test_what_fits_is_searched_at_once() -> None:
    x, y = images(1600)
    whole = tuner().search(x, y, batch_size=BATCH, epochs=1, verbose=0)
    assert whole.history["rounds"] == []
    assert [len(mixture.branches) for mixture in whole.model.supernet.mixtures] == [3, 3]
    assert "paths" not in whole.history["measured"]


def untouchable(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("nothing may be built")


def test_an_unreachable_budget_is_an_error_before_anything_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(radars_tuner, "PathModel", untouchable)
    monkeypatch.setattr(radars_tuner, "SearchModel", untouchable)
    x, y = images(1600)
    with pytest.raises(
        ValueError, match=r"Received: budget=80.0 MiB, the smallest space 1\d\d.\d MiB. Raise the budget"
    ):
        tuner("80MiB").search(x, y, batch_size=BATCH)
    with pytest.raises(ValueError, match=r"Received: budget=200.0 MiB, the smallest space [\d,]+.\d MiB"):
        tuner("200MiB", bounds="process").search(x, y, batch_size=BATCH)  # which holds more already


def test_one_network_with_the_weights_of_all_must_fit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(radars_tuner, "PathModel", untouchable)
    searching, memory = tuner(small_budget()), RadarsTuner.memory
    monkeypatch.setattr(
        RadarsTuner, "memory", lambda *args, paths="", **kwargs: 2**60 if paths == "one" else memory(*args)
    )
    x, y = images(1600)
    with pytest.raises(ValueError, match="must hold the weights of all options, and one network"):
        searching.search(x, y, batch_size=BATCH)


def test_a_supernet_that_does_not_fit_is_never_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RadarsTuner, "_prune", lambda *args: None)  # does not prune
    monkeypatch.setattr(RadarsTuner, "_check_peak", lambda *args: None)
    monkeypatch.setattr(radars_tuner, "SearchModel", untouchable)
    x, y = images(1600)
    with pytest.raises(RuntimeError, match="What is left must fit into the budget"):
        tuner(small_budget()).search(x, y, batch_size=BATCH)


def test_a_peak_above_the_budget_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    searching = tuner("100MiB")
    searching.history = {"measured": {}, "predicted": {"supernet": 2**20}}
    monkeypatch.setattr(radars_tuner, "peak_resident_bytes", lambda: 300 * 2**20)
    with pytest.warns(
        RuntimeWarning, match=r"peak of memory was 200.0 MiB, above the budget of 100.0 MiB; predicted was 1.0"
    ):
        searching._check_peak("supernet", 100 * 2**20)
    searching._check_peak("supernet", 200 * 2**20)  # no warning
    assert searching.history["measured"]["supernet"] == 100 * 2**20


def test_one_path_recipes_take_the_memory_of_one_path() -> None:
    assert tuner(recipe=proxyless()).memory(64) == tuner().memory(64, paths="one")
    own = TrainingMemory(Chain((8, 8, 1), 3)).of(64, paths="one")
    assert tuner(margin=0.0).memory(64, paths="one") == own.total + own.activations // 2  # freed memory is in pieces
    assert tuner(margin=0.5).memory(64) == pytest.approx(1.5 * tuner(margin=0.0).memory(64), abs=1)


def test_batches_are_counted_as_the_fit_will() -> None:
    import tensorflow as tf

    x, y = images(20)
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    assert [radars_tuner._batch_size(*given) for given in ((x, None), (x, 7), (batches, None))] == [20, 7, 8]
    assert radars_tuner._batch_size(images(64)[0], None) == 32


def test_results_need_a_search() -> None:
    for result in (tuner().decisions, tuner().derive):
        with pytest.raises(RuntimeError, match=r"There must have been a search. Received: none"):
            result()


def test_other_logits_must_start_at_zeros() -> None:
    choice = Choice("first", tuple("abcdefgh"))
    relaxation = SparseCode().for_choice(choice)
    relaxation.build()
    model = types.SimpleNamespace(choice_relaxations=[relaxation])
    with pytest.raises(ValueError, match=r"Received: SparseCode with logits of shape .* Give start='zeros'"):
        radars_tuner._start_at(model, PathController([choice]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": "2GB"}, "Received: memory_budget='2GB'"),
        ({"start": "random"}, "Received: start='random'"),
        ({"bounds": "device"}, "bounds='device'"),
        ({"margin": -0.1}, "margin=-0.1"),
        ({"recipe": darts(order=2)}, "Received: recipe 'darts' with architecture_loss='unrolled'"),
    ],
)
def test_arguments_must_be_known(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tuner(**arguments)


class KilledError(Exception):
    """In place of the end of a process."""


def test_a_search_that_ends_in_either_phase_goes_on(
    searched: RadarsTuner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    x, y = images(1600)

    def search(*callbacks: Any) -> RadarsTuner:
        arguments: dict[str, Any] = {"batch_size": BATCH, "epochs": 2, "warmup_steps": 3, "verbose": 0}
        return tuner(small_budget()).search(x, y, **arguments, backup=tmp_path / "kept", callbacks=list(callbacks))

    observe, observed = SpacePruning.observe, list[float]()

    def dying(self: SpacePruning, path: Any, reward: float) -> None:
        observed.append(reward)
        if len(observed) == 6:
            raise KilledError
        observe(self, path, reward)

    monkeypatch.setattr(SpacePruning, "observe", dying)
    with pytest.raises(KilledError):
        search()

    def die(epoch: int, logs: Any = None) -> None:
        if epoch == 1:
            raise KilledError

    with pytest.raises(KilledError):
        search(keras.callbacks.LambdaCallback(on_epoch_begin=die))
    rewards = len(observed)
    assert rewards - 1 == sum(record["samples"] for record in searched.history["rounds"])  # one was lost, and repeated
    found = search()
    assert len(observed) == rewards
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == [
        "pruned.json",
        "settings.json",
        "supernet.npz",
    ]
    assert found.history["rounds"] == searched.history["rounds"]
    assert set(found.history["measured"]) == {"paths", "supernet"}
    assert found.decisions() == searched.decisions()
    for a, b in zip(found.derive().get_weights(), searched.derive().get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"another seed than in .*settings\.json"):
        tuner(small_budget(), seed=1).search(x, y, batch_size=BATCH, warmup_steps=3, backup=tmp_path / "kept")
    (tmp_path / "kept" / "pruned.json").write_text('{"rounds": {}}')
    with pytest.raises(ValueError, match=r"whole files that a search wrote.*pruned\.json"):
        search()


def test_a_search_that_is_kept_has_a_seed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must have a seed"):
        tuner(seed=None).search(*images(8), backup=tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
