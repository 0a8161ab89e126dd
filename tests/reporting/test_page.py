"""The page and its Markdown twin say what is on disk, and nothing that is in it can break them."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from PIL import Image

from genpipe.errors import ConfigError, GenpipeError
from genpipe.plotting import drawn, panel
from genpipe.reporting.page import write_report


class Page(HTMLParser):
    """The tags of a page, with the identifiers and links between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, attribute: str, tag: str | None = None) -> list[str]:
        return [str(a[attribute]) for t, a in self.tags if attribute in a and tag in (None, t)]


def test_the_page_tells_everything_that_is_there(two_scored: Any) -> None:
    page = write_report(two_scored.root).read_text()
    assert "Three experiments on digits, trained and scored on cpu. One experiment has not been run yet." in page
    assert "not run yet</td>" in page
    assert page.index("Real images") < page.index("#x-second") < page.index("#x-first")
    for told in ("Fréchet distance", "How sure. What not.", "3f2a91c40000", "926,146", "seed 7", "torch 2.11.0"):
        assert told in page
    assert "12.75" in re.search(r'<td class="n best">.*?</td>', page, re.DOTALL)[0]  # type: ignore[index]
    assert page.count("±") == 4


def test_intervals_and_cautions_stand_beside_the_scores(two_scored: Any) -> None:
    made = two_scored.fid(interval=[20.5, 30.5], bias_estimate=9.0)
    two_scored.scored("first", {"fid_classifier": 25.5}, fid_classifier=made)
    page = write_report(two_scored.root).read_text()
    cell = re.search(r'<td class="n">25\.50.*?</td>', page, re.DOTALL)[0]  # type: ignore[index]
    assert "20.50 to 30.50" in cell
    assert "Too few images: about 9 of this figure is bias." in cell
    assert re.search(r"<li>.*first, <code>fid_classifier</code>: Too few images: about 9 .*</li>", page)
    assert "95 %: 20.50 to 30.50" in page
    assert "Below a score is its 95 % confidence interval" in page
    twin = (two_scored.root / "reports/README.md").read_text()
    assert "| 25.50 ▲<br>20.50 to 30.50 |" in twin
    assert r"▲ first, fid\_classifier: Too few images" in twin


def test_without_intervals_none_are_explained(two_scored: Any) -> None:
    page = write_report(two_scored.root).read_text()
    assert "confidence" not in page + (two_scored.root / "reports/README.md").read_text()
    assert '<ul class="cautions">' not in page


def test_drawings_are_told_from_pictures_of_images_by_their_paper(two_scored: Any) -> None:
    two_scored.picture("first", "plot.png", Image.fromarray(drawn(480, 300, lambda figure: panel(figure))))
    page = Page(write_report(two_scored.root).read_text())
    drawings = [attributes for tag, attributes in page.tags if attributes.get("class") == "drawn"]
    assert [(a["width"], a["height"]) for a in drawings] == [("480", "300")]


def test_what_looked_wrong_is_told_with_the_experiment(two_scored: Any) -> None:
    assert 'class="warnings"' not in write_report(two_scored.root).read_text()
    two_scored.timed("train", "first", 31.25, warnings=["step 300: the codes of 'a<b' have collapsed."])
    two_scored.timed("sample", "first", 2.0, warnings=["3.1% of the values lie beyond."])
    page = write_report(two_scored.root).read_text()
    assert "<li>3.1% of the values lie beyond.</li>" in page
    told = page.index("<li>step 300: the codes of &#39;a&lt;b&#39; have collapsed.</li>")
    assert page.index('id="x-first"') < told < page.index('id="x-second"')
    assert r"**Warning:** step 300" in (two_scored.root / "reports/README.md").read_text()


