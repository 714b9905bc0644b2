// How edges look: sign by colour and dash, strength by width; where circuits are compared, which of them has the edge, again by colour and dash.

const STRENGTHS = 5;

/** The page's colours, for canvases. */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  return { soft: colour('--soft'), accent: colour('--accent'), pos: colour('--c0'), neg: colour('--c1'), shared: colour('--c6'), a: colour('--c0'), b: colour('--c1') };
}

/** Class of an edge when circuits are compared: colour name and dash. */
export const CLASSES = [null, { name: 'shared', colour: 'shared', dash: [] }, { name: 'only A', colour: 'a', dash: [7, 3] }, { name: 'only B', colour: 'b', dash: [2, 3] }];

/**
 * Layers for a set of edges.
 * @param {ArrayLike<number>} edges @param {{ scores: Float32Array, largest: number, classes: Uint8Array, compared: boolean, weights?: Float32Array }} look
 * @returns {import('./painter.js').Layer[]}
 */
export function layers(edges, look, strong = false) {
  const colours = palette();
  const crowd = edges.length > 6000 ? 0.35 : edges.length > 600 ? 0.6 : 1;
  const buckets = new Map();
  for (let at = 0; at < edges.length; at += 1) {
    const edge = edges[at];
    const score = look.scores.length ? look.scores[edge] : 0;
    const strength = look.weights ? look.weights[edge] : look.largest > 0 ? Math.sqrt(Math.abs(score) / look.largest) : 0.6;
    const level = Math.min(STRENGTHS - 1, Math.floor(strength * STRENGTHS));
    const kind = look.compared ? look.classes[edge] : score < 0 ? 5 : 4;
    const key = level * 8 + kind;
    let bucket = buckets.get(key);
    if (!bucket) buckets.set(key, (bucket = []));
    bucket.push(edge);
  }
  return [...buckets].sort((a, b) => a[0] - b[0]).map(([key, list]) => {
    const [level, kind] = [Math.floor(key / 8), key % 8];
    const strength = (level + 0.5) / STRENGTHS;
    const look = CLASSES[kind];
    return {
      colour: look ? colours[look.colour] : kind === 5 ? colours.neg : colours.pos,
      dash: look ? look.dash : kind === 5 ? [5, 3] : [],
      width: (0.7 + 2.3 * strength) * (strong ? 1.5 : 1),
      alpha: strong ? 1 : (0.3 + 0.6 * strength) * crowd,
      edges: list,
    };
  });
}

/** The edges of the graph that no circuit has. @param {ArrayLike<number>} edges @returns {import('./painter.js').Layer} */
export function faint(edges) {
  return { colour: palette().soft, dash: [], width: 0.6, alpha: edges.length > 5000 ? 0.05 : 0.16, edges };
}
