// The focus, while the part of the page that has it is made again.

/** Returns what has the focus; null where nothing of the page has it. */
export function focused(view) {
  const element = view.root.activeElement;
  if (!element) return null;
  if ([view.answer, view.steps, view.further].some((each) => each.contains(element))) return { heading: true };
  const place = [view.top, view.controlRow, view.paths, view.cards, view.tables].find((each) => each.contains(element));
  return place ? { place, label: labelled(element), tag: element.tagName } : null;
}

/** Gives the focus to what took the place of what had it. */
export function refocus(view, focus) {
  if (focus.heading) {
    view.answer.querySelector("h1")?.focus({ preventScroll: true });
    return;
  }
  const same = [...focus.place.querySelectorAll(focus.tag)].find((each) => labelled(each) === focus.label);
  const instead = same ?? focus.place.querySelector('[aria-pressed="true"]');
  instead?.focus({ preventScroll: true });
}

function labelled(element) {
  return element.getAttribute("aria-label") ?? element.closest("label")?.textContent ?? element.textContent;
}
