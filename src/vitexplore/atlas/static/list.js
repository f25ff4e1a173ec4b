// The list beside a feature: where to look, what for, in which order; and what was found.
"use strict";

atlas.list = {
  STEP: 60, // features shown at once
  more: 0,

  /** The form and the features found, of which the current one is marked. */
  async panel(state) {
    const { h } = atlas;
    const found = await this.found(state);
    const at = found.findIndex((each) => atlas.list.same(each, state));
    const most = Math.max(this.STEP + this.more, at + 1);
    const shown = found.slice(0, most).map((each) => atlas.pictures.link(each, this.line(each, state), this.same(each, state)));
    const rest = found.length - shown.length;
    return h(
      "section",
      { class: "list", "aria-label": "Features" },
      this.form(state),
      h("p", { class: "soft", id: "found" }, `${found.length} features${state.q ? ` for “${state.q}”` : ""}`),
      h("div", { class: "grid" }, shown),
      rest > 0 && h("button", { type: "button", id: "more", onclick: () => this.extend() }, `Show more (${rest} left)`),
      !found.length && h("p", {}, "Nothing fits. ", h("a", { href: atlas.address.with(this.NO_FILTERS) }, "Take the filters away"), "."),
    );
  },

  FILTERS: ["explained", "claim", "dead", "drawn", "purity", "identification"],
  NO_FILTERS: { q: "", in: "", explained: "", claim: "", dead: "", drawn: "", purity: "", identification: "" },

  /** What the state asks for, found once. */
  found(state) {
    const places = [atlas.search.scope(state), state.model, state.site, state.block];
    const key = JSON.stringify([...places, ...["q", "sort", "order", ...this.FILTERS].map((name) => state[name])]);
    if (this.key !== key) {
      this.key = key;
      this.more = 0;
      this.result = atlas.search.find(state);
    }
    return this.result;
  },

  same: (a, b) => a.feature === b.feature && a.block === b.block && a.site === b.site && a.model === b.model,

  /** Below a face: where it is as far as the scope leaves that open, and the score that orders the list. */
  line(each, state) {
    const scope = atlas.search.scope(state);
    const name = { block: each.feature, site: `${each.block}.${each.feature}`, model: `${each.site} ${each.block}.${each.feature}` };
    const place = name[scope] ?? atlas.named(each);
    return state.sort ? `${place} · ${atlas.number(each.list.scores[state.sort]?.[each.feature])}` : `${place}`;
  },

  extend() {
    this.more += this.STEP;
    atlas.show();
  },

  /** The controls; each change goes into the address. */
  form(state) {
    const { h } = atlas;
    const go = (changes) => atlas.address.go(changes, true);
    const sites = atlas.sitesOf(state.model);
    const blocks = atlas.blocksOf(state.model, state.site).map((each) => each.block);
    const place = (changes) => atlas.goTo({ ...state, ...changes });
    const select = (name, label, options, value, change) =>
      h(
        "label",
        {},
        h("span", {}, label),
        h(
          "select",
          { name, onchange: (event) => change(event.target.value) },
          options.map(([key, text]) => h("option", { value: key, selected: String(key) === String(value) }, text)),
        ),
      );
    const least = (name, label) =>
      h(
        "label",
        {},
        h("span", {}, `${label} from ${state[name] || "any"}`),
        h("input", {
          type: "range", name, min: 0, max: 1, step: 0.05, value: state[name] || 0,
          onchange: (event) => go({ [name]: Number(event.target.value) ? event.target.value : "" }),
        }),
      );
    const filtered = this.FILTERS.filter((name) => state[name]).length;
    return h(
      "form",
      { class: "controls", onsubmit: (event) => event.preventDefault() },
      select("model", "model", atlas.catalog.models.map(({ name }) => [name, name]), state.model, (model) => place({ model })),
      select("site", "site", sites.map((site) => [site, site]), state.site, (site) => place({ site })),
      select("block", "block", blocks.map((block) => [block, block]), state.block, (block) => place({ block: Number(block) })),
      select("in", "look in", Object.entries(atlas.search.SCOPES), atlas.search.scope(state), (scope) => go({ in: scope })),
      select("sort", "sort by", [["", state.q ? "fit" : "number"], ...atlas.catalog.scores.map(({ name, label }) => [name, label])], state.sort, (sort) => go({ sort })),
      select("order", "order", [["", "highest first"], ["up", "lowest first"]], state.order, (order) => go({ order })),
      h(
        "details",
        { open: filtered > 0 || this.opened, ontoggle: (event) => (this.opened = event.target.open) },
        h("summary", {}, `Filters${filtered ? ` (${filtered})` : ""}`),
        h(
          "div",
          { class: "controls" },
          select("explained", "explained by", [["", "anything"], ...atlas.catalog.factors.map((name) => [name, name])], state.explained, (explained) => go({ explained })),
          select("claim", "decides", [["", "any claim or none"], ...atlas.catalog.claims.map(({ name, title }) => [name, title])], state.claim, (claim) => go({ claim })),
          select("dead", "dead", [["", "shown"], ["hide", "hidden"], ["only", "alone"]], state.dead, (dead) => go({ dead })),
          select("drawn", "visualized", [["", "or not"], ["only", "alone"]], state.drawn, (drawn) => go({ drawn })),
          least("purity", "purity"),
          least("identification", "identification"),
          filtered > 0 && h("a", { href: atlas.address.with(this.NO_FILTERS) }, "Take all away"),
        ),
      ),
    );
  },
};
