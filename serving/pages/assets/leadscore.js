"use strict";
/* What the pages do beside their links and forms, all of which work without it:

   [data-row]                 j and k (or the arrow keys while a row has the focus) move between rows, Enter follows the row's [data-open],
                              o opens its [data-override] (a <details>, or whatever can be clicked), n follows the page's [data-following]
   form[data-confirm="..."]   asks before it sends
   form[data-send-on-change]  sends when a field of it changes
   [data-chart="{...}"]       a chart over time, drawn by uPlot into its .plot
   [data-here]                is sent as where the visitor is by then, htmx having moved on
   [data-at-end]              shows its last lines
   [data-without-script]      is hidden: it does what a script does by itself
   time[datetime]             tells the visitor's own time when pointed at */
(() => {
  const language = document.documentElement.lang;
  document.documentElement.classList.add("scripted");
  const typing = (element) => element.closest("input, select, textarea, [contenteditable], dialog") !== null;

  /* Keys */

  const rows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);

  function goTo(row) {
    const target = row.querySelector("[data-open]") || row.querySelector("summary") || row;
    target.focus();
    row.scrollIntoView({ block: "nearest" });
  }

  function move(by) {
    const all = rows();
    if (all.length === 0) return;
    const at = all.findIndex((row) => row.contains(document.activeElement));
    goTo(all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)]);
  }

  function override() {
    const row = document.activeElement.closest("[data-row]") || rows()[0];
    const opener = row && row.querySelector("[data-override]");
    if (!opener) return false;
    if (opener instanceof HTMLDetailsElement) {
      opener.open = true;
      (opener.querySelector("input:not([type=hidden]), select, textarea, button") || opener).focus();
    } else {
      opener.click();
    }
    return true;
  }

  function turn() {
    const following = document.querySelector("[data-following]");
    if (following) following.click();
    return following !== null;
  }

  const KEYS = { j: () => (move(1), true), k: () => (move(-1), true), o: override, n: turn };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    const open = event.target.closest && event.target.closest("[data-override][open]");
    if (event.key === "Escape" && open) {
      open.open = false;
      goTo(open.closest("[data-row]") || open);
      return;
    }
    if (typing(event.target)) return;
    const inRow = event.target.closest("[data-row]") !== null;
    const key = inRow ? { ArrowDown: "j", ArrowUp: "k" }[event.key] || event.key : event.key;
    if (Object.hasOwn(KEYS, key) && document.querySelector("[data-row]") && KEYS[key]()) event.preventDefault();
  });

  /* Forms */

  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
    for (const back of event.target.querySelectorAll("[data-here]")) back.value = location.pathname + location.search;
  });

  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-send-on-change]");
    if (form) form.requestSubmit();
  });

  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });

  /* Charts */

  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const forms = {
    percent: new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 }),
    number: new Intl.NumberFormat(language, { maximumFractionDigits: 2 }),
  };
  const LONG = 28 * 86400;
  const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
  const month = new Intl.DateTimeFormat(language, { month: "short", year: "numeric" });
  const minute = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  const charts = new Map();

  function options(told, width) {
    const form = forms[told.unit] || forms.number;
    const line = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
    const value = (_, number) => (number === null || number === undefined ? "–" : form.format(number));
    const two = told.series.some((one) => one.right);
    const fromZero = { range: (_, low, high) => [Math.min(0, low || 0), (high || 0) * 1.1 || 1] };
    return {
      width,
      height: Math.round(Math.min(320, Math.max(180, width * 0.4))),
      scales: { y: fromZero, right: fromZero },
      axes: [
        { ...line, space: 70, values: (_, ticks, __, ___, step) => ticks.map((tick) => (step < LONG ? day : month).format(tick * 1000)) },
        { ...line, size: 60, values: (_, ticks) => ticks.map((tick) => form.format(tick)) },
        ...(two ? [{ ...line, size: 40, side: 1, scale: "right", grid: { show: false }, values: (_, ticks) => ticks.map((tick) => (tick % 1 ? "" : tick)) }] : []),
      ],
      series: [
        { label: told.when, value: (_, at) => (at === null || at === undefined ? "–" : minute.format(at * 1000)) },
        ...told.series.map((one, n) => ({
          label: one.name,
          scale: one.right ? "right" : "y",
          dash: one.right ? [4, 4] : undefined,
          stroke: colour(`--series-${(n % 4) + 1}`),
          width: 2,
          points: { show: told.x.length < 60 },
          spanGaps: true,
          value,
        })),
      ],
    };
  }

  function draw(figure) {
    const place = figure.querySelector(".plot");
    const told = JSON.parse(figure.dataset.chart);
    if (!window.uPlot || !place || place.clientWidth === 0) return;
    charts.get(figure)?.destroy();
    charts.set(figure, new window.uPlot(options(told, place.clientWidth), [told.x, ...told.series.map((one) => one.values)], place));
  }

  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const figure = target.closest("[data-chart]");
      const chart = charts.get(figure);
      if (!chart) draw(figure);
      else if (chart.width !== target.clientWidth) draw(figure);
    }
  });

  dark.addEventListener("change", () => charts.forEach((_, figure) => draw(figure)));

  /* What is new on the page, at first all of it */

  function arrived(part) {
    for (const place of part.querySelectorAll("[data-chart] .plot")) resized.observe(place);
    for (const log of part.querySelectorAll("[data-at-end]")) log.scrollTop = log.scrollHeight;
    for (const time of part.querySelectorAll("time[datetime]:not([title])")) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) time.title = minute.format(at);
    }
  }

  document.addEventListener("htmx:afterSettle", (event) => {
    for (const figure of charts.keys()) if (!figure.isConnected) charts.delete(figure);
    arrived(event.target.parentElement || document);
  });

  document.addEventListener("htmx:sendError", () => {
    const notice = document.getElementById("notice");
    if (!notice) return;
    const told = document.createElement("p");
    told.className = "alert bad";
    told.textContent = notice.dataset.offline;
    notice.replaceChildren(told);
  });

  document.addEventListener("htmx:beforeRequest", () => document.getElementById("notice")?.replaceChildren());

  arrived(document);
})();
