from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from genpipe.config import document
from genpipe.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1.0e-4", 1e-4),
        (".5", 0.5),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("~", None),
        ("", None),
        ("0o17", 15),
        ("017", 17),
        ("0x1F", 31),
        ("-3", -3),
        ("+3", 3),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"),
        ("[1, a, 2.5]", [1, "a", 2.5]),
    ],
)
def test_scalars_are_read_by_the_rules_of_yaml_1_2(text: str, value: object) -> None:
    read = document.parse(text).value
    assert read == value
    assert type(read) is type(value)


@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.booleans()))
def test_numbers_are_read_as_the_editor_of_files_reads_them(number: object) -> None:
    text = f"a: {str(number).lower() if isinstance(number, bool) else number}"
    assert document.parse(text).value == YAML(typ="safe", pure=True).load(text)


def test_every_key_has_its_line() -> None:
    read = document.parse("a:\n  b: 1\n  c:\n    - x\n    - y: 2\n")
    assert read.line(("a", "b")) == 2
    assert read.line(("a", "c", 1, "y")) == 5
    assert read.line(("a", "nothing", "below")) == 1


def test_a_key_given_twice_is_an_error_that_names_both_lines() -> None:
    with pytest.raises(ConfigError, match=r"x\.yaml:3: a: the key is already on line 1"):
        document.parse("a: 1\nb: 2\na: 3\n", "x.yaml")


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\tb", "a: !!python/object/apply:os.system [ls]", "&a [*a, *b]"])
def test_what_is_no_yaml_is_one_error_with_the_file(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^x\.yaml"):
        document.parse(text, "x.yaml")


def test_a_missing_file_and_a_binary_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        document.read(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        document.read(tmp_path / "binary.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: !!int x\n", r"^x\.yaml:2: not valid YAML: 'x' is no int"),
        *((f"a: !!{kind} ''", rf"^x\.yaml:1: not valid YAML: '' is no {kind}") for kind in ("int", "float")),
        ("a: !!int [1]", r"^x\.yaml:1: not valid YAML"),
        (
            f"a: 1\nb: 0x{'f' * 1_000_000}",
            r"^x\.yaml:2: not valid YAML: a whole number has at most 400 digits, and 1,000,002",
        ),
        (f"a: -{'9' * 5000}", r"^x\.yaml:1: not valid YAML: a whole number has at most 400 digits"),
        ("a: !!bool maybe", r"^x\.yaml:1: not valid YAML: 'maybe' is no bool"),
        ("a: 1\nb: !!set {a}\n", r"^x\.yaml:2: b: the tag .*set is not allowed"),
        ("a: \x9a", r"^x\.yaml:1: not valid YAML: the character U\+009A"),
        ("a: &a [*a]", r"^x\.yaml:1: the alias \*a stands inside"),
        ("a:\n " + "[" * 100_000, r"^x\.yaml:2: .* nested at most 50 deep"),
        ("a: 1\nb: " + "- " * 60 + "1", r"^x\.yaml:2: "),
    ],
)
def test_what_would_end_badly_is_one_error_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        document.parse(text, "x.yaml")
    assert "\n" not in str(caught.value)


def test_aliases_that_stand_for_a_billion_values_are_refused() -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(ConfigError, match=r"x\.yaml:6: at most 100,000 values"):
        document.parse("\n".join(["l0: &l0 [1]", *levels]), "x.yaml")
