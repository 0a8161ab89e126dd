"""The page in a real browser: silent, complete, and no wider than a phone."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from genpipe.plotting import drawn, panel
from genpipe.reporting.page import write_report

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --enable-logging=stderr --v=0 --virtual-time-budget=5000 --dump-dom"
)
PHONE_PX = 360
EXTRACTORS = ("classifier", "inception", "dinov2_large", "clip", "my_own_extractor")
PROBE = """<script>addEventListener("load", () => {
  const all = [...document.images], root = document.documentElement;
  document.title = "PROBE" + JSON.stringify({
    pictures: all.length, complete: all.filter(i => i.complete && i.naturalWidth > 0).length,
    viewport: innerWidth,
    overflow: Math.max(root.scrollWidth, document.body.scrollWidth) - root.clientWidth,
    blurred: all.filter(i => getComputedStyle(i).imageRendering != "pixelated").length});
  parent.document.title = document.title;
});</script>"""


def opened(page: Path, profile: Path) -> tuple[str, str]:
    """The document after loading, and what the browser had to say."""
    command = [str(BROWSER), *QUIET.split(), f"--user-data-dir={profile}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_the_page_in_a_browser(two_scored: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    away = tmp_path_factory.mktemp("browser")
    two_scored.picture("first", "plot.png", Image.fromarray(drawn(1000, 300, lambda figure: panel(figure))))
    scores = {f"fid_{name}": two_scored.fid(interval=[20.5, 30.5], bias_estimate=9.0) for name in EXTRACTORS}
    two_scored.scored("third", dict.fromkeys(scores, 25.5), **scores)
    report = write_report(two_scored.root)
    _, said = opened(report, away / "first")
    assert "CONSOLE" not in said
    # A window is never narrower than 500 pixels, a frame may be; it shares its origin as srcdoc only.
    probed = re.sub(r"<meta http-equiv=.Content-Security-Policy[^>]*>", PROBE, report.read_text(), count=1)
    frame = f'<iframe style="border:0;width:{PHONE_PX}px;height:800px" srcdoc="{escaped(probed)}"></iframe>'
    (away / "phone.html").write_text(f"<!DOCTYPE html><meta charset=utf-8><title>-</title><body>{frame}")
    document, said = opened(away / "phone.html", away / "second")
    assert "CONSOLE" not in said
    found = json.loads(re.search(r"<title>PROBE(.*?)</title>", document)[1])  # type: ignore[index]
    assert found == {"pictures": 10, "complete": 10, "viewport": PHONE_PX, "overflow": 0, "blurred": 1}


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;")
