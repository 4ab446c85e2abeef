"""A document in parts: what a page shows first, and the rest of a large one, which it reads when there is time."""

from typing import Any


def parts(made: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns what is shown first, then the rest, part by part; laid over each other they are the whole document.

    The rest are the other notations' names, the other colourings, and the other derivatives: of each cost, and local
    ones.

    Args:
        made: The document of a run.

    Example:
        >>> import whygrad as wg
        >>> from whygrad.view.complete import complete
        >>> first, *rest = parts(complete(wg.Network.default().run()))
        >>> list(first["sheet"]["names"]), len(rest[0]["sheet"]["names"]) > 5
        (['neuron-over-layer'], True)
    """
    state, sheet = made["state"], made["sheet"]
    names = {state["notation"]: sheet["names"][state["notation"]]}
    rest: list[dict[str, Any]] = [{"sheet": {"names": _without(sheet["names"], names)}}]
    scenes: dict[str, Any] = {}
    for place, scene in made["scenes"].items():
        shown = {"gradient", state["semiring"]}
        colours = {name: scene["colours"][name] for name in scene["colours"] if name in shown}
        rest.append({"scenes": {place: {"colours": _without(scene["colours"], colours)}}})
        ends = {
            name: each for name, each in scene["explanations"].items() if name.endswith(f"|{state['of']}")
        }
        rest.append({"scenes": {place: {"explanations": _without(scene["explanations"], ends)}}})
        scenes[place] = scene | {"colours": colours, "explanations": ends}
        if "folded" not in scene:
            continue
        records: dict[str, dict[str, str]] = {key: {} for key in scene["folded"]["strands"]}
        for name, lines in scene["folded"]["records"].items():
            records[name.partition("|")[2]][name] = lines
        scenes[place]["folded"] = scene["folded"] | {"records": records.pop(state["of"], {})}
        rest += [{"scenes": {place: {"folded": {"records": each}}}} for each in records.values()]
    return [made | {"sheet": sheet | {"names": names}, "scenes": scenes}, *rest]


def _without(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in whole.items() if name not in part}
