"""Contract of spaces of several inputs: every option builds, under every chooser, for every kind of input."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from every_option import EveryOption, leaves

from keras_dha import spaces
from keras_dha.derivation import FixedChooser, inherit_weights
from keras_dha.relaxations import OneHotSample, Softmax
from keras_dha.spaces import Decisions, ImageSpace, MultimodalSpace, SearchSpace
from keras_dha.supernet import Supernet

ALL_KINDS = {"image": (6, 5, 1), "text": (7, 3), "table": (4,)}
SHAPES = {
    "image and table": {"image": (8, 8, 1), "table": (3,)},
    "two images": {"image": (1, 1), "audio": (8, 6, 2)},
    "all kinds": ALL_KINDS,
    "two tables": {"left": (2,), "right": (5,)},
    "sequence and table": {"text": (5, 2), "table": (1,)},
    "one image": {"image": (5, 5, 3)},
}
KINDS = {"text": "sequence"}
TWO = SHAPES["image and table"]


def small(shapes: Any = TWO, **changes: Any) -> MultimodalSpace:
    kinds = {name: kind for name, kind in KINDS.items() if name in shapes}
    return MultimodalSpace(shapes, 3, **{"kinds": kinds, "channels": 2, "stages": 2, "units": 4, **changes})


def examples(space: MultimodalSpace, number: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(3.0, 2.0, (number, *s)).astype("float32") for name, s in space.input_shapes.items()}


def decided(space: MultimodalSpace, **kept: str) -> Decisions:
    """The first option of each choice, or the one whose name ends so."""
    found = {}
    for choice in space.choices():
        wanted = kept.get(choice.name, choice.options[0])
        found[choice.name] = next(o for o in choice.options if wanted in (o, o.split("/", 1)[-1]))
    return Decisions(found).validate(space.choices())


def test_ready_made_spaces_are_of_images_or_of_several_inputs() -> None:
    of_models = {"GatedSpace", "ModelSpace", "RestrictedSpace", "SearchSpace", "ImageSpace"}
    listed = [name for name in spaces.__all__ if isinstance(getattr(spaces, name), type)]
    ready = [name for name in listed if issubclass(getattr(spaces, name), SearchSpace) and name not in of_models]
    others = [name for name in ready if not issubclass(getattr(spaces, name), ImageSpace)]
    assert others == ["DenseSpace", "MultimodalSpace"], "A space that is no ImageSpace needs a contract like this one."


@pytest.mark.parametrize("shapes", SHAPES)
def test_all_options_of_a_choice_give_one_shape(shapes: str) -> None:
    chooser, space = EveryOption(), small(SHAPES[shapes])
    space.build(chooser)
    assert len(chooser.shapes) >= len(chooser.choices) == len(space.choices())
    assert all(len(found) == 1 for found in chooser.shapes)
    assert all(choice.name.replace("_", "").isalnum() for choice in space.choices())
    assert all(len(choice.options) > 1 for choice in space.choices())


@pytest.mark.parametrize("shapes", SHAPES)
def test_a_random_network_trains(shapes: str) -> None:
    space = small(SHAPES[shapes], stages=1)
    x = examples(space)
    model = space.build(FixedChooser(space.random_decisions(seed=len(shapes)).validate(space.choices())))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
    model.fit(x, np.arange(6) % 3, verbose=0)
    assert np.isfinite(model(x)).all()


def test_choices_of_two_images() -> None:
    options = {c.name: c.options for c in small(SHAPES["two images"]).choices()}
    assert options["modalities"] == ("0/image+audio", "1/image", "2/audio")
    assert options["fusion_place"] == ("0/early", "1/stage_1", "2/late")
    assert options["fusion_operator"] == ("concat", "sum", "product", "gated")
    assert options["image_block_2"] == ("conv3_4", "conv3_8", "conv5_4", "conv5_8")
    assert options["audio_more_1"] == ("skip", "conv3_2", "conv3_4", "conv5_2", "conv5_4")


def test_all_subsets_of_three_can_be_read() -> None:
    options = {c.name: c.options for c in small(ALL_KINDS).choices()}["modalities"]
    assert [option.split("/")[1] for option in options] == [
        "image+text+table",
        *("image+text", "image+table", "text+table"),
        *("image", "text", "table"),
    ]


@pytest.mark.parametrize(("kept", "other"), [("image", "table"), ("table", "image")])
def test_a_network_of_one_modality_is_a_point_and_reads_no_other(kept: str, other: str) -> None:
    space = small()
    decisions = decided(space, modalities=kept)
    assert space.modalities_of(decisions) == (kept,)
    model = space.build(FixedChooser(decisions))
    x = examples(space)
    np.testing.assert_array_equal(model({**x, other: x[other] + 9.0}), model(x))
    alone = small(combinations=[[kept]])
    only = alone.build(FixedChooser({k: v for k, v in decisions.items() if k in dict(decided(alone))}))
    assert model.count_params() == only.count_params()


@pytest.mark.parametrize(
    ("place", "operator"),
    [("early", "concat"), ("stage_1", "sum"), ("late", "product"), ("late", "gated")],
)
def test_known_fusions_are_points_and_read_both(place: str, operator: str) -> None:
    space = small(channels=4, units=16)
    decisions = decided(space, modalities="image+table", fusion_place=place, fusion_operator=operator)
    assert space.modalities_of(decisions) == ("image", "table")
    model, x = space.build(FixedChooser(decisions)), examples(space)
    before = keras.ops.convert_to_numpy(model(x))
    for name in x:
        assert np.abs(model({**x, name: x[name][::-1]}) - before).max() > 0.0


def test_early_fusion_has_no_towers_of_its_own() -> None:
    space = small({"left": (2,), "right": (5,)}, stages=1)
    models = {
        place: space.build(FixedChooser(decided(space, modalities="left+right", fusion_place=place)))
        for place in ("early", "late")
    }
    dense = {place: sum(isinstance(layer, keras.layers.Dense) for layer in leaves(m)) for place, m in models.items()}
    # late: two towers of two, a vector of each, the operator, the logits; early: two parts, the operator, two, ...
    assert dense == {"late": 2 * 2 + 2 + 1 + 1, "early": 2 + 1 + 2 + 1 + 1}


def test_a_prior_of_capacity_begins_with_what_reads_most() -> None:
    supernet = Supernet(small(ALL_KINDS, stages=1), Softmax(capacity_prior=3.0))
    logits = np.asarray(supernet.relaxations["modalities"].logits)
    np.testing.assert_allclose(logits, [3.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0], rtol=1e-6)
    np.testing.assert_array_equal(supernet.relaxations["fusion_place"].logits, np.zeros(2))
    again = type(supernet.relaxations["modalities"]).from_config(supernet.relaxations["modalities"].get_config())
    assert again.choice == supernet.relaxations["modalities"].choice


def scrambled(supernet: Supernet, modalities: int) -> None:
    """Weights, moving statistics and logits that are nowhere what they are at the start, and which inputs are read."""
    rng = np.random.default_rng(modalities)
    for variable in supernet.network.weights:
        if variable.dtype == "float32" and "relaxation" not in variable.path:
            variable.assign(rng.uniform(0.2, 1.0, variable.shape))
    for relaxation in supernet.relaxations.values():
        relaxation.logits.assign(rng.normal(size=relaxation.logits.shape))
    supernet.relaxations["modalities"].logits.assign(5.0 * np.eye(3)[modalities])


@pytest.mark.parametrize(("shapes", "relaxation"), [("image and table", Softmax), ("sequence and table", OneHotSample)])
def test_settled_supernet_equals_the_derived_network(shapes: str, relaxation: Any) -> None:
    space = small(SHAPES[shapes], stages=1)
    supernet = Supernet(space, relaxation())
    x = examples(space)
    for modalities in range(3):
        scrambled(supernet, modalities)
        weights = supernet.network(x)[1]["modalities"]  # they compete; with a group each, all of them would be 1
        assert np.sum(weights) == pytest.approx(1.0)
        assert space.modalities_of(supernet.decisions()) == space.combinations[modalities]
        chooser = FixedChooser(supernet.decisions(), supernet.settled_weights())
        network = space.build(chooser)
        whole = chooser.whole(network)
        inherit_weights(supernet.network, supernet.kept_branches(), whole, chooser.branches, supernet.acting)
        supernet.settle()
        np.testing.assert_allclose(supernet.network(x)[0], network(x), rtol=1e-5, atol=1e-5)
        supernet.reopen()


def test_a_derived_model_is_stock_keras_and_can_be_saved(tmp_path: Path) -> None:
    space = small(ALL_KINDS)
    model = space.build(FixedChooser(decided(space, modalities="image+text+table", fusion_place="stage_1")))
    assert {type(layer).__module__.split(".")[0] for layer in leaves(model)} == {"keras"}
    assert "keras_dha" not in model.to_json()
    model.save(tmp_path / "model.keras")
    x = examples(space)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(x), model(x))
    assert list(loaded.input) == ["image", "text", "table"]


def test_a_network_in_mixed_precision() -> None:
    shapes = {"image": (4, 3), "table": (2,)}
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        space = small(shapes, stages=1)
        model = space.build(FixedChooser(decided(space, modalities="image+table")))
        assert np.isfinite(keras.ops.cast(model(examples(space)), "float32")).all()
    finally:
        keras.config.set_dtype_policy(before)


def test_same_seed_same_trials() -> None:
    space, again = small(), small()
    drawn = [space.random_decisions(seed=seed) for seed in range(12)]
    assert drawn == [again.random_decisions(seed=seed) for seed in range(12)]
    assert {space.modalities_of(decisions) for decisions in drawn} == {("image",), ("table",), ("image", "table")}


def test_config_and_back() -> None:
    space = small(ALL_KINDS, combinations=[["table", "image"], ["text"]])
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(space))
    assert copy.get_config() == space.get_config()
    assert copy.choices() == space.choices()
    assert space.combinations == (("image", "table"), ("text",))  # in the order of the modalities


def test_ranks_say_the_kind() -> None:
    space = MultimodalSpace({"a": (4, 4, 1), "b": (4, 4), "c": (4,)}, 2)
    assert space.kinds == {"a": "image", "b": "image", "c": "table"}


@pytest.mark.parametrize(
    ("shapes", "arguments", "message"),
    [
        ({}, {}, r"Received: input_shapes=\{\}"),
        ((28, 28, 1), {}, r"a dict of at least one modality .* Received: input_shapes=\(28, 28, 1\)"),
        ({"my image": (4, 4)}, {}, "identifier .* Received: 'my image'"),
        ({"joint_a": (4, 4)}, {}, "Received: 'joint_a'"),
        ({1: (4, 4)}, {}, "Received: 1"),
        ({"a": (4, 0)}, {}, r"positive integers. Received: a=\(4, 0\)"),
        ({"a": (None, 4)}, {}, r"Received: a=\(None, 4\)"),
        ({"a": (2, 2, 2, 2)}, {}, r"Received: a=\(2, 2, 2, 2\)"),
        ({"a": 4}, {}, "Received: a=4"),
        (TWO, {"kinds": {"sound": "image"}}, r"Received: kinds of \['sound'\], modalities \['image', 'table'\]"),
        (TWO, {"kinds": {"image": "video"}}, "Received: image='video'"),
        (TWO, {"kinds": {"table": "image"}}, r"'image' must have 2 or 3 sizes. Received: table=\(3,\)"),
        (TWO, {"combinations": [["sound"]]}, r"Received: combinations=\[\['sound'\]\]"),
        (TWO, {"combinations": []}, r"Received: combinations=\[\]"),
        (TWO, {"combinations": [["image"], ["image"]]}, "different lists"),
        (TWO, {"stages": 0}, "stages must be an integer, 1 or more. Received: stages=0"),
        (TWO, {"units": 2.0}, "Received: units=2.0"),
        (TWO, {"channels": True}, "Received: channels=True"),
    ],
)
def test_what_a_space_must_be_given(shapes: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MultimodalSpace(shapes, 3, **arguments)


def test_num_classes_must_be_positive() -> None:
    with pytest.raises(ValueError, match="num_classes=0"):
        MultimodalSpace(TWO, 0)


def test_channels_come_last() -> None:
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match=r"Received: keras.config.image_data_format\(\)='channels_first'"):
            small()
    finally:
        keras.config.set_image_data_format("channels_last")


def test_decisions_of_another_space_have_no_modalities_here() -> None:
    with pytest.raises(ValueError, match=r"unknown=\['edge'\]"):
        small().modalities_of({"edge": "conv"})


def test_a_tuner_can_answer_every_choice() -> None:
    keras_tuner = pytest.importorskip("keras_tuner")
    space, hp = small(), keras_tuner.HyperParameters()
    decisions = {choice.name: hp.Choice(choice.name, list(choice.options)) for choice in space.choices()}
    assert Decisions(decisions).validate(space.choices()) == decided(space)
    assert space.build(FixedChooser(decisions)).output_shape == (None, 3)
