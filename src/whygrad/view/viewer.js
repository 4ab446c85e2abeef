// The viewer: shows a document in a host element, alone or with somebody to ask.

/** Shows a document; `ask` is null where there is nobody to ask. */
export function mount(host, document, ask = null) {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  function update(next) {
    const heading = window.document.createElement("h1");
    heading.textContent = `${next.derivation.quantity} ${next.derivation.value}`;
    root.replaceChildren(heading);
  }
  update(document);
  return { update, destroy: () => root.replaceChildren() };
}
