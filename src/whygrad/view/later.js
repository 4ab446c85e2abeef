// Work that can wait until the page is at rest.

const LONGEST_WAIT = 500; // milliseconds after which it is no longer waited for a rest: a busy machine may never have one
const SLICE = 8; // milliseconds of work at a time, so that no frame is missed

const idle = (done) => (window.requestIdleCallback ? requestIdleCallback(done, { timeout: LONGEST_WAIT }) : setTimeout(done, 30));

/** Work for later: done when it is asked for, all of it before printing, and some piece by piece while nothing happens. */
export class Later {
  constructor() {
    this.kept = new Set();
    this.waiting = new Map(); // what it is for -> work
    this.printed = () => this.finish();
    window.addEventListener("beforeprint", this.printed);
  }

  /** Keeps a piece of work until the function that is returned is called: every frame that changes something costs. */
  keep(work) {
    const once = () => this.kept.delete(once) && work();
    this.kept.add(once);
    return once;
  }

  /** Adds a piece of work for when there is time, in place of an earlier one for the same. */
  add(work, what = work) {
    this.waiting.set(what, () => this.waiting.delete(what) && work());
    this.plan();
  }

  drop(what) {
    this.waiting.delete(what);
  }

  plan() {
    if (this.planned || !this.waiting.size) return;
    this.planned = true;
    idle(() => {
      this.planned = false;
      const end = performance.now() + SLICE;
      for (const work of this.waiting.values()) {
        work();
        if (performance.now() > end) break;
      }
      this.plan();
    });
  }

  /** Returns when nothing happens. */
  rest() {
    return new Promise((done) => idle(done));
  }

  clear() {
    this.kept.clear();
  }

  finish() {
    for (const work of this.waiting.values()) work();
    for (const work of this.kept) work();
  }

  destroy() {
    this.clear();
    this.waiting.clear();
    window.removeEventListener("beforeprint", this.printed);
  }
}
