import re

import pytest

from keras_dha.reports import render


def test_headline_shows_the_four_figures(record):
    page = render(record())
    for value, name in [
        ("87.50 %", "test accuracy"),
        ("12,345", "parameters"),
        ("2 min 5 s", "wall time"),
        ("7", "seed"),
    ]:
        assert f"<b>{value}</b><span>{name}</span>" in page


def test_page_is_self_contained(record):
    page = render(record())
    assert all(source.startswith("data:") for source in re.findall(r'src="([^"]*)"', page))
    assert page.count("<img") == 6
    assert "<script" not in page
    assert not re.search(r"(href|url\()", page)


def test_every_picture_says_what_it_shows(record):
    assert all(re.findall(r'<img [^>]*alt="([^"]*)"', render(record())))


def test_what_comes_from_the_user_is_escaped(record):
    evil = "<script>alert(1)</script>"
    result = {**record().result, "command": evil, "data": {**record().result["data"], "name": evil}}
    samples = {**record().samples, "labels": [evil, "one"]}
    kept = {evil: [evil]}
    page = render(record(result=result, samples=samples, decisions=kept, probabilities={evil: {evil: 1.0}}))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 5


def test_another_space_gets_a_table(record):
    page = render(record(decisions={"stage_0": ["conv5"]}, probabilities={}))
    assert "<th>stage_0</th><td>conv5</td>" in page
    assert "How sure the search was" not in page


def test_sizes_are_not_counted_like_operations(record):
    assert "Kept operations" in render(record())
    page = render(record(decisions={"layer_0_kernel": ["5"], "layer_0_expansion": ["6"]}))
    assert "Kept operations" not in page
    assert "<th>layer_0_kernel</th><td>5</td>" in page


def test_channels_are_counted_and_not_named(record):
    gates = {"conv": {str(i): 1 / 512 for i in range(512)}, "kind": {"a": 1.0, "b": 0.0}}
    kept = {"conv": [str(i) for i in range(0, 512, 2)], "kind": ["a"]}
    page = render(record(decisions=kept, probabilities=gates))
    assert "<th>conv</th><td>256 of 512 kept</td>" in page
    assert "<th>kind</th><td>a</td>" in page
    assert "0.000 at the end (1: undecided" in page  # of the named options; many open gates are not undecided
    assert len(page) < len(render(record()))


def test_many_kept_options_of_which_no_probability_is_known_are_named(record):
    kept = {"conv": [f"channel{i}" for i in range(20)]}
    assert "channel0, channel1" in render(record(decisions=kept, probabilities={}))
    with pytest.raises(ValueError, match="Received: "):  # a distribution over nothing
        render(record(decisions=kept, probabilities={"conv": {}}))


def test_costs_are_in_the_summary(record):
    costs = {"multiply_adds": 1234567, "model_bytes": 4000, "predicted_ms": 0.125}
    page = render(record(result={**record().result, "costs": costs}))
    assert "1,234,567 multiply-adds, 4,000 bytes of weights, 0.125 ms by the table" in page


def test_parts_that_were_switched_off_are_left_out(record):
    page = render(record(policy_before=None, policy_after=None, samples={}))
    assert "Augmentation policy" not in page
    assert "Augmented samples" not in page


def test_a_run_without_anything_still_has_a_page():
    from keras_dha.reports import RunRecord

    assert "not measured" in render(RunRecord({}))
