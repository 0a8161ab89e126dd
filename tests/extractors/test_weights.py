"""Where published weights come from; a server on this machine stands for the one that publishes them."""

import hashlib
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
import torch

from genpipe import paths
from genpipe.errors import WeightsMissing
from genpipe.extractors import _weights
from genpipe.extractors._weights import Published, located, tensors

CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
asked: list[str] = []
silent = Event()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked.append(self.path)
        if "/hang" in self.path:
            silent.wait(10)
            return
        if "/missing" in self.path:
            self.send_error(404)
            return
        body = {"/wrong": b"an error page", "/half": CONTENT[:100]}.get(self.path.rpartition("/")[0], CONTENT)
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT if "/half" in self.path else body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that counts what it is asked."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    asked.clear()
    silent.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as http:
        Thread(target=http.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        silent.set()
        http.shutdown()


@pytest.mark.parametrize("digits", [64, 8])
def test_it_is_downloaded_once_and_checked(server: str, digits: int) -> None:
    wanted = Published(f"{server}/good/net.pth", SHA256[:digits], len(CONTENT))
    for _ in range(2):
        path = located(wanted)
        assert path == paths.cache() / "weights" / "net.pth"
        assert path.read_bytes() == CONTENT
    assert asked == ["/good/net.pth"]


@pytest.mark.parametrize("kind", ["wrong", "half"])
def test_what_is_not_the_file_is_not_kept(server: str, kind: str) -> None:
    wanted = Published(f"{server}/{kind}/net.pth", SHA256, len(CONTENT))
    with pytest.raises(WeightsMissing) as error:
        located(wanted)
    assert f"{server}/{kind}/net.pth" in str(error.value)
    assert SHA256 in str(error.value)
    assert [f.name for f in (paths.cache() / "weights").iterdir() if not f.name.endswith(".lock")] == []


@pytest.mark.parametrize(("kind", "reason"), [("missing", "404"), ("hang", "timed out")])
def test_a_server_that_has_nothing_to_say_is_left_soon(
    server: str, kind: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_weights, "TIMEOUT_SEC", 0.2)
    begun = time.monotonic()
    with pytest.raises(WeightsMissing, match=reason):
        located(Published(f"{server}/{kind}/net.pth", SHA256))
    assert time.monotonic() - begun < 5


def test_where_there_is_no_network_the_message_says_what_to_do() -> None:
    wanted = Published("http://127.0.0.1:9/somewhere/net.pth", SHA256, 7000)
    with pytest.raises(WeightsMissing) as error:
        located(wanted)
    for part in ("net.pth", "7,000 bytes", SHA256, wanted.url, str(paths.cache() / "weights"), "GENPIPE_WEIGHTS"):
        assert part in str(error.value)
    assert "classifier (of data with labels) and pixels need no published weights" in str(error.value)


def test_a_proxy_that_is_not_there_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr(urllib.request, "_opener", None)  # remembers the proxies of the first call
    with pytest.raises(WeightsMissing, match="refused"):
        located(Published("http://weights.example/net.pth", SHA256))


@pytest.mark.parametrize("place", ["named file", "named folder", "cache", "PyTorch's cache"])
def test_a_file_on_this_machine_is_used_and_nobody_is_asked(
    place: str, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {"cache": paths.cache() / "weights", "PyTorch's cache": Path(torch.hub.get_dir()) / "checkpoints"}
    name = "of another name.pth" if place == "named file" else "net.pth"
    file = folders.get(place, tmp_path / "mine") / name
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    if "named" in place:
        monkeypatch.setenv("GENPIPE_WEIGHTS", str(file if place == "named file" else file.parent))
    assert located(Published(f"{server}/good/net.pth", SHA256)) == file
    assert asked == []


def test_a_named_folder_without_the_file_is_no_reason_not_to_look_elsewhere(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENPIPE_WEIGHTS", str(tmp_path))
    assert located(Published(f"{server}/good/net.pth", SHA256)).parent == paths.cache() / "weights"


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b"!"])
def test_a_damaged_file_is_named_and_nothing_takes_its_place(server: str, content: bytes) -> None:
    file = paths.cache() / "weights" / "net.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with pytest.raises(WeightsMissing) as error:
        located(Published(f"{server}/good/net.pth", SHA256))
    assert f"{file} is damaged or another file" in str(error.value)
    assert hashlib.sha256(content).hexdigest() in str(error.value)
    assert file.read_bytes() == content
    assert asked == []


def test_a_name_that_leads_nowhere_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for path, why in (("/nowhere", "nothing is there"), ("/dev/null", "what is there is neither a file nor a folder")):
        monkeypatch.setenv("GENPIPE_WEIGHTS", path)
        with pytest.raises(WeightsMissing, match=f"GENPIPE_WEIGHTS is {path}, and {why}"):
            located(Published("https://weights.example/net.pth", SHA256))


class _Evil:
    def __reduce__(self) -> tuple:
        return Path.touch, (Path("run"),)


def test_loading_runs_nothing_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a": _Evil()}, "evil.pth")
    monkeypatch.setenv("GENPIPE_WEIGHTS", "evil.pth")
    with pytest.raises(Exception, match=r"[Uu]nsupported"):
        tensors(Published("https://weights.example/evil.pth", _weights.sha256(Path("evil.pth"))))
    assert not Path("run").exists()
