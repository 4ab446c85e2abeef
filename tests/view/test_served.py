"""The served page in a real browser: every change is recalculated, and nothing old is shown as current."""

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

import whygrad as wg
from tests.view.test_server import serving
from whygrad.view.server import Server

RUN = wg.Network.default().run()
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def served() -> Iterator[Server]:
    with serving() as made:
        yield made


@pytest.fixture
def page(opened: Callable[..., Any], served: Server) -> Any:
    page = opened(served.address, width=1600)
    expect(page.locator("h1")).to_contain_text("0.33349")
    return page


def heading(page: Any) -> Any:
    return page.locator("h1")


def shows(page: Any, right: float) -> None:
    """Waits until the heading shows a value, to the digits that are shown."""
    until = time.monotonic() + 8
    while True:
        found = float(heading(page).inner_text().rpartition("=")[2].replace("−", "-"))
        if found == pytest.approx(right, rel=1e-5):
            return
        assert time.monotonic() < until, f"{found} is shown, {right} is right"
        time.sleep(0.05)


def settled(page: Any) -> None:
    expect(page.locator(".page")).not_to_have_class("page stale")


def test_typed_weights_are_followed(page: Any) -> None:
    page.get_by_label("w^0_{0,2}", exact=True).fill("1.25")
    changed = wg.Network.default().with_parameters(W2=[[1.25, -0.8, 0.9], [-0.5, 0.6, 0.4], [0.3, 0.2, -0.1]])
    shows(page, changed.run().gradient("w^0_{0,1}"))
    page.get_by_role("button", name="as it was").click()
    expect(heading(page)).to_contain_text("0.33349")


def test_inputs_and_targets_are_followed(page: Any) -> None:
    page.get_by_label("a^0_0", exact=True).fill("2")
    right = RUN.network.run([2, -1], [1, 0]).gradient("w^0_{0,1}")
    shows(page, right)
    page.get_by_label("y^1", exact=True).fill("3")
    right = RUN.network.run([2, -1], [1, 3]).gradient("w^0_{0,1}")
    shows(page, right)


def test_activations_are_followed(page: Any) -> None:
    page.get_by_label("activation of layer 1").select_option("tanh")
    parameters = dict(RUN.network.parameters)
    net = wg.Network([2, 3, 3, 2], ["tanh", "identity", "identity"], bias=False, parameters=parameters)
    shows(page, net.run([0.5, -1], [1, 0]).gradient("w^0_{0,1}"))


