"""A large network's page stays smooth: an interaction touches what it changes, and no more. Counted, not timed."""

import pytest

import whygrad as wg

# Counts the elements whose attributes change, and those that are made, in the picture's items and in the whole page.
COUNT = """() => {
  const root = document.querySelector("#whygrad").shadowRoot;
  window.touched = { items: new Set(), made: 0 };
  new MutationObserver((records) => {
    for (const { type, target, addedNodes } of records) {
      if (type === "attributes" && target.closest(".item")) window.touched.items.add(target.closest(".item"));
      for (const node of addedNodes) window.touched.made += 1 + (node.querySelectorAll?.("*").length ?? 0);
    }
  }).observe(root, { attributes: true, childList: true, subtree: true });
}"""
READ = """() => {
  const { items, made } = window.touched;
  window.touched = { items: new Set(), made: 0 };
  return [items.size, made];
}"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    run = wg.Network([8] * 13, "tanh", seed=0).run()
    return run.save_html(tmp_path_factory.mktemp("large") / "large.html").as_uri()


@pytest.fixture
def page(opened, large):
    made = opened(large)
    made.wait_for_selector(".answer h1")
    # Names for screen readers are given to thousands of items piece by piece.
    made.wait_for_function(
        "() => document.querySelector('#whygrad').shadowRoot.querySelectorAll('.item:not([aria-label])').length === 0"
    )
    made.evaluate(COUNT)
    return made


def test_another_choice_touches_few_items_and_makes_its_explanation(page):
    total = page.locator("#whygrad *").count()
    assert total > 5000
    page.locator('.network [tabindex="0"]').focus()
    page.evaluate(READ)
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
        page.wait_for_function("() => window.touched.items.size > 1")
        items, made = page.evaluate(READ)
        assert items <= 40  # what is chosen, and the neurons of a layer that are no longer on the way
        assert made < 0.75 * total  # the explanation, and none of the picture


def test_pointing_touches_the_item_and_its_tooltip(page):
    places = page.locator("figure .network .nodes .body")
    for n in (3, 12, 30):
        places.nth(n).hover()
        items, made = page.evaluate(READ)
        assert items <= 8
        assert made < 250


def test_lines_of_a_semiring_and_steps_of_the_passes_leave_other_items_alone(page):
    page.locator(".controls select").last.select_option("strongest")
    items, _ = page.evaluate(READ)
    assert items <= 8 * 13 + 10  # of more than a thousand, the neurons that the paths went through
    page.locator("[aria-label='Next step']").click()
    page.evaluate(READ)
    page.locator("[aria-label='Next step']").click()
    items, _ = page.evaluate(READ)
    assert items <= 8 * 8 + 3 * 8


def test_lines_that_are_not_pointed_at_are_painted_as_one_for_each_layer(page):
    wires = page.locator("figure .network .edges > .wire")
    seen = wires.evaluate_all(
        "all => all.filter((each) => getComputedStyle(each).visibility === 'visible').length"
    )
    own = page.locator("figure .network .item .wire").evaluate_all(
        "all => all.filter((each) => getComputedStyle(each).visibility === 'visible').length"
    )
    assert seen <= 12 + 8 + 8
    assert own <= 1
    page.locator('.network [data-q="w5.1.2"] .hit').dispatch_event("click")
    assert "w5.1.2" in page.url