def test_a_figure_that_is_none_is_told_and_what_no_axis_shows_is_left_out_of_curves(two_scored: Any) -> None:
    told = "fid_classifier is inf, which is no figure, and is left out."
    made = two_scored.fid(real=None, bias_estimate=None)
    two_scored.scored("first", {"fid_classifier": None}, fid_classifier=made)
    two_scored.timed("evaluate", "first", 2.0, warnings=[told])
    two_scored.write("reports/curves/first.csv", "step,a,b\n1,inf,nan\n2,2.5,-inf\n3,1e400,\n")
    page = write_report(two_scored.root).read_text()
    assert f"<li>{told}</li>" in page
    assert "a of first over training: 2.5 at step 2, 2.5 at step 2" in page
    assert "b of first over training" not in page
    assert r"**Warning:** fid\_classifier is inf" in (two_scored.root / "reports/README.md").read_text()


def test_the_page_needs_nothing_else(two_scored: Any) -> None:
    page = Page(write_report(two_scored.root).read_text())
    assert not {"script", "iframe", "object", "audio", "video"} & {tag for tag, _ in page.tags}
    assert len(page.all("src")) == 6
    assert all(uri.startswith("data:image/png;base64,") for uri in page.all("src"))
    assert all(link.startswith(("#", "data:")) for link in page.all("href"))
    assert "url(http" not in str(page.tags)


def test_identifiers_are_unique_and_links_lead_somewhere(two_scored: Any) -> None:
    page = Page(write_report(two_scored.root).read_text())
    identifiers = page.all("id")
    assert len(identifiers) == len(set(identifiers))
    assert {link[1:] for link in page.all("href", "a")} <= set(identifiers)
    assert {link[1:] for link in page.all("xlink:href")} <= set(identifiers)


def test_every_picture_has_words(two_scored: Any) -> None:
    page = Page(write_report(two_scored.root).read_text())
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert pictures
    assert all(attributes["alt"] for attributes in pictures)
    told = [a["aria-label"] for _, a in page.tags if a.get("role") == "img"]
    assert told[0] == "generator/loss of first over training: 3.5 at step 1, 2.25 at step 3, lowest 2.25, highest 3.5"


def test_the_best_score_of_a_training_is_shown_as_that_beside_the_last(two_scored: Any) -> None:
    rows = "step,fid_classifier,is_classifier,parameters\n10,9.5,4,1\n20,7.25,6,1\n30,8,5,1\n"
    two_scored.write("reports/score_curves/second.csv", rows)
    page = write_report(two_scored.root).read_text()
    assert re.findall(r"<figcaption>(Best: [^<]*)", page) == [
        "Best: 7.25 at step 20. Last: 8 at step 30.",
        "Best: 6 at step 20. Last: 5 at step 30.",
    ]


def test_equal_inputs_give_equal_bytes(two_scored: Any) -> None:
    files = [two_scored.root / "reports" / name for name in ("index.html", "README.md", "leaderboard.csv")]
    write_report(two_scored.root)
    first = [file.read_bytes() for file in files]
    write_report(two_scored.root)
    assert [file.read_bytes() for file in files] == first


def test_text_from_files_is_shown_as_it_is(project: Any) -> None:
    name = "<b>'\"&"
    project.write("params.yaml", 'experiments:\n  "<b>\'\\"&": {model: <i>, data: <u>}\n')
    made = project.fid(title="<script>alert(1)</script>", extractor="<em>|")
    project.scored(name, {"fid_classifier": 1.5}, fid_classifier=made, model="<i>", data="<u>")
    project.write(f"reports/curves/{name}.csv", "step,a/<s>$x\n1,2\n2,3\n")
    page = write_report(project.root).read_text()
    twin = (project.root / "reports/README.md").read_text()
    for text in (page, twin):
        assert not re.search(r"<(b|i|u|s|em|script)\b[^y]*?>", text.replace('<i style="width:', ""))
        assert "&lt;script&gt;" in text
        assert "&lt;u&gt;" in text
    assert "a/&lt;s&gt;$x" in page
    assert "&lt;em&gt;\\|" in twin
    assert "(figures/%3Cb%3E%27%22%26/sample_grid.png)" in twin


