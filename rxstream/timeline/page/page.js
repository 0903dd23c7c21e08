
"use strict";
(() => {
  const FIRST_LANES = 200, ROWS = 100, LANE = 30, AXIS = 24, SILENCES = -2;
  const byId = (id) => document.getElementById(id);
  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const time = (ms) => {
    const at = Math.abs(ms);
    if (at < 10) return `${+ms.toFixed(2)} ms`;
    return at < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
  };
  let colors = {};
  const readColors = () => {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["ink", "soft", "line", "band", "stall", "good", "bad", "warn", "card", "accent", "response", "text",
      "reasoning", "call", "tool", "operator"]) colors[name] = style.getPropertyValue(`--${name}`).trim();
  };

  function hue(lane) {
    if (lane.role === "response" || lane.role === "tool" || lane.role === "operator") return colors[lane.role];
    if (lane.type.startsWith("reasoning")) return colors.reasoning;
    return ["message", "text", "refusal", "audio_transcript"].includes(lane.type) ? colors.text : colors.call;
  }

  class View {
    constructor(section) {
      this.section = section;
      this.number = section.dataset.number;
      this.data = JSON.parse(byId(`data${this.number}`).textContent);
      this.from = 0;
      this.to = this.data.span * 1.01;
      this.chunks = new Map();
      this.chosen = null;
      this.page = 0;
      this.rows = [];
      const { lanes, events, kinds } = this.data;
      this.laneOf = new Int32Array(events);
      this.timeOf = new Float64Array(events);
      this.peak = 1;
      lanes.forEach((lane, number) => {
        (lane.entry || []).forEach((entry, place) => {
          this.laneOf[entry] = number;
          this.timeOf[entry] = lane.at[place];
        });
        lane.count = lane.kind.filter((kind) => kinds[kind] === "value").length;
      });
      this.buildTools();
      this.buildLanes(FIRST_LANES);
    }

    // ------------------------------------------------------------ parts of the page

    buildTools() {
      const tools = this.section.querySelector(".tools");
      const button = (name, label, act) => {
        const node = make("button", "", name);
        node.type = "button";
        if (label) node.setAttribute("aria-label", label);
        node.addEventListener("click", () => act(node));
        tools.append(node);
        return node;
      };
      button("+", "Zoom in", () => this.zoom(0.5));
      button("−", "Zoom out", () => this.zoom(2));
      button("Fit", "Show all", () => this.fit());
      const table = button("Table", "", () => {
        const shown = this.section.querySelector(".table");
        shown.hidden = !shown.hidden;
        table.setAttribute("aria-pressed", String(!shown.hidden));
        if (!shown.hidden) this.fillTable();
      });
      table.setAttribute("aria-pressed", "false");
      tools.append(make("span", "", "click an event for its JSON; arrow keys move, + and − zoom"));
    }

    buildLanes(most) {
      const box = this.section.querySelector(".timeline");
      box.textContent = "";
      box.tabIndex = 0;
      box.setAttribute("role", "application");
      box.setAttribute("aria-label", "Timeline. Left and right move between the events of a lane, up and down between " +
        "lanes, plus and minus zoom, Escape closes the event. The button Table has the same as tables.");
      if (!this.keys) {
        this.keys = (event) => this.key(event);
        box.addEventListener("keydown", this.keys);
      }
      const { lanes } = this.data;
      this.rows = [];
      this.buildRow(box, "lane axis", "", -1);
      lanes.slice(0, most).forEach((lane, number) => this.buildRow(box, `lane ${lane.role}`, lane.label, number));
      if (this.data.silences.length) this.buildRow(box, "lane axis", "silence", SILENCES);
      if (lanes.length > most) {
        const more = make("button", "", `Show all ${lanes.length.toLocaleString("en")} lanes`);
        more.type = "button";
        more.addEventListener("click", () => { this.buildLanes(lanes.length); box.focus(); });
        box.append(more);
      }
    }

    buildRow(box, className, label, number) {
      const row = make("div", className);
      const name = make("div", "label", label.trim());
      name.title = label.trim();
      const canvas = make("canvas");
      canvas.setAttribute("aria-hidden", "true");
      row.append(name, canvas);
      box.append(row);
      const entry = { row, canvas, number, visible: false, dirty: true };
      this.rows.push(entry);
      canvas.rx = entry;
      entry.view = this;
      watcher.observe(canvas);
      if (number >= 0) canvas.addEventListener("click", (event) => this.click(number, event));
      canvas.addEventListener("wheel", (event) => this.wheel(event, canvas), { passive: false });
      return entry;
    }

    fillTable() {
      const box = this.section.querySelector(".events");
      const pages = Math.max(1, Math.ceil(this.data.events / ROWS));
      this.page = Math.max(0, Math.min(pages - 1, this.page));
      const table = make("table");
      table.append(make("caption", "", "Events"));
      const head = table.createTHead().insertRow();
      for (const name of ["number", "time", "type", "lane", "content"]) {
        const cell = make("th", "", name);
        cell.scope = "col";
        head.append(cell);
      }
      const body = table.createTBody();
      for (let entry = this.page * ROWS; entry < Math.min(this.data.events, (this.page + 1) * ROWS); entry++) {
        const event = this.event(entry), row = body.insertRow();
        const link = make("button", "link", String(entry));
        link.type = "button";
        link.setAttribute("aria-label", `Event ${entry}: show its JSON`);
        link.addEventListener("click", () => this.choose(this.laneOf[entry], entry));
        row.insertCell().append(link);
        const lane = this.data.lanes[this.laneOf[entry]];
        const content = typeof event.delta === "string" ? event.delta : "";
        for (const text of [time(this.timeOf[entry]), String(event.type), lane.label.trim(), content.slice(0, 120)])
          row.insertCell().textContent = text;
      }
      const pager = make("div", "pager");
      const go = (name, step) => {
        const node = make("button", "", name);
        node.type = "button";
        node.disabled = this.page + step < 0 || this.page + step >= pages;
        node.addEventListener("click", () => { this.page += step; this.fillTable(); });
        return node;
      };
      pager.append(go("Previous", -1), make("span", "", `page ${this.page + 1} of ${pages}`), go("Next", 1));
      const scroll = make("div", "scroll");
      scroll.append(table);
      box.replaceChildren(pager, scroll);
    }

    // ------------------------------------------------------------ events

    event(entry) {
      const number = Math.floor(entry / this.data.chunk);
      if (!this.chunks.has(number))
        this.chunks.set(number, JSON.parse(byId(`events${this.number}-${number}`).textContent));
      return this.chunks.get(number)[entry % this.data.chunk];
    }

    /** Choose the mark at a place of a lane. */
    chooseAt(number, place) {
      const lane = this.data.lanes[number];
      if (lane.entry) { this.choose(number, lane.entry[place], place); return; }
      this.chosen = { lane: number, place, at: lane.at[place] };
      const kind = this.data.kinds[lane.kind[place]];
      show(lane.label, `${kind} ${place} of ${lane.count}, at ${time(lane.at[place])}`, lane.text[place]);
      this.reveal();
    }

    choose(number, entry, place) {
      const lane = this.data.lanes[number];
      if (place === undefined) place = lane.entry.indexOf(entry);
      const event = this.event(entry);
      this.chosen = { lane: number, place, at: this.timeOf[entry] };
      show(String(event.type), `event ${entry} of ${this.data.events}, at ${time(this.timeOf[entry])}, ${lane.label.trim()}`,
        JSON.stringify(event, null, 2));
      this.reveal();
    }

    reveal() {
      const { at, lane } = this.chosen, width = this.to - this.from;
      if (at < this.from || at > this.to) this.move(at - width / 2 - this.from);
      for (const view of views) {
        if (view !== this) view.chosen = null;
        for (const row of view.rows) row.row.classList.toggle("chosen", view === this && row.number === lane);
        view.redraw();
      }
      const row = this.rows[lane + 1];
      if (row) row.row.scrollIntoView({ block: "nearest" });
    }

    click(number, event) {
      const lane = this.data.lanes[number], box = event.currentTarget.getBoundingClientRect();
      const at = this.from + (event.clientX - box.left) / box.width * (this.to - this.from);
      if (lane.at.length) this.chooseAt(number, nearest(lane.at, at));
      this.section.querySelector(".timeline").focus({ preventScroll: true });
    }

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "BUTTON") return;
      const width = this.to - this.from;
      const acts = {
        ArrowRight: () => event.shiftKey ? this.move(width / 5) : this.step(1),
        ArrowLeft: () => event.shiftKey ? this.move(-width / 5) : this.step(-1),
        ArrowDown: () => this.stepLane(1), ArrowUp: () => this.stepLane(-1),
        Home: () => this.step(-Infinity), End: () => this.step(Infinity),
        "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2), 0: () => this.fit(),
        Escape: hide,
      };
      const act = acts[event.key];
      if (act) { event.preventDefault(); act(); }
    }

    step(by) {
      const chosen = this.chosen, lane = chosen ? chosen.lane : 0, last = this.data.lanes[lane].at.length - 1;
      if (last >= 0) this.chooseAt(lane, chosen ? Math.max(0, Math.min(last, chosen.place + by)) : 0);
    }

    stepLane(by) {
      const { lanes } = this.data;
      let number = this.chosen ? this.chosen.lane + by : 0;
      while (lanes[number] && !lanes[number].at.length) number += by;
      if (lanes[number]) this.chooseAt(number, this.chosen ? nearest(lanes[number].at, this.chosen.at) : 0);
    }

    // ------------------------------------------------------------ the part of the time that is seen

    fit() { this.from = 0; this.to = this.data.span * 1.01; this.redraw(); }

    zoom(factor, at) {
      const width = this.to - this.from, whole = this.data.span * 1.01;
      if (at === undefined) at = this.chosen ? this.chosen.at : (this.from + this.to) / 2;
      const next = Math.max(0.5, Math.min(whole, width * factor));
      this.from = Math.max(0, Math.min(whole - next, at - (at - this.from) * next / width));
      this.to = this.from + next;
      this.redraw();
    }

    move(by) {
      const width = this.to - this.from;
      this.from = Math.max(0, Math.min(this.data.span * 1.01 - width, this.from + by));
      this.to = this.from + width;
      this.redraw();
    }

    wheel(event, canvas) {
      if (event.ctrlKey) {
        event.preventDefault();
        const box = canvas.getBoundingClientRect();
        this.zoom(event.deltaY > 0 ? 1.25 : 0.8,
          this.from + (event.clientX - box.left) / box.width * (this.to - this.from));
      } else if (event.deltaX || event.shiftKey) {
        event.preventDefault();
        this.move((event.deltaX || event.deltaY) / 800 * (this.to - this.from));
      }
    }

    redraw() {
      for (const row of this.rows) { row.dirty = true; if (row.visible) later(row); }
    }
  }
