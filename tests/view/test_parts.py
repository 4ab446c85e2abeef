"""Documents in parts: laid over each other they are the whole, and a page waits for those that it is to show."""

import json

import pytest
from playwright.sync_api import expect

import whygrad as wg
from whygrad.view import complete as completing
from whygrad.view import page as saving
from whygrad.view.complete import complete
from whygrad.view.parts import parts


def laid(whole, part):
    for name, value in part.items():
        if name in whole and isinstance(value, dict):
            laid(whole[name], value)
        else:
            assert name not in whole
            whole[name] = value


@pytest.mark.parametrize("options", [{}, {"of": 1, "notation": "nielsen", "semiring": "total", "example": 0}])
def test_parts_laid_over_each_other_are_the_document(options, monkeypatch):
    monkeypatch.setattr(completing, "WRITTEN_OUT_UP_TO", 0)
    run = wg.Network([3, 4, 3], "tanh", seed=0).run([[1, 2, 0], [0, 1, 3]], [[0, 1, 0], [1, 0, 0]])
    made = complete(run, **options)
    first, *rest = json.loads(json.dumps(parts(made)))
    state = first["state"]
    assert list(first["sheet"]["names"]) == [state["notation"]]
    for scene in first["scenes"].values():
        assert set(scene["colours"]) == {"gradient", state["semiring"]}
        assert {name.partition("|")[2] for name in scene["explanations"]} <= {state["of"]}
    shown = first["scenes"]["all" if state["example"] is None else str(state["example"])]
    assert {name.partition("|")[2] for name in shown.get("folded", {"records": {}})["records"]} <= {
        state["of"]
    }
    for part in rest:
        laid(first, part)
    assert first == json.loads(json.dumps(made))


def test_a_page_in_parts_waits_for_what_it_is_to_show_first(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(completing, "WRITTEN_OUT_UP_TO", 0)
    monkeypatch.setattr(saving, "PLAIN_UP_TO", 0)
    run = wg.Network([3, 5, 4, 3], "tanh", seed=1).run()
    file = run.save_html(tmp_path / "parts.html").as_uri()
    derivative = run.explain("w^1_{2,2}", of=2)
    page = opened(f"{file}#w2.2.1;of=C2;notation=nielsen;show=strongest")
    assert page.locator(".part").count() > 3
    expect(page.locator("h1 .is")).to_have_text(f"= {derivative.value:.6g}".replace("-", "−"))
    expect(page.locator(".page")).to_have_attribute("aria-busy", "false")
    heading = page.locator("h1").text_content()
    for notation in ("ng", "nielsen"):
        page.locator(".top select").select_option(notation)
        assert (page.locator("h1").text_content() == heading) == (notation == "nielsen")
    assert page.locator("figure .network .strand").count() > 3
    page.locator(".segments [data-of='C0']").click()
    assert page.locator("h1 .is").inner_text() == f"= {run.explain('w^1_{2,2}', of=0).value:.6g}".replace(
        "-", "−"
    )


def test_an_address_that_nothing_in_the_parts_explains_leads_to_what_there_is(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(completing, "WRITTEN_OUT_UP_TO", 0)
    monkeypatch.setattr(saving, "PLAIN_UP_TO", 0)
    run = wg.Network([3, 5, 4, 3], "tanh", seed=1).run()
    file = run.save_html(tmp_path / "parts.html").as_uri()
    for address, derivative in (
        ("#z1.2;of=a1.2", run.explain("a^2_1", by="z^2_1")),
        ("#z1.2;of=<b>", run.explain("z^2_1")),
    ):
        page = opened(file + address)
        expect(page.locator(".page")).to_have_attribute("aria-busy", "false")
        expect(page.locator("h1 .is")).to_have_text(f"= {derivative.value:.6g}".replace("-", "−"))
