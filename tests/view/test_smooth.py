"""A large network's page stays smooth: an interaction touches what it changes, and no more. Counted, not timed."""

import pytest

import whygrad as wg

# Counts the picture's items whose attributes change, the elements that are made, and those of them in the picture.
COUNT = """() => {
  const root = document.querySelector("#whygrad").shadowRoot;
  window.touched = { items: new Set(), made: 0, drawn: 0 };
  new MutationObserver((records) => {
    for (const { type, target, addedNodes } of records) {
      if (type === "attributes" && target.closest(".item")) window.touched.items.add(target.closest(".item"));
      for (const node of addedNodes) {
        const many = 1 + (node.querySelectorAll?.("*").length ?? 0);
        window.touched.made += many;
        if (target.closest(".edges, .nodes")) window.touched.drawn += many;
      }
    }
  }).observe(root, { attributes: true, childList: true, subtree: true });
}"""
READ = """() => {
  const { items, made, drawn } = window.touched;
  window.touched = { items: new Set(), made: 0, drawn: 0 };
  return [items.size, made, drawn];
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
    assert page.locator("figure .network *").count() > 2000
    page.locator('.network [tabindex="0"]').focus()
    page.evaluate(READ)
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
        page.wait_for_function("() => window.touched.items.size > 1")
        page.wait_for_function("() => !document.querySelector('#whygrad').shadowRoot.querySelector('.waits')")
        items, made, drawn = page.evaluate(READ)
        assert items <= 40  # what is chosen, and the neurons of a layer that are no longer on the way
        assert drawn <= 2  # lines of what is chosen: of the picture, nothing else
        explained = page.locator(".right *, .paths *").count()
        assert made < 1.1 * explained + 300  # the explanation, once, and a tooltip


def test_pointing_touches_the_item_and_its_tooltip(page):
    places = page.locator("figure .network .nodes .body")
    for n in (3, 12, 30):
        places.nth(n).hover()
        items, made, _ = page.evaluate(READ)
        assert items <= 8
        assert made < 250


def test_lines_of_a_semiring_and_steps_of_the_passes_leave_other_items_alone(page):
    page.locator(".controls select").last.select_option("strongest")
    items, _, _ = page.evaluate(READ)
    assert items <= 8 * 13 + 10  # of more than a thousand, the neurons that the paths went through
    page.locator("[aria-label='Next step']").click()
    page.evaluate(READ)
    page.locator("[aria-label='Next step']").click()
    items, _, _ = page.evaluate(READ)
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


# Notes what asks where something is, in one event, after the page has begun to change: each would lay it out once more.
ASKS = """() => {
  window.changed = false;
  window.asked = [];
  const wrap = (on, name, note) => {
    const found = Object.getOwnPropertyDescriptor(on, name);
    const way = found.value ? "value" : "get";
    const own = found[way];
    found[way] = function (...given) { note(name, this, given); return own.apply(this, given); };
    Object.defineProperty(on, name, found);
  };
  const asks = (name) => window.changed && window.asked.push(name);
  const places = ["clientWidth", "clientHeight", "scrollWidth", "scrollLeft"];
  for (const name of ["getBoundingClientRect", "scrollIntoView", ...places]) wrap(Element.prototype, name, asks);
  for (const name of ["offsetWidth", "offsetHeight", "innerText", "focus"]) wrap(HTMLElement.prototype, name, asks);
  wrap(SVGElement.prototype, "focus", asks);
  const small = ".tooltip, .item"; // what is pointed at
  const changes = (name, element) => !element.isConnected || element.closest(small) || (window.changed = true);
  for (const name of ["replaceChildren", "append"]) wrap(Element.prototype, name, changes);
  wrap(Element.prototype, "setAttribute", (name, element, [attribute]) => {
    if (attribute === "tabindex" && element === element.getRootNode().activeElement) asks(name);
  });
}"""
ASKED = """async ([place, event, key]) => {
  const root = document.querySelector("#whygrad").shadowRoot;
  const element = place ? root.querySelector(place) : root.activeElement;
  if (event === "click") element.focus?.({ preventScroll: true });
  await new Promise((done) => setTimeout(done, 50));
  window.changed = false;
  window.asked = [];
  element.dispatchEvent(new (key ? KeyboardEvent : MouseEvent)(event, { key, bubbles: true, cancelable: true }));
  return [window.changed, window.asked];
}"""


@pytest.mark.parametrize(
    ("place", "event", "key"),
    [
        ("", "keydown", "ArrowDown"),
        ("", "keydown", "ArrowRight"),
        ('figure [data-q="w5.1.2"]', "click", None),
        ('figure [data-q="a3.4"]', "click", None),
        ("[aria-label='Next step']", "click", None),
    ],
)
def test_nothing_asks_where_something_is_once_the_page_has_begun_to_change(page, place, event, key):
    page.locator('.network [tabindex="0"]').focus()
    page.evaluate(ASKS)
    assert page.evaluate(ASKED, [place, event, key]) == [True, []]


def test_what_is_out_of_sight_is_made_when_there_is_time(page):
    waiting = """(key) => {
      const root = document.querySelector("#whygrad").shadowRoot;
      const high = root.querySelector(".right").clientHeight;
      root.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
      const at = (place) => root.querySelector(place);
      const moved = Math.abs(high - at(".right").clientHeight);
      return [!at(".steps"), Boolean(at(".cards")), root.querySelectorAll(".waits").length, moved];
    }"""
    page.locator('.network [tabindex="0"]').focus()
    page.wait_for_function("() => !document.querySelector('#whygrad').shadowRoot.querySelector('.waits')")
    no_steps, cards, waits, moved = page.evaluate(waiting, "ArrowDown")
    assert no_steps
    assert cards
    assert waits > 5  # steps, and what stands below; cards and rows beyond the first
    assert moved < 900  # it stays as high as it was, so that nobody loses the place
    page.wait_for_function("() => !document.querySelector('#whygrad').shadowRoot.querySelector('.waits')")
    assert page.locator(".steps li").count() == 13
    page.evaluate(waiting, "ArrowDown")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".waits").count() == 0
    assert page.locator(".steps li .line").count() > 13  # folded ones too: what is printed is whole


def test_a_page_that_never_has_a_rest_is_made_all_the_same(opened_apart, large):
    page = opened_apart("about:blank")
    never = "(done, options) => (options?.timeout ? setTimeout(done, options.timeout) : 0)"
    page.add_init_script(f"window.requestIdleCallback = {never}")
    page.goto(large)
    page.locator("summary", has_text="whole layers").wait_for(timeout=5000)


def test_of_thousands_of_lines_only_those_that_something_is_shown_on_are_made(page):
    own = page.locator("figure .network .item .wire")
    assert own.count() <= 1
    page.locator('.network [data-q="w5.1.2"] .hit').dispatch_event("pointerover")
    assert page.locator('.network [data-q="w5.1.2"] .wire').count() == 1
    assert own.count() <= 2
