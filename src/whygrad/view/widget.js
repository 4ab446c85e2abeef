// The viewer in a notebook, as an anywidget: this stands behind the viewer's own code, in the same module.

const PATIENCE = 60_000; // the kernel may be busy with another cell

export default {
  render({ model, el }) {
    const waiting = new Map();
    const view = Math.random().toString(36).slice(2); // every view of a model hears all of its messages
    let asked = 0;

    const answered = (message) => {
      const resolve = waiting.get(message.id);
      waiting.delete(message.id);
      resolve?.(message.reply);
    };
    const ask = (request) =>
      new Promise((resolve, reject) => {
        const id = `${view}.${++asked}`;
        waiting.set(id, resolve);
        model.send({ id, request });
        setTimeout(() => {
          if (waiting.delete(id)) reject(new Error("the kernel is busy or has stopped; run the cell again."));
        }, PATIENCE);
      });

    // What stands in the output for readers without a kernel is not shown twice.
    const hidden = document.createElement("style");
    hidden.textContent = `#${CSS.escape(model.get("_still"))} { display: none }`;
    document.head.append(hidden);

    const host = document.createElement("div");
    el.append(host);
    model.on("msg:custom", answered);
    const shown = mount(host, model.get("document"), ask);
    const updated = () => shown.update(model.get("document"));
    model.on("change:document", updated);
    return () => {
      model.off("msg:custom", answered);
      model.off("change:document", updated);
      shown.destroy();
      hidden.remove();
    };
  },
};
