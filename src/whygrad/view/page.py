"""The saved page: one HTML file with the viewer, the document and a picture that needs no script; nothing is loaded."""

import json
from base64 import b64encode
from gzip import compress
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from whygrad.errors import WhygradError
from whygrad.run import Run
from whygrad.view.assets import script
from whygrad.view.complete import complete
from whygrad.view.parts import parts
from whygrad.view.static import static

# A document larger than this is compressed; a smaller one can be read in the file.
PLAIN_UP_TO = 600_000
_STYLE = (
    ":root { color-scheme: light dark; } body { margin: 0; background: light-dark(#ffffff, #12151c); } "
    # What is out of sight is laid out when it comes near.
    "#whygrad :is(.steps > li, .wide, .layers) { content-visibility: auto; contain-intrinsic-size: auto 160px; } "
    "@page { margin: 14mm; } @media print { :root { color-scheme: light !important; } } "
    "#failure { font: 16px/1.5 system-ui, sans-serif; padding: 1rem 2rem; color: light-dark(#b02a37, #ff9aa2); }"
)
_START = """
const unpacked = async (place) => {
  if (place.dataset.packed === undefined) return JSON.parse(place.textContent);
  const text = atob(place.textContent);
  const bytes = new Uint8Array(text.length);
  for (let n = 0; n < text.length; n++) bytes[n] = text.charCodeAt(n);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
};
async function* coming() {
  const read = (done) => document.addEventListener("DOMContentLoaded", done);
  if (document.readyState === "loading") await new Promise(read);
  for (const place of document.querySelectorAll(".part")) yield await unpacked(place);
}
try {
  const host = document.getElementById("whygrad");
  const given = await unpacked(document.getElementById("document"));
  mount(host, given, null, coming());
  host.replaceChildren();
} catch (error) {
  const place = document.getElementById("failure");
  place.hidden = false;
  place.textContent = `The interactive page could not be shown: ${error.message}`;
}
"""


def page(run: Run, **options: Any) -> str:
    """Returns the whole page as one HTML file that needs nothing from anywhere.

    Args:
        run: The run.
        options: What is shown first: see :func:`whygrad.view.document.document`.

    Example:
        >>> import whygrad as wg
        >>> text = page(wg.Network.default().run())
        >>> text.startswith("<!doctype html>"), "http://" in text.replace("http://www.w3.org", "")
        (True, False)
    """
    still = static(run, chosen=options.get("chosen"), of=options.get("of"), example=options.get("example"))
    return file(complete(run, **options), still)


def file(made: dict[str, Any], still: str) -> str:
    """Returns a document as a whole page, with what is shown where no script runs."""
    title = f"whygrad: {made['title']}"
    code = script().replace("export { mount };", "") + _START
    if "</script" in code.lower() or "<!--" in code:
        raise WhygradError("view: the viewer's own code can't stand in a page")
    # The style is the page's own, but pieces of it stand in the still picture's elements.
    policy = (
        f"default-src 'none'; script-src '{_hash(code)}'; style-src 'unsafe-inline'; base-uri 'none'; "
        "form-action 'none'"
    )
    first, *rest = _blocks(made)
    # The script doesn't wait for what stands behind it: the page answers before all of it has been read.
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<p id="failure" role="alert" hidden></p>\n<div id="whygrad" data-address>{still}</div>\n'
        f'{first}\n<script type="module" async>{code}</script>\n{"".join(rest)}</body>\n</html>\n'
    )


def save(run: Run, path: Any, **options: Any) -> Path:
    """Writes the page and returns where it is.

    Raises:
        WhygradError: The file can't be written.
    """
    return write(page(run, **options), path)


def write(text: str, path: Any) -> Path:
    """Writes a page and returns where it is.

    Raises:
        WhygradError: The file can't be written.
    """
    place = Path(path)
    try:
        place.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WhygradError(f"{place}: can't be written: {error.strerror}") from None
    return place


def _hash(code: str) -> str:
    return "sha256-" + b64encode(sha256(code.encode()).digest()).decode()


def _blocks(made: dict[str, Any]) -> list[str]:
    """Returns the document as blocks of data, a large one in parts: no sign in them can end one or begin markup."""
    texts = [_text(part) for part in (parts(made) if made["kind"] == "layered" else [made])]
    if sum(map(len, texts)) <= PLAIN_UP_TO:
        text = _text(made)
        for sign in "<>&\u2028\u2029":
            text = text.replace(sign, f"\\u{ord(sign):04x}")
        return [f'<script type="application/json" id="document">{text}</script>']
    first, *rest = (b64encode(compress(each.encode(), 5, mtime=0)).decode() for each in texts)
    return [
        f'<script type="text/plain" id="document" data-packed>{first}</script>',
        *(f'<script type="text/plain" class="part" data-packed>{each}</script>\n' for each in rest),
    ]


def _text(made: dict[str, Any]) -> str:
    return json.dumps(made, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
