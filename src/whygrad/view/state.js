// What a reader has chosen: where that begins, and what of it a document has.

import { parsed } from "./dom.js";
import { SORTS } from "./paths.js";

const NOTHING = { chosen: null, of: null, notation: null, show: "paths", example: null, path: 0, sort: "size", through: "", step: null, theme: null };

/** Returns the state that a document begins with. */
export function initially({ state: { chosen, of, notation, semiring, example } }) {
  return { ...NOTHING, chosen, of, notation, example, show: semiring === "gradient" ? "paths" : semiring };
}

/** Returns a state without what the document does not have. */
export function allowed(view, state) {
  const { document, initial, asking, coming } = view;
  const has = (list, value) => list.some(([name]) => name === value);
  const explained = [...view.explanations.values()].some((each) => each.any(state.chosen));
  if (!has(document.picture.items, state.chosen) && !explained && !(asking && exists(document.network, state.chosen))) state.chosen = initial.chosen;
  if (!has(document.of, state.of) && !coming && !view.explanations.get(view.sceneOf(state)).has(state.chosen, state.of)) state.of = initial.of;
  if (!has(document.notations, state.notation)) state.notation = initial.notation;
  if (state.show !== "paths" && !has(document.semirings, state.show)) state.show = "paths";
  if (!asking && !((state.example ?? "all") in document.scenes)) state.example = initial.example;
  if (!Object.hasOwn(SORTS, state.sort)) state.sort = "size";
  if (!/^[az]\d+\.\d+$/.test(state.through)) state.through = "";
  if (state.theme !== "dark" && state.theme !== "light") state.theme = null;
  if (state.step !== null && !(state.step < view.sceneOf(state).play.length)) state.step = null;
  return state;
}

/** Returns whether a network has a quantity, drawn or not. */
function exists({ sizes, bias, l2 }, key) {
  const { kind, layer, to, from } = parsed(key);
  if (kind === "R") return l2 > 0;
  if (kind === "C" || kind === "y") return to < sizes.at(-1);
  const inside = to < (sizes[layer] ?? 0);
  if (kind === "w") return layer > 0 && inside && from < sizes[layer - 1];
  return kind === "a" ? inside : ((kind === "b" && bias) || kind === "z") && layer > 0 && inside;
}
