// What is shown, to take along: a link, JSON, CSV.
"use strict";

atlas.keep = {
  async link() {
    try {
      await navigator.clipboard.writeText(location.href);
      atlas.say("Link copied");
    } catch {
      prompt("The link to copy:", location.href); // where the browser keeps the clipboard from pages on disk
    }
  },

  /** Pinned features where they are compared, else the one that was looked at last. */
  features: () => (atlas.state.view === "compare" ? atlas.address.pins() : [atlas.feature]),

  /** A row for each pinned feature, or for each one that the list beside the last one has. */
  async rows() {
    const found = atlas.state.view === "compare" ? this.features() : await atlas.list.found({ ...atlas.state, ...atlas.feature });
    return Promise.all(
      found.map(async (at) => {
        const list = at.list ?? (await atlas.listOf(at));
        const of = (columns) => Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[at.feature]]));
        return { ...atlas.at(at), ...of(list.texts), ...of(list.scores), dead: list.dead.includes(at.feature) };
      }),
    );
  },

  async json() {
    const of = async (at) => ({ ...atlas.at(at), ...(await atlas.record(at)) });
    const features = await Promise.all(this.features().map(of));
    this.file("json", JSON.stringify({ address: location.hash, features, found: await this.rows() }, null, 1));
  },

  async csv() {
    const rows = await this.rows();
    const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
    const cell = (value) => (/[",\n]/.test(String(value ?? "")) ? `"${String(value).replaceAll('"', '""')}"` : String(value ?? ""));
    this.file("csv", [names, ...rows.map((row) => names.map((name) => row[name]))].map((row) => row.map(cell).join(",")).join("\n") + "\n");
  },

  file(kind, text) {
    const url = URL.createObjectURL(new Blob([text]));
    const { state } = atlas;
    const name = state.view === "features" ? `${state.model}_${state.site}_${state.block}_${state.feature}` : state.view;
    atlas.h("a", { href: url, download: `atlas_${name}.${kind}` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
    atlas.say(`Saved atlas_${name}.${kind}`);
  },
};