def test_the_twin_shows_the_table_and_the_pictures(two_scored: Any) -> None:
    write_report(two_scored.root)
    twin = (two_scored.root / "reports/README.md").read_text()
    table = [line for line in twin.splitlines() if line.startswith("|")]
    assert table[0] == r"| experiment | model | fid\_classifier ↓ | is\_classifier ↑ | parameters |"
    assert table[2] == "| *held-out real images* | | 4.25 | 9.5 | |"
    assert table[3] == "| second | dcgan | **12.75** | **8.5** ± 0.5 | 926,146 |"
    assert table[5].startswith("| third | pca |")
    assert "not run yet" in table[5]
    assert {line.count("|") for line in table[:6]} == {6}
    links = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", twin)
    assert len(links) == 4
    assert all((two_scored.root / "reports" / link).is_file() for link in links)
    assert "| digits (data set) | 1.5 | " in twin


def test_a_project_in_which_nothing_has_run(project: Any) -> None:
    page = write_report(project.root).read_text()
    assert "Three experiments on digits. Three experiments have not been run yet." in page
    assert page.count("not run yet</td>") == 3


def test_a_model_fitted_without_steps_has_no_curves(two_scored: Any) -> None:
    two_scored.write("reports/curves/first.csv", "step\n")
    assert "No training curves" in write_report(two_scored.root).read_text()


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("reports/scores/first.json", '{"fid_classifier": 25.', "EOF"),
        ("reports/scores/first.json", '{"fid_classifier": 25.5}', "how: Field required"),
        ("reports/scores/first.json", '{"x": "25", "how": {"model": "vae", "data": "digits"}}', "x"),
        ("reports/scores/first.json", '{"x": 1, "how": {"model": "a", "data": "b", "x": {}}}', "how.x: title"),
        ("reports/scores/first.json", '{"x": 1e400, "how": {"model": "vae", "data": "digits"}}', "x"),
        ("reports/scores/first.json", f'{{"x": 1{"0" * 400}, "how": {{"model": "a", "data": "b"}}}}', "x"),
        ("reports/scores/first.json", "null", "should be an object"),
        ("reports/scores/first.json", "[]", "should be an object"),
        ("reports/scores/first.json", '{"how": {"model": "vae"}}', "how.data: Field required"),
        ("runs/timings/train/first.json", '{"wall_sec": 1e400}', "wall_sec"),
        ("reports/curves/first.csv", "loss\n1\n", "no column 'step'"),
        ("reports/curves/first.csv", "step,loss\n1,a\n", "could not convert"),
        ("reports/curves/first.csv", "", "No columns"),
        ("runs/timings/train/first.json", '{"stage": "train"}', "wall_sec"),
        ("reports/figures/first/sample_grid.png", "PNG", "cannot identify"),
    ],
)
def test_a_damaged_file_is_named_with_the_remedy(two_scored: Any, file: str, text: str, told: str) -> None:
    two_scored.write(file, text)
    with pytest.raises(GenpipeError) as caught:
        write_report(two_scored.root)
    assert str(caught.value).startswith(f"{file} is damaged (")
    assert told in str(caught.value)
    assert str(caught.value).endswith("Delete it and run `dvc repro`.")
    assert not (two_scored.root / "reports/index.html").exists()


def test_a_half_written_picture_is_damaged(two_scored: Any) -> None:
    file = two_scored.root / "reports/figures/first/sample_grid.png"
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(GenpipeError, match=r"sample_grid\.png is damaged"):
        write_report(two_scored.root)


def test_a_picture_that_is_announced_must_be_there(two_scored: Any) -> None:
    (two_scored.root / "reports/figures/first/sample_grid.png").unlink()
    with pytest.raises(GenpipeError, match=r"figures/first/sample_grid\.png is missing.*dvc repro"):
        write_report(two_scored.root)


@pytest.mark.parametrize("index", ["seed: 0\n", "experiments: [a]\n", "experiments: {a: {model: vae}}\n"])
def test_a_wrong_index_is_named(project: Any, index: str) -> None:
    project.write("params.yaml", index)
    with pytest.raises(ConfigError, match=r"params\.yaml"):
        write_report(project.root)
