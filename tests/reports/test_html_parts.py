import pytest

from keras_dha.reports.html_parts import columns, document, duration, section


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(8.24, "8.2 s"), (59.99, "60.0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (119.7, "2 min 0 s")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_text_is_escaped_and_tables_have_headings():
    assert columns(["a", "<b>"], [["x", "1 < 2"]]).count("&lt;") == 2
    assert "<tr><th>x</th><td>1</td></tr>" in columns(["a", "b"], [["x", "1"]])


def test_an_empty_section_is_left_out():
    assert section("Title", "") == ""
    assert document("T", [("n", "v")], ["", section("S", "x")]).count("<section>") == 1
