// The page that `whygrad view` serves: mounts the viewer, and carries its questions to Python.
import { mount } from "./viewer.js";

async function ask(request) {
  let response;
  try {
    response = await fetch("ask", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(request),
    });
  } catch {
    throw new Error("Nobody answers. Is “whygrad view” still running in its terminal?");
  }
  if (response.status === 403) throw new Error("This page is from an earlier “whygrad view”; open its new address.");
  return response.json();
}

mount(document.getElementById("whygrad"), JSON.parse(document.getElementById("document").textContent), ask);
