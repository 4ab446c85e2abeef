// Work that can wait until the page is at rest.

const LONGEST_WAIT = 500; // milliseconds after which it is no longer waited for a rest
const SLICE = 8; // milliseconds of work at a time, so that no frame is missed

const idle = window.requestIdleCallback ?? ((done) => setTimeout(done, 30));

/** Work for later: done when it is asked for, all of it before printing, and some piece by piece while nothing happens. */
export class Later {
  constructor() {
    this.kept = new Set();
    this.waiting = new Set();
    this.printed = () => this.finish();
    window.addEventListener("beforeprint", this.printed);
  }

  /** Keeps a piece of work until the function that is returned is called: every frame that changes something costs. */
  keep(work) {
    const once = () => this.kept.delete(once) && work();
    this.kept.add(once);
    return once;
  }

  /** Adds a piece of work for when there is time. */
  add(work) {
    const once = () => this.waiting.delete(once) && work();
    this.waiting.add(once);
    this.plan();
  }

  plan() {
    if (this.planned || !this.waiting.size) return;
    this.planned = true;
    idle(() => {
      this.planned = false;
      const end = performance.now() + SLICE;
      for (const work of this.waiting) {
        work();
        if (performance.now() > end) break;
      }
      this.plan();
    });
  }

  /** Returns when nothing happens. */
  rest() {
    return new Promise((done) => idle(done, { timeout: LONGEST_WAIT }));
  }

  clear() {
    this.kept.clear();
  }

  finish() {
    for (const work of [...this.kept, ...this.waiting]) work();
  }

  destroy() {
    this.clear();
    this.waiting.clear();
    window.removeEventListener("beforeprint", this.printed);
  }
}