def test_numbers_can_be_dragged(page: Any) -> None:
    name = page.locator('.live [data-q="w1.0.0"] .scrub')
    name.scroll_into_view_if_needed()
    box = name.bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 105, box["y"] + 5, steps=5)
    page.mouse.up()
    expect(page.get_by_label("w^0_{0,1}", exact=True)).to_have_value("1.1")
    net = RUN.network.with_parameters(W1=[[1.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    shows(page, net.run().gradient("w^0_{0,1}"))


def test_the_chosen_weight_is_changed_below_the_picture(page: Any) -> None:
    below = page.get_by_label("the chosen w^0_{0,1}", exact=True)
    below.fill("0.4")
    net = RUN.network.with_parameters(W1=[[0.4, 0.2], [0.3, 0.4], [0.5, 0.6]])
    shows(page, net.run().gradient("w^0_{0,1}"))
    expect(page.get_by_label("w^0_{0,1}", exact=True)).to_have_value("0.4")
    page.get_by_label("w^0_{0,1}", exact=True).fill("0.1234567890123")
    expect(below).to_have_value("0.12346")
    below.focus()
    expect(below).to_have_value("0.1234567890123")


def test_escape_takes_back_what_was_typed_and_drawn(page: Any) -> None:
    field = page.get_by_label("w^0_{0,2}", exact=True)
    field.fill("2.5")
    expect(heading(page)).not_to_contain_text("0.33349")
    field.press("Escape")
    expect(field).to_have_value("0.7")
    settled(page)
    expect(heading(page)).to_contain_text("0.33349")
    box = page.get_by_label("An equation in LaTeX or as you would type it")
    box.fill("dC^0/da^0_1 = da^0_2/da^0_1 dC^0/da^0_2")
    box.press("Enter")
    expect(page.locator("svg .missing").first).to_be_visible()
    page.locator('svg [data-q="w3.1.1"] .hit').click(force=True)
    settled(page)
    expect(page.locator("svg .missing").first).to_be_visible()  # as the verdict still says
    page.keyboard.press("Escape")
    expect(page.locator("svg .missing")).to_have_count(0)
    page.get_by_role("button", name="Next step").click()
    expect(page.locator("svg .lit").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("svg .lit")).to_have_count(0)


def test_an_address_of_another_network_shows_this_one(opened: Callable[..., Any], served: Server) -> None:
    for other in ("w9.9.9", "w1.0.5", "a1.3", "b1.0", "z0.0", "C2", "R"):
        page = opened(f"{served.address}#{other}", width=1600)
        expect(page.locator("h1")).to_contain_text("0.33349")
        settled(page)


def test_fields_show_their_numbers_whole(page: Any) -> None:
    fields = page.locator(".live .number input, .handle .number input")
    assert fields.count() > 20
    page.get_by_label("w^0_{0,2}", exact=True).fill("-0.37912")
    page.get_by_label("w^0_{0,2}", exact=True).blur()
    cut = "all => all.filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.value)"
    assert fields.evaluate_all(cut) == []


def test_the_cost_function_is_followed(page: Any) -> None:
    page.get_by_label("cost function", exact=True).select_option("half_squared_error")
    shows(page, RUN.gradient("w^0_{0,1}") / 2)


def test_impossible_numbers_are_said_and_nothing_old_looks_current(page: Any) -> None:
    page.get_by_label("w^0_{0,2}", exact=True).fill("1e200")
    expect(page.locator("figure .status")).to_contain_text("expected finite costs")
    expect(page.locator("figure .status")).to_be_in_viewport()  # the reason is where one looks
    for part in (".right", "section.paths", ".tables"):
        expect(page.locator(part).first).to_have_css("opacity", "0.38")
    expect(page.locator(".page")).to_have_class("page stale")
    page.get_by_label("w^0_{0,2}", exact=True).fill("0.7")
    settled(page)
    expect(heading(page)).to_contain_text("0.33349")


def test_slow_answers_never_take_the_place_of_newer_ones(opened: Callable[..., Any], served: Server) -> None:
    page = opened(served.address, width=1600)
    expect(page.locator("h1")).to_contain_text("0.33349")
    held = threading.Event()

    def slow(route: Any) -> None:
        first = json.loads(route.request.post_data).get("state", {}).get("y") == [[5, 0]]
        if first and not held.is_set():
            held.set()
            time.sleep(0.6)
        route.continue_()

    page.route("**/ask", slow)
    page.get_by_label("y^0", exact=True).fill("5")
    expect(page.locator(".page")).to_have_class("page stale")
    page.get_by_label("y^0", exact=True).fill("7")
    right = RUN.network.run([0.5, -1], [7, 0]).gradient("w^0_{0,1}")
    shows(page, right)
    time.sleep(1)
    shows(page, right)


def test_equations_get_their_verdict_and_the_picture_draws_what_is_missing(page: Any) -> None:
    box = page.get_by_label("An equation in LaTeX or as you would type it")
    box.fill("dC^0/da^0_1 = da^0_2/da^0_1 dC^0/da^0_2")
    page.get_by_role("button", name="Check").click()
    verdict = page.locator(".live .verdict")
    expect(verdict).to_contain_text("It does not hold")
    expect(verdict).to_contain_text("dC^0/da^1_2")
    expect(page.locator("svg .missing").first).to_be_visible()
    box.fill("da^0_3/da^0_2 = 0.5")
    box.press("Enter")
    expect(verdict).to_contain_text("It holds.")
    box.fill("dC^0/da^0_1 = dq")
    box.press("Enter")
    expect(verdict).to_contain_text("no name that was declared")


def test_a_verdict_does_not_outlive_the_numbers_that_it_is_about(page: Any) -> None:
    box = page.get_by_label("An equation in LaTeX or as you would type it")
    box.fill("da^0_3/da^0_2 = 0.5")
    box.press("Enter")
    verdict = page.locator(".live .verdict")
    expect(verdict).to_contain_text("It holds.")
    page.get_by_label("w^0_{0,3}", exact=True).fill("0.25")
    expect(verdict).not_to_contain_text("It holds.")
    settled(page)
    box.press("Enter")
    expect(verdict).to_contain_text("It does not hold")


def handed_in(**arrays: Any) -> dict[str, Any]:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return {"name": "mine.npz", "mimeType": "application/octet-stream", "buffer": file.getvalue()}


def test_gradients_in_a_file_are_diagnosed(page: Any) -> None:
    right = dict(RUN.gradients().total)
    chooser = page.get_by_label("A file with your gradients")
    chooser.set_input_files(handed_in(**right))
    told = page.locator(".live .diagnosis")
    expect(told).to_contain_text("All gradients are right.")
    chooser.set_input_files(handed_in(**{name: -g for name, g in right.items()}))
    expect(told).to_contain_text("sign")
    one_wrong = right | {"W2": right["W2"] + np.array([[0, 0.3, 0], [0, 0, 0], [0, 0, 0]])}
    chooser.set_input_files(handed_in(**one_wrong))
    expect(page.locator("svg .item.wrong")).to_have_count(1)
    expect(page.locator('svg .wrong[data-q="w2.0.1"]')).to_have_count(1)
    chooser.set_input_files(handed_in(**right | {"W1": right["W1"].T}))
    expect(page.locator('svg .wrong[data-q^="w1."]')).to_have_count(6)
    chooser.set_input_files({"name": "x.npz", "mimeType": "text/plain", "buffer": b"no archive"})
    expect(told).to_contain_text("x.npz: not an npz file of plain arrays")
    page.get_by_label("a^0_0", exact=True).fill("2")
    expect(told).not_to_contain_text("x.npz")


def test_a_server_that_has_ended_is_said(opened: Callable[..., Any]) -> None:
    with serving() as made:
        page = opened(made.address, width=1600, but="ERR_CONNECTION_REFUSED")
        expect(page.locator("h1")).to_contain_text("0.33349")
        page.route("**/ask", lambda route: route.abort("connectionrefused"))
        page.get_by_label("a^0_0", exact=True).fill("2")
        expect(page.locator("figure .status")).to_contain_text(
            "Is “whygrad view” still running in its terminal?"
        )
        expect(page.locator(".page")).to_have_class("page stale")


def test_an_address_can_be_sent(opened: Callable[..., Any], served: Server) -> None:
    page = opened(served.address, width=1600)
    page.locator('svg [data-q="w3.1.1"]').first.click()
    right = RUN.gradient("w^1_{1,3}")
    shows(page, right)
    assert "#" in page.url
    again = opened(page.url, width=1600)
    shows(again, right)


def test_own_names_are_text_everywhere(opened: Callable[..., Any]) -> None:
    net = wg.Network([2, 2, 1], activation="tanh", seed=1, names={EVIL: "a^0_1", "</script>": "a^1_1"})
    with Server(net.run()) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        page = opened(made.address, width=1600)
        expect(page.locator("h1")).to_be_visible()
        box = page.get_by_label("An equation in LaTeX or as you would type it")
        box.fill(f"dC^0/da^0_1 = {EVIL}")
        box.press("Enter")
        expect(page.locator(".live .verdict")).not_to_have_text("")
        file = {"name": f"{EVIL}.npz", "mimeType": "text/plain", "buffer": b"x"}
        page.get_by_label("A file with your gradients").set_input_files(file)
        expect(page.locator(".live .diagnosis")).to_contain_text(EVIL)
        assert page.locator("img").count() == 0
        made.shutdown()
        thread.join()
