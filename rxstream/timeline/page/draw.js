
  // -------------------------------------------------------------- drawing: one canvas a lane, only those in sight

  function nearest(sorted, value) {
    let low = 0, high = sorted.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] < value) low = middle + 1; else high = middle;
    }
    return low > 0 && value - sorted[low - 1] < sorted[low] - value ? low - 1 : low;
  }

  function draw(row) {
    const { canvas, view, number } = row, axis = number < 0, height = axis ? AXIS : LANE;
    const width = canvas.clientWidth, ratio = window.devicePixelRatio || 1;
    if (!width) return;
    row.dirty = false;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const x = (at) => (at - view.from) / (view.to - view.from) * width;
    drawSilences(pen, view, x, height);
    if (number === SILENCES) drawSilenceRow(pen, view, x);
    else if (axis) drawAxis(pen, view, x, width);
    else drawLane(pen, view, view.data.lanes[number], x, width);
    if (view.chosen) {
      const at = x(view.chosen.at);
      pen.fillStyle = colors.accent;
      pen.globalAlpha = 0.5;
      pen.fillRect(at - 0.5, 0, 1, height);
      pen.globalAlpha = 1;
      if (view.chosen.lane === number) {
        pen.strokeStyle = colors.accent;
        pen.lineWidth = 2;
        pen.beginPath();
        pen.arc(at, LANE / 2, 8, 0, 7);
        pen.stroke();
      }
    }
  }

  function drawSilences(pen, view, x, height) {
    for (const [start, end, , stall] of view.data.silences) {
      pen.fillStyle = stall ? colors.stall : colors.band;
      pen.globalAlpha = 0.6;
      pen.fillRect(x(start), 0, Math.max(1, x(end) - x(start)), height);
      pen.globalAlpha = 1;
    }
  }

  /** The row below the lanes: how long each silence is. */
  function drawSilenceRow(pen, view, x) {
    pen.font = "11px system-ui, sans-serif";
    for (const [start, end, name, stall] of view.data.silences) {
      const left = x(start), right = x(end), room = pen.measureText(name).width, middle = (left + right) / 2;
      pen.fillStyle = stall ? colors.warn : colors.soft;
      const named = right - left > room + 14;
      pen.fillRect(left + 1, AXIS / 2 - 4, 1, 8);
      pen.fillRect(right - 2, AXIS / 2 - 4, 1, 8);
      if (!named) { pen.fillRect(left + 1, AXIS / 2, Math.max(0, right - left - 2), 1); continue; }
      pen.fillRect(left + 1, AXIS / 2, middle - left - room / 2 - 5, 1);
      pen.fillRect(middle + room / 2 + 4, AXIS / 2, right - middle - room / 2 - 6, 1);
      pen.fillText(name, middle - room / 2, AXIS / 2 + 4);
    }
  }

  function drawAxis(pen, view, x, width) {
    const span = view.to - view.from;
    let step = 0.1;
    for (let factor = 0; step / span * width < 80; factor++) step *= [2, 2.5, 2][factor % 3];
    pen.font = "11px system-ui, sans-serif";
    for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
      const left = x(at);
      pen.fillStyle = colors.line;
      pen.fillRect(left, 0, 1, AXIS);
      const name = step < 1000 && view.to < 1000 ? `${+at.toFixed(1)} ms` : `${+(at / 1000).toFixed(4)} s`;
      if (left + pen.measureText(name).width + 4 < width) {
        pen.fillStyle = colors.soft;
        pen.fillText(name, left + 4, 15);
      }
    }
  }

  function drawLane(pen, view, lane, x, width) {
    const middle = LANE / 2, color = hue(lane), { kinds } = view.data;
    const last = lane.at.length ? lane.at[lane.at.length - 1] : lane.start;
    const left = x(lane.start), right = x(lane.end === null ? Math.max(lane.start, last) : lane.end);
    if (lane.role === "operator") { drawMarbles(pen, view, lane, x, width, left, right); return; }
    pen.fillStyle = color;
    const thin = lane.role === "part";
    const starts = lane.role === "tool" ? lane.at.filter((_, place) => kinds[lane.kind[place]] === "start") : lane.at;
    const waits = lane.role === "response" || lane.role === "tool";
    const begin = !waits ? left : starts.length ? x(starts[0]) : right;
    if (begin > left) {
      pen.globalAlpha = 0.35;
      for (let dot = left; dot < begin - 3; dot += 7) pen.fillRect(dot, middle - 1, 3, 2);
      pen.globalAlpha = 1;
    }
    pen.globalAlpha = thin ? 0.18 : lane.role === "response" ? 0.45 : 0.3;
    bar(pen, begin, thin ? LANE - 5 : middle - (lane.role === "response" ? 1.5 : 7), Math.max(2, right - begin),
      thin ? 2 : lane.role === "response" ? 3 : 14, thin ? 1 : 4);
    if (lane.end === null && !thin) {
      pen.globalAlpha = 0.6;
      pen.fillStyle = colors.warn;
      for (let dot = right + 3; dot < x(view.data.end); dot += 8) pen.fillRect(dot, middle - 1, 4, 2);
    }
    pen.globalAlpha = 1;
    drawDeltas(pen, view, lane, x, width, color, thin);
    const seen = new Set(), marks = [];
    lane.at.forEach((at, place) => {
      const kind = kinds[lane.kind[place]], column = x(at);
      if (kind === "delta" || column < -8 || column > width + 8) return;
      if (thin && (kind === "start" || kind === "done")) return;
      const key = `${Math.round(column)}${kind}`;
      if (seen.has(key)) return;
      seen.add(key);
      marks.push([kind, Math.max(4, Math.min(width - 4, column))]);
    });
    marks.sort(([a], [b]) => (a === "end" || a === "error") - (b === "end" || b === "error"));  // the last one is seen
    for (const [kind, column] of marks) mark(pen, kind, column, middle, color, lane);
    if (lane.role === "response" && lane.status === "failed" && !lane.kind.some((kind) => kinds[kind] === "error"))
      mark(pen, "error", Math.min(width - 6, right), middle, color, lane);
  }

  /** Deltas as bars of two pixels, each as high as the characters in it. */
  function drawDeltas(pen, view, lane, x, width, color, thin) {
    const bars = new Float64Array(Math.ceil(width / 2) + 1);
    let peak = 0;
    for (let place = 0; place < lane.at.length; place++) {
      if (view.data.kinds[lane.kind[place]] !== "delta") continue;
      const column = x(lane.at[place]);
      if (column < 0 || column > width) continue;
      const number = column >> 1;
      bars[number] += Math.max(1, lane.size[place]);
      peak = Math.max(peak, bars[number]);
    }
    pen.fillStyle = color;
    const room = thin ? LANE - 7 : 14, floor = thin ? LANE - 3 : LANE / 2 + 7;
    bars.forEach((size, number) => {
      if (!size) return;
      const height = Math.max(3, Math.sqrt(size / peak) * room);
      pen.fillRect(number * 2, floor - height, 1.6, height);
    });
  }

  function mark(pen, kind, at, middle, color, lane) {
    pen.fillStyle = kind === "error" || kind === "flag" ? colors.bad : kind === "end" ? colors.good : color;
    if (kind === "error" || kind === "flag") {
      pen.strokeStyle = colors.bad;
      pen.lineWidth = 2.5;
      pen.beginPath();
      for (const sign of [1, -1]) { pen.moveTo(at - 5, middle - 5 * sign); pen.lineTo(at + 5, middle + 5 * sign); }
      pen.stroke();
    } else if (kind === "end") bar(pen, at - 5, middle - 5, 10, 10, 2);
    else if (lane.role === "response") { pen.beginPath(); pen.arc(at, middle, 4, 0, 7); pen.fill(); }
    else if (kind === "progress") {
      pen.beginPath();
      pen.moveTo(at, middle - 5); pen.lineTo(at + 5, middle); pen.lineTo(at, middle + 5); pen.lineTo(at - 5, middle);
      pen.fill();
    } else pen.fillRect(at - 1, middle - 7, 2, 14);
  }

  function drawMarbles(pen, view, lane, x, width, left, right) {
    const middle = LANE / 2, { kinds } = view.data;
    pen.fillStyle = colors.operator;
    pen.globalAlpha = 0.5;
    pen.fillRect(left, middle - 0.5, Math.max(1, right - left), 1);
    pen.globalAlpha = 1;
    pen.font = "11px system-ui, sans-serif";
    let drawn = -Infinity;
    lane.at.forEach((at, place) => {
      const kind = kinds[lane.kind[place]], column = x(at);
      if (column < -8 || column > width + 8) return;
      if (kind === "end") { pen.fillStyle = colors.operator; pen.fillRect(column - 1, middle - 9, 2, 18); return; }
      if (kind === "error") { mark(pen, kind, Math.min(width - 6, column), middle, colors.bad, lane); return; }
      if (column - drawn < 2) return;
      drawn = column;
      pen.beginPath();
      pen.fillStyle = colors.operator;
      pen.arc(column, middle, 5, 0, 7);
      pen.fill();
      pen.lineWidth = 1;
      pen.strokeStyle = colors.card;
      pen.stroke();
      const room = (place + 1 < lane.at.length ? x(lane.at[place + 1]) : width) - column - 18;
      if (room < 24) return;
      const text = shorten(pen, lane.text[place].trim(), room);
      pen.fillStyle = colors.card;
      pen.fillRect(column + 8, middle - 7, pen.measureText(text).width + 4, 14);
      pen.fillStyle = colors.ink;
      pen.fillText(text, column + 10, middle + 4);
    });
  }

  function shorten(pen, text, room) {
    text = text.slice(0, 200);
    if (pen.measureText(text).width <= room) return text;
    while (text && pen.measureText(`${text}…`).width > room) text = text.slice(0, -Math.ceil(text.length / 8));
    return text ? `${text}…` : "";
  }

  function bar(pen, left, top, width, height, radius) {
    pen.beginPath();
    pen.roundRect(left, top, width, height, radius);
    pen.fill();
  }

  // -------------------------------------------------------------- the panel

  function show(title, about, text) {
    byId("panel").hidden = false;
    document.body.classList.add("open");
    byId("panel-title").textContent = title;
    byId("panel-about").textContent = about;
    byId("panel-json").textContent = text;
    byId("live").textContent = `${title}, ${about}`;
  }

  function hide() {
    byId("panel").hidden = true;
    document.body.classList.remove("open");
  }

  const waiting = new Set();
  function later(row) {
    if (!waiting.size) requestAnimationFrame(() => {
      const rows = [...waiting];
      waiting.clear();
      rows.forEach(draw);
    });
    waiting.add(row);
  }

  const watcher = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) {
      target.rx.visible = isIntersecting;
      if (isIntersecting && target.rx.dirty) later(target.rx);
    }
  }, { rootMargin: "200px" });
  const views = [];
  readColors();
  document.querySelectorAll("section.response").forEach((section) => views.push(new View(section)));
  byId("close").addEventListener("click", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  new ResizeObserver(() => views.forEach((view) => view.redraw())).observe(document.querySelector("main"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readColors();
    views.forEach((view) => view.redraw());
  });
  document.documentElement.dataset.ready = String(performance.now());
})();
