import sys

import numpy as np
import pytest

from keras_dha import reports
from keras_dha.reports.architecture import _conflict, _sides
from keras_dha.reports.cell_graph import CellGraph
from keras_dha.reports.curves import settle_start
from keras_dha.reports.figure import image_tag
from keras_dha.reports.policy import top_pairs


def texts(axis):
    return [text.get_text() for text in axis.texts]


def test_architecture_shows_every_operation(decisions):
    (axis,) = reports.architecture_figure(decisions).axes
    assert {"input", "output", "nor_conv_3x3", "skip_connect", "none"} <= set(texts(axis))


def test_architecture_of_another_space_is_no_picture():
    assert reports.architecture_figure({"stage_0": ["conv"]}) is None


def test_arcs_that_would_cross_go_to_different_sides():
    graph = CellGraph("cell", ("input", "1", "2", "output"), ((0, 2, "a"), (1, 3, "b"), (0, 1, "c")))
    sides = _sides(graph)
    assert sides[0] == -sides[1] != 0
    assert sides[2] == 0


@pytest.mark.parametrize(
    ("one", "other", "cost"), [((0, 2), (1, 3), 2), ((0, 3), (1, 2), 1), ((0, 3), (0, 2), 0), ((0, 1), (2, 3), 0)]
)
def test_conflict_of_two_arcs(one, other, cost):
    assert _conflict(one, other) == _conflict(other, one) == cost


def test_learning_curves_show_what_was_logged(record):
    loss, accuracy = reports.learning_curves(record().history).axes
    assert [line.get_label() for line in loss.lines[:2]] == ["training", "held-out"]
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), [2.0, 1.0, 0.5])
    np.testing.assert_array_equal(loss.lines[0].get_xdata(), [1, 2, 3])
    assert [text.get_text() for text in accuracy.get_legend().get_texts()] == ["training"]
    assert texts(loss) == ["search", "settle"]


def test_rates_are_on_a_log_scale_with_plain_numbers(record):
    rate, decay = reports.rate_curves(record().history).axes
    assert rate.get_yscale() == decay.get_yscale() == "log"
    assert rate.yaxis.get_major_formatter()(0.05) == "0.05"


def test_a_decay_of_zero_is_drawn_on_a_linear_scale(record):
    history = {**record().history, "weight_decay": np.zeros(3)}
    assert reports.rate_curves(history).axes[1].get_yscale() == "linear"


@pytest.mark.parametrize("draw", [reports.learning_curves, reports.rate_curves, reports.entropy_curves])
def test_curves_without_numbers_are_no_picture(draw):
    assert draw({}) is None
    assert draw({"loss": np.array([np.nan]), "entropy": np.array([np.nan])}) is None


def test_settle_start_counts_from_1(record):
    assert settle_start(record().history) == 3
    assert settle_start({"phase": np.array([0.0, 0.0])}) is None
    assert settle_start({}) is None


def test_policy_maps_compare_with_the_uniform_policy_on_one_scale(record):
    run = record()
    before, after, bar = reports.policy_maps(run.policy_before, run.policy_after).axes
    np.testing.assert_allclose(before.images[0].get_array(), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.exp(after.images[0].get_array()), [[0.4, 0.8], [1.2, 1.6]])
    assert before.images[0].get_clim() == after.images[0].get_clim()
    assert [label.get_text() for label in after.get_xticklabels()] == ["Rotate", "Color"]
    assert "uniform" in bar.get_ylabel()


def test_a_policy_that_hardly_moved_looks_so(record):
    moved = {"operations": ["a", "b"], "probabilities": [[0.25, 0.2501], [0.2499, 0.25]]}
    low, high = reports.policy_maps(None, moved).axes[0].images[0].get_clim()
    assert (low, high) == pytest.approx((-np.log(1.05), np.log(1.05)))


