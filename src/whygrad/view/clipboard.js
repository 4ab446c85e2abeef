// The clipboard: copies, and says whether that went well.

import { html } from "./dom.js";

/** Copies LaTeX; the button and, for screen readers, the announcer say whether it was done. */
export async function copyLatex(latex, button, { page, announcer }) {
  let done = true;
  try {
    await navigator.clipboard.writeText(latex);
  } catch {
    done = copiedByHand(latex, page);
  }
  button.textContent = done ? "copied" : "no access";
  announcer.textContent = done ? "LaTeX copied" : "The clipboard can't be written";
  setTimeout(() => (button.textContent = "TeX"), 1400);
}

/** Copies where the clipboard is closed to pages, as it is for some files. */
function copiedByHand(text, page) {
  const box = html("textarea", { class: "sr", "aria-hidden": "true" });
  box.value = text;
  page.append(box);
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  return done;
}
