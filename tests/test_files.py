from pathlib import Path

import pytest

from genpipe import files


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.whole_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_fails_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    with files.whole_folder(folder) as temporary:
        (temporary / "a").write_text("old")
    with pytest.raises(RuntimeError), files.whole_folder(folder) as temporary:
        (temporary / "a").write_text("half")
        raise RuntimeError
    assert (folder / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]


def test_json_refuses_what_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a.json", {"fid": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", ".", "below", "below/.."])
def test_a_folder_does_not_become_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IsADirectoryError):
        files.write_text(Path(name), "x")
    assert list(tmp_path.iterdir()) == [tmp_path / "below"]
