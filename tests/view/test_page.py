"""The saved page as a file: whole, closed to the outside, and safe whatever names and texts are in it."""

import base64
import hashlib
import json
import re

import pytest

import whygrad as wg
from whygrad.errors import WhygradError
from whygrad.view import assets
from whygrad.view.page import page, save
from whygrad.view.static import static

EVIL = ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "&lt;b&gt;\u2028")


@pytest.fixture(scope="module")
def text():
    return page(wg.Network.default().run())


def test_a_page_needs_nothing_from_outside(text):
    outside = re.findall(r"""(?:src|href|url|import|from)\s*[=(]?\s*["'(](https?:)?//""", text)
    assert not outside
    assert set(re.findall(r"https?://[\w./]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1998/Math/MathML",
    }
    assert len(text.encode()) < 1_000_000


def test_only_the_pages_own_script_may_run(text):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src 'none'" in policy.replace("&#x27;", "'")
    code = re.search(r'<script type="module" async>(.*?)</script>', text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy.replace("&#x27;", "'")
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.replace("&#x27;", "'").split("style-src")[0]


def test_what_people_write_is_never_markup():
    net = wg.Network([2, 2, 1], seed=0, names={EVIL[0]: "w^0_{0,1}", EVIL[1]: "a^0_1", EVIL[2]: "C^0"})
    made = page(net.run())
    assert "<img" not in made
    assert made.count("<script") == 2
    assert made.count("</script>") == 2
    assert "\u2028" not in re.search(r'id="document">(.*?)</script>', made, re.DOTALL)[1]


def test_the_document_in_the_page_can_be_read_back(text):
    inside = re.search(r'<script type="application/json" id="document">(.*?)</script>', text, re.DOTALL)[1]
    assert not set("<>&") & set(inside)
    made = json.loads(inside)
    assert made["version"] == 1
    assert made["scenes"]["all"]["explanations"]["w1.0.0|total"]["value"] == pytest.approx(0.33349)


def test_the_page_says_the_answer_before_any_script(text):
    still = text[text.index('<div id="whygrad"') : text.index("<script")]
    for part in ("<svg", "<math", "0.33349", "sum of all paths", "along 6 paths"):
        assert part in still


def test_saving_says_where_and_why_not(tmp_path):
    run = wg.Network.default().run()
    assert run.save_html(tmp_path / "page.html", chosen="w3.0.0") == tmp_path / "page.html"
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(WhygradError, match=r"nowhere.*page\.html: can't be written: No such file"):
        save(run, tmp_path / "nowhere" / "page.html")


def test_a_run_in_a_notebook_is_whole_without_a_script():
    made = wg.Network.default().run()._repr_html_()
    assert "<script" not in made
    assert made.count("<svg") == 1
    for part in ("stroke-dasharray", "When ", "0.33349", "sum of all paths", "a⁰₁"):
        assert part in made
    batch = wg.Network([2, 2], seed=0).run([[1, 2], [3, 4]], [[0, 0], [1, 1]])
    assert "<svg" in batch._repr_html_()
    assert "507" not in made
    assert "+ 23 others" in static(wg.Network([3, 30, 2], "relu", seed=0).run())


def test_modules_can_stand_one_behind_the_other():
    declared = re.compile(r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)
    seen = {}
    for place in assets.HOME.glob("*.js"):
        if place.name in ("served.js", "widget.js"):
            continue
        for name in declared.findall(place.read_text(encoding="utf-8")):
            assert seen.setdefault(name, place.name) == place.name, f"{name} in {place.name} and {seen[name]}"
    script = assets.script()
    assert all(name in script for name in seen)
    assert "import {" not in script
    assert "innerHTML" not in script


def test_the_viewer_calculates_nothing():
    """No network's mathematics in JavaScript: none of its words are there."""
    script = assets.script()
    for word in ("Math.exp", "Math.tanh", "Math.log", "matmul", "softmax", "sigmoid"):
        assert word not in script
