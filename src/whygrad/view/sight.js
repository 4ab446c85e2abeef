// What is out of sight is made when there is time: a key or a click has to wait for what one looks at alone.

/** Knows which parts of a page are in sight, and fills the others later. */
export class Sight {
  /** `later` does what can wait, `seen` are the parts in sight as far as that is known, `filled` is told of each that had to wait. */
  constructor(later, parts, seen, filled) {
    this.later = later;
    this.seen = new Set(seen);
    this.filled = filled;
    this.watcher = new IntersectionObserver((all) => all.forEach(({ target, isIntersecting }) => this.seen[isIntersecting ? "add" : "delete"](target)));
    for (const part of parts) this.watcher.observe(part);
  }

  /** Fills a part; while it is out of sight it is as high as it was, until there is time to make it. */
  refill(part, make) {
    const waits = !this.seen.has(part) && !part.contains(part.getRootNode().activeElement);
    part.classList.toggle("waits", waits);
    if (!waits) {
      this.later.drop(part);
      part.replaceChildren(make() ?? "");
      return;
    }
    part.replaceChildren();
    this.later.add(() => {
      part.replaceChildren(make() ?? "");
      part.classList.remove("waits");
      this.filled();
    }, part);
  }

  /** Leaves it until there is time to lay elements out. */
  layLater(elements) {
    for (const each of elements) each.classList.add("waits");
    this.later.add(() => elements.forEach((each) => each.classList.remove("waits")));
  }

  destroy() {
    this.watcher.disconnect();
  }
}
