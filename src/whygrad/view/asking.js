// Asking: requests about the state that is shown; a reply that is older than what is shown is dropped.

/** Asks Python for a view; while a request for a document is under way, the next waits for it. */
export class Asking {
  constructor(view, ask) {
    this.view = view;
    this.ask = ask;
    this.stamp = 0;
    this.shown = 0; // the stamp of the document that is shown
    this.gone = false;
  }

  /** Sends a request with the state and a stamp; returns nothing where the reply is too old. */
  async request(asked) {
    const stamp = ++this.stamp;
    const { chosen, of, notation, show, example } = this.view.state;
    const state = { chosen, of, notation, semiring: show === "paths" ? "gradient" : show, example, ...this.view.live.state };
    let reply;
    try {
      reply = await this.ask({ ...asked, state, stamp });
    } catch (error) {
      reply = { ok: false, error: { message: `No answer: ${error.message}` }, stamp };
    }
    if (this.gone || (asked.do === "document" && stamp < this.shown)) return null;
    return reply;
  }

  /** Asks for the document of the state. */
  async refresh() {
    const { view } = this;
    this.wanted = true;
    view.pending(true);
    if (this.running) return;
    this.running = true;
    while (this.wanted && !this.gone) {
      this.wanted = false;
      const reply = await this.request({ do: "document" });
      if (this.gone || reply === null) continue;
      if (!reply.ok) {
        view.live.say(reply.error.message, "bad");
        continue;
      }
      if (this.wanted) continue;
      this.shown = reply.stamp ?? this.stamp;
      view.live.say("");
      view.show(reply.result, true);
      view.pending(false);
    }
    this.running = false;
  }
}
