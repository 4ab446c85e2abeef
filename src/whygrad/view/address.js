// The state in the address: what a prepared page is sent as.

const NAMES = ["of", "notation", "show", "example", "path", "sort", "through", "step", "theme"];

/** Returns a state as the part of an address after #. */
export function written(state, first) {
  const parts = [state.chosen];
  for (const name of NAMES) {
    const value = state[name];
    if (value !== null && value !== undefined && value !== first[name]) parts.push(`${name}=${encodeURIComponent(value)}`);
  }
  return `#${parts.join(";")}`;
}

/** Returns the state that an address asks for; only names that there are, and values of the right kind. */
export function read(hash) {
  const [chosen, ...rest] = hash.replace(/^#/, "").split(";");
  const state = {};
  if (/^[a-zA-Z][\d.]*$|^total$/.test(chosen)) state.chosen = chosen;
  for (const part of rest) {
    const [name, value] = part.split("=");
    if (!NAMES.includes(name) || value === undefined) continue;
    let text;
    try {
      text = decodeURIComponent(value);
    } catch {
      continue;
    }
    if (["example", "path", "step"].includes(name)) {
      if (/^\d{1,6}$/.test(text)) state[name] = Number(text);
    } else state[name] = text;
  }
  return state;
}
