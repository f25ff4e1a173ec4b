// Which features a state asks for: scope, words, filters, order.
"use strict";

atlas.search = {
  SCOPES: { block: "this block", site: "all blocks", model: "all sites", all: "all models" },
  WEIGHTS: { words: 8, concepts: 4, value: 4, explained: 2, seen: 1 },

  /** How far the state looks: a search looks everywhere unless it says where. */
  scope: (state) => (state.in in atlas.search.SCOPES ? state.in : state.q ? "all" : "block"),

  /** The blocks that are looked through, each with its model. */
  blocks(state) {
    const scope = this.scope(state);
    const every = atlas.catalog.models.flatMap((model) => model.blocks.map((block) => ({ model: model.name, ...block })));
    return every.filter(
      (each) =>
        scope === "all" ||
        (each.model === state.model &&
          (scope === "model" || (each.site === state.site && (scope === "site" || each.block === state.block)))),
    );
  },

  /** The features in order: model, site, block, feature, and `list`, the columns of their block. */
  async find(state) {
    const blocks = this.blocks(state);
    const lists = await Promise.all(blocks.map((block) => atlas.listOf(block)));
    const wanted = this.wanted(state.q);
    const found = [];
    blocks.forEach((at, number) => {
      const list = lists[number];
      for (let feature = 0; feature < at.features; feature++) {
        const fit = this.passes(state, list, feature) ? wanted(at, list, feature) : 0;
        if (fit) found.push({ model: at.model, site: at.site, block: at.block, feature, list, fit });
      }
    });
    return this.sorted(found, state);
  },

  /** From a search's text to how well a feature fits it, 0 where it does not. */
  wanted(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return () => 1;
    const number = /^(?:(\d+)\.)?(\d+)$/.exec(words.at(-1));
    if (number) {
      const names = words.slice(0, -1);
      return (at, list, feature) =>
        Number(feature === Number(number[2]) && (number[1] === undefined || at.block === Number(number[1])) &&
          names.every((name) => at.model === name || at.site === name));
    }
    return (at, list, feature) => {
      let fit = 0;
      for (const word of words) {
        const fits = Object.entries(this.WEIGHTS).filter(([name]) => list.texts[name]?.[feature].toLowerCase().includes(word));
        if (!fits.length) return 0;
        for (const [, weight] of fits) fit += weight;
      }
      return fit;
    };
  },

  /** Whether a feature passes the filters. */
  passes(state, list, feature) {
    const least = (name) => state[name] === "" || (list.scores[name]?.[feature] ?? -1) >= Number(state[name]);
    const dead = list.dead.includes(feature);
    const claim = state.claim && list.claims[state.claim];
    return (
      (!state.explained || list.texts.explained?.[feature] === state.explained) &&
      least("purity") &&
      least("identification") &&
      (state.dead === "" || (state.dead === "only") === dead) &&
      (state.drawn === "" || Boolean(list.drawn[feature])) &&
      (!state.claim || claim === "all" || Boolean(claim?.includes(feature)))
    );
  },

  /** By the state's score, what has none last; without one by how well words fit, and how much a feature tells. */
  sorted(found, state) {
    const down = state.order !== "up";
    const value = (each) => each.list.scores[state.sort]?.[each.feature] ?? null;
    if (state.sort) {
      return found.sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === null || y === null) return (x === null) - (y === null);
        return down ? y - x : x - y;
      });
    }
    const bits = (each) => each.list.scores.bits?.[each.feature] ?? 0;
    return state.q ? found.sort((a, b) => b.fit - a.fit || bits(b) - bits(a)) : found;
  },
};