def test_no_policy_is_no_picture():
    assert reports.policy_maps(None, None) is None
    assert reports.policy_maps({}, {"operations": ["a"], "probabilities": [0.5, 0.5]}) is None


def test_top_pairs_name_first_and_second(record):
    assert top_pairs(record().policy_after, 2) == [("Color", "Color", 0.4), ("Color", "Rotate", 0.3)]
    assert top_pairs(None) == []


def test_contact_sheet_has_originals_above_augmented_images(record):
    axes = reports.contact_sheet(record().samples).axes
    assert len(axes) == 2 * (1 + 3)
    assert axes[0].get_title() == "zero"
    assert axes[0].images[0].get_array().max() == 0
    assert axes[2].images[0].get_array().min() == 255


def test_contact_sheet_shows_colour(record):
    samples = {"originals": np.zeros((1, 4, 6, 3), np.uint8), "augmented": np.zeros((1, 2, 4, 6, 3), np.uint8)}
    assert reports.contact_sheet(samples).axes[0].images[0].get_array().shape == (4, 6, 3)
    assert reports.contact_sheet({}) is None


def test_a_policy_sheet_shows_what_a_policy_makes_of_images():
    images = np.full((3, 4, 6, 3), 64, np.uint8)
    axes = reports.policy_sheet(lambda x, training: 255 - x, images, labels=[7, 8, 9], versions=2).axes
    assert len(axes) == 3 * (1 + 2)
    assert axes[1].get_title() == "8"
    assert (axes[0].images[0].get_array() == 64).all()
    assert (axes[3].images[0].get_array() == 191).all()
    floats = reports.policy_sheet(lambda x, training: 1 - x, images / np.float32(255)).axes
    assert (floats[3].images[0].get_array() == 191).all()
    with pytest.raises(ValueError, match=r"Received: shape=\(4, 6, 3\), versions=4"):
        reports.policy_sheet(lambda x, training: x, images[0])


def test_a_dollar_in_a_class_name_is_no_formula(record):
    samples = {**record().samples, "labels": np.array(["$\\frac$", "$"])}
    assert "data:image/svg+xml" in image_tag(reports.contact_sheet(samples), "samples")


def test_pictures_leave_the_callers_style_alone(record):
    matplotlib = pytest.importorskip("matplotlib")
    before = dict(matplotlib.rcParams)
    reports.learning_curves(record().history)
    assert dict(matplotlib.rcParams) == before


def test_the_same_picture_twice_is_the_same_text(record):
    first, second = (image_tag(reports.learning_curves(record().history), "curves") for _ in range(2))
    assert first == second


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch, record):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(reports.ReportUnavailableError, match=r"pip install \"keras-dha\[report\]\""):
        reports.learning_curves(record().history)


def test_probability_bars_mark_the_kept_and_escape_names():
    bars = reports.probability_bars({"a<b": {"x": 0.25, "y&z": 0.75}}, {"a<b": ["y&z"]})
    assert "a&lt;b" in bars
    assert bars.index("y&amp;z") < bars.index(">x<")
    assert bars.count("bar kept") == 1
    assert "H = 0.81" in bars


def test_probability_bars_leave_out_the_improbable_but_not_the_kept():
    options = {f"o{i}": (0.9 if i == 0 else 0.0125) for i in range(9)}
    bars = reports.probability_bars({"node": options}, {"node": ["o0", "o8"]})
    assert bars.count('class="bar') == 7
    assert "o8" in bars
    assert "and 2 more, 0.03 in all" in bars or "and 2 more, 0.02 in all" in bars
    assert reports.probability_bars({}, {}) == ""


def test_a_width_of_hundreds_of_channels_is_one_bar():
    options = {str(i): 1 / 256 for i in range(256)}
    bars = reports.probability_bars({"conv": options}, {"conv": [str(i) for i in range(64)]})
    assert bars.count('class="bar') == 1
    assert "64 of 256 kept" in bars
    assert "width:25.0%" in bars
