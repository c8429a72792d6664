import pytest

from keras_dha.evaluation import Group, best_practices, relative_improvement
from keras_dha.reports import accuracy_boxes, random_search_curve, render_evaluation


@pytest.fixture
def study():
    random, searched = Group("random", [0.5, 0.7]), Group("retrained", [0.75, 0.85])
    recipe = {way: searched.to_dict() for way in ("ready", "fine_tuned", "retrained")}
    recipe |= {"improvement": relative_improvement(searched, random).to_dict(), "ready_minus_random": 20.0}
    recipe |= {"seconds": 60.0, "random_seconds": 20.0, "supernet_tau": [0.5, None]}
    protocol = {"recipe": "dha", "tricks": True, "epochs": 2, "batch_size": 4, "seed": 0}
    return {
        "data": "digits",
        "space": "DARTSSpace",
        "num_random": 2,
        "seeds": [0, 1],
        "protocol": protocol,
        "random": random.to_dict(),
        "recipes": {"dha": recipe},
        "random_search": [0.6, 0.7],
        "training": {"best_minus_last": 0.01},
    }


def test_all_points_are_in_the_picture(study):
    axis = accuracy_boxes(study).axes[0]
    labels = [label.get_text() for label in axis.get_xticklabels()]
    assert labels == ["random", "dha\nready", "dha\nfine-tuned", "dha\nretrained"]
    points = [list(line.get_ydata()) for line in axis.lines if line.get_marker() == "o"]
    assert points == [[0.5, 0.7]] + [[0.75, 0.85]] * 3


def test_random_search_stands_beside_what_was_handed_over(study):
    axis = random_search_curve(study).axes[0]
    assert [list(line.get_ydata()) for line in axis.lines] == [[0.6, 0.7], [0.8, 0.8]]


def test_the_page_says_all_figures(study):
    study["again"] = {"group": study["random"], "tau": None, "mean_change": 0.01, "largest_change": 0.02}
    study["size"] = {"cells_3": {"group": study["random"]}}
    study["plain"] = {"random": study["random"], "improvement": {"dha": study["recipes"]["dha"]["improvement"]}}
    practices = [practice.to_dict() for practice in best_practices([study])]
    page = render_evaluation({"studies": [study], "practices": practices, "command": "<script>"})
    for text in (
        "+33.33 %",
        "60.00 ± 10.00",
        "+20.00",
        "0.50",
        "1 min 0 s",
        "cells 3",
        "no order",
        "at most 2.00",
        ">study<",
    ):
        assert text in page, text
    assert "<script" not in page


def test_a_page_of_nothing_is_still_a_page():
    assert "Is it better than chance?" in render_evaluation({})
