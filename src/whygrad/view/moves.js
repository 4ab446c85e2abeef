// Where arrow keys lead in the picture: up and down in a column of items, left and right along the lines.

import { parsed } from "./dom.js";

/** Returns the items column by column, each sorted from the top: inputs, weights, sums, activations, …, costs. */
export function columnsOf({ layers, items }, at) {
  const columns = [];
  const keys = items.map(([key]) => key);
  const kinds = new Map();
  for (const key of keys) {
    const { kind, layer } = parsed(key);
    const name = layer === undefined ? kind : `${kind}${layer}`;
    kinds.set(name, [...(kinds.get(name) ?? []), key]);
  }
  const of = (name) => kinds.get(name) ?? [];
  const where = (key) => at(key)?.y ?? 0;
  const add = (column) => column.length && columns.push(column);
  layers.forEach((_, layer) => {
    if (layer) {
      const height = (key) => where(`a${layer}.${parsed(key).to}`);
      add([...of(`w${layer}`), ...of(`b${layer}`)].sort((one, two) => height(one) - height(two) || (one[0] === "b") - (two[0] === "b")));
      add(of(`z${layer}`));
    }
    add(of(`a${layer}`));
  });
  add(of("y"));
  add([...of("C"), ...of("R")]);
  return columns;
}

/** Returns where a key leads from an item, or null. */
export function moved(columns, key, pressed, last) {
  const at = columns.findIndex((column) => column.includes(key));
  const column = columns[at];
  if (!column) return null;
  const place = column.indexOf(key);
  if (pressed === "ArrowUp") return column[place - 1] ?? null;
  if (pressed === "ArrowDown") return column[place + 1] ?? null;
  if (pressed === "Home") return column[0];
  if (pressed === "End") return column.at(-1);
  if (pressed !== "ArrowLeft" && pressed !== "ArrowRight") return null;
  const right = pressed === "ArrowRight";
  const beside = columns[at + (right ? 1 : -1)];
  if (!beside) return null;
  const { kind, to, from, layer } = parsed(key);
  const wanted = {
    w: right ? [`z${layer}.${to}`, `a${layer}.${to}`] : [`a${layer - 1}.${from}`],
    b: [`z${layer}.${to}`, `a${layer}.${to}`],
    a: [`z${layer}.${to}`, ...beside.filter((each) => parsed(each).kind === "w" && (right ? parsed(each).from === to : parsed(each).to === to)), `y${to}`],
    z: right ? [`a${layer}.${to}`] : beside.filter((each) => parsed(each).to === to),
    y: right ? [`C${to}`] : [`a${last}.${to}`],
    C: [`y${to}`],
  }[kind];
  return wanted?.find((each) => beside.includes(each)) ?? beside[Math.min(place, beside.length - 1)];
}
