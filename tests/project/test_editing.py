from collections.abc import Callable

import pytest

from genpipe.errors import ConfigError, GenpipeError
from genpipe.project.editing import items, put, rename, source, take, word

TEXT = """\
# head
train:
  steps: 3000      # how long — in updates
  lr: 1.0e-3 # rate
  none:
optim: {}  # nothing
model: {a: 1,   b: [1, 2]} # flow

# tail
"""


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        ("train.steps", "5", "  steps: 3000      # how", "  steps: 5         # how"),
        ("train.steps", "1234567890123", "  steps: 3000      # how", "  steps: 1234567890123 # how"),
        ("train.lr", "2e-4", "  lr: 1.0e-3 # rate", "  lr: 2e-4   # rate"),
        ("train.none", "7", "  none:\n", "  none: 7\n"),
        ("train.more", "[1, 2]", "  none:\n", "  none:\n  more: [1, 2]\n"),
        ("train.lr", "", "1.0e-3 #", "null   #"),
        ("train.lr", "'a: b # c'", "1.0e-3 #", "'a: b # c' #"),
        ("optim.g", "{lr: 1}", "optim: {}  # nothing", "optim:  # nothing\n  g: {lr: 1}"),
        ("model.c", "x", "b: [1, 2]}", "b: [1, 2], c: x}"),
        ("model.a", "x, y: 2", "a: 1,   b", 'a: {"x, y": 2},   b'),
        ("train.deep.er", "[1, 2]", "  none:\n", "  none:\n  deep: {er: [1, 2]}\n"),
        ("optim.g.lr", "1", "optim: {}  # nothing", "optim:  # nothing\n  g: {lr: 1}"),
        ("model.c.d.e", "a, b", "b: [1, 2]}", 'b: [1, 2], c: {d: {e: "a, b"}}}'),
        ("model", "3", "{a: 1,   b: [1, 2]} #", "3                   #"),
    ],
)
def test_one_place_changes_and_every_other_byte_stays(path: str, value: str, old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    assert put(TEXT, tuple(path.split(".")), value) == TEXT.replace(old, new)


def test_a_block_of_lines_is_replaced_as_a_whole() -> None:
    text = "a:\n  b:\n    c: 1\n    d: 2 # two\n  # end\ne: 1\n"
    assert put(text, ("a", "b"), "{}").split() == ["a:", "b:", "{}", "#", "two", "#", "end", "e:", "1"]


def test_an_empty_mapping_within_a_line_stays_there() -> None:
    assert put("a: {b: {}, c: 1} # d\n", ("a", "b", "e"), "2") == "a: {b: {e: 2}, c: 1} # d\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_stay(newline: str) -> None:
    text = newline.join(["a:", "    b: {x: 1}", "c: 1", ""])
    assert put(text, ("a", "d"), "2") == newline.join(["a:", "    b: {x: 1}", "    d: 2", "c: 1", ""])


def test_a_last_line_without_an_end_is_ended() -> None:
    assert put("a:\n  b: 1", ("a", "c"), "2") == "a:\n  b: 1\n  c: 2"


def test_what_an_anchor_shares_is_not_changed_by_accident() -> None:
    with pytest.raises(GenpipeError, match="by hand"):
        put("a: &x {z: 1}\nb: *x\n", ("b", "z"), "2")


def test_a_value_that_is_no_yaml_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"value of train\.steps"):
        put(TEXT, ("train", "steps"), "[1")


def test_source_gives_what_was_typed() -> None:
    assert source(TEXT, ("train", "lr")) == "1.0e-3"
    assert source(TEXT, ("model",)) == "{a: 1,   b: [1, 2]}"


@pytest.mark.parametrize(("text", "written"), [("vae", "vae"), ("1", '"1"'), ("true", '"true"'), ("1e3", '"1e3"')])
def test_words_that_look_like_something_else_are_quoted(text: str, written: str) -> None:
    assert word(text) == written


@pytest.mark.parametrize(
    ("text", "key", "rest"),
    [
        ("a: # why\n  x: 1 # gone\n  # of y\n  y: 2\n# end\n", "x", "a: # why\n  # of y\n  y: 2\n# end\n"),
        ("a:\n  x:\n    q: 1\n    r:\n  y: 2", "x", "a:\n  y: 2"),
        ("a:\r\n  y: 2\r\n  x: 1\r\nb: 1\r\n", "x", "a:\r\n  y: 2\r\nb: 1\r\n"),
        ("a: {x: 1, y: {z: 2},  w: 3} # c\n", "x", "a: {y: {z: 2},  w: 3} # c\n"),
        ("a: {w: 3,  x: {z: 2}} # c\n", "x", "a: {w: 3} # c\n"),
        ("a: {x: 1}\nb: 2\n", "x", "a: {}\nb: 2\n"),
        ("a: # e.g. {a: b}:\n  # first\n  x: 1\n\nb: 2\n", "x", "a: {} # e.g. {a: b}:\n  # first\n\nb: 2\n"),
    ],
)
def test_an_entry_is_taken_out_and_every_other_byte_stays(text: str, key: str, rest: str) -> None:
    assert take(text, ("a", key)) == rest


def test_an_entry_is_renamed_where_it_stands() -> None:
    text = "a:\n  x:   {z: 1} # one\n  y: 2\n"
    assert rename(text, ("a", "x"), "1") == 'a:\n  "1":   {z: 1} # one\n  y: 2\n'


@pytest.mark.parametrize("edit", [take, lambda text, path: rename(text, path, "z")])
def test_what_others_refer_to_is_neither_taken_nor_renamed(edit: Callable[..., str]) -> None:
    with pytest.raises(GenpipeError, match="by hand"):
        edit("a: {x: &one 1}\nb: *one\nc: &a {x: 1}\nd: *a\n", ("d", "x"))
    assert edit("a: {x: 1, y: 2}\n", ("a", "y")) in {"a: {x: 1}\n", "a: {x: 1, z: 2}\n"}


def test_items_are_given_as_they_are_written() -> None:
    assert items("[16,32],[3], 1.0e-3, 'a,b'", "--grid") == ["[16,32]", "[3]", "1.0e-3", "'a,b'"]


@pytest.mark.parametrize("text", ["1], b: [2", "1,,2", "[1", "a: {"])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--grid"):
        items(text, "--grid")
