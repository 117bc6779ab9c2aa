"use strict";
// Comfort only: the page says all it has to say without this script. Text is set, never parsed.

// The theme: what the system says, until the button is pressed.
const theme = document.getElementById("theme");
const system = matchMedia("(prefers-color-scheme: dark)");
function dark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : system.matches;
}
function name() {
  theme.textContent = dark() ? "Light theme" : "Dark theme";
}
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = dark() ? "light" : "dark";
  name();
});
system.addEventListener("change", name);
name();
theme.hidden = false;

// A link into something closed opens it.
function reveal() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (!target) return;
  let opened = false;
  for (let at = target; at; at = at.parentElement) {
    if (at instanceof HTMLDetailsElement && !at.open) {
      at.open = true;
      opened = true;
    }
  }
  if (opened) target.scrollIntoView();
}
addEventListener("hashchange", reveal);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (link && link.hash === location.hash) reveal();
});
reveal();

// On paper nothing can be opened.
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details.evidence:not([open]), details.guide:not([open]), details.wide:not([open])")];
  for (const details of opened) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of opened) details.open = false;
  opened = [];
});

// Rows of sessions that do not stand in the page.
const ROWS = 200;
const SESSIONS = 100;
const source = document.getElementById("requests-data");
if (source) sessions(source);

function sessions(source) {
  const list = document.getElementById("session-list");
  const told = list.dataset.told === "1";
  let parsed = null;
  const data = () => (parsed ??= JSON.parse(source.textContent));
  list.addEventListener(
    "toggle",
    (event) => {
      const session = event.target;
      if (!session.open || !session.dataset.index || session.dataset.filled) return;
      session.dataset.filled = "1";
      fill(session, data(), told);
    },
    true,
  );
  const rest = document.getElementById("more-sessions");
  if (!rest) return;
  const more = button(list, "Show more sessions", () => {
    const shown = list.querySelectorAll("details.session").length;
    const all = data().sessions;
    for (let at = shown; at < Math.min(shown + SESSIONS, all.length); at++) more.before(heading(all[at], at));
    const made = Math.min(shown + SESSIONS, all.length);
    const left = all.length - made + data().beyond;
    if (made === all.length) more.remove();
    if (left) rest.textContent = `${exact(left)} more sessions.`;
    else rest.remove();
  });
}

function heading([id, scope, prompt, hit, again], index) {
  const session = element("details", "session");
  session.dataset.index = index;
  const summary = element("summary");
  const who = element("span", "who");
  who.append(element("b", "name", id), " ", element("span", "", scope));
  summary.append(
    who,
    element("span", "num", `${exact(prompt)} prompt`),
    element("span", "num", `${share(hit, prompt)} hit`),
    element("span", "num", `${exact(again)} again`),
  );
  session.append(summary);
  return session;
}

function fill(session, data, told) {
  const [id, , , , , lineages, left] = data.sessions[Number(session.dataset.index)];
  const scroll = element("div", "scroll");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", `Requests of session ${id}`);
  const table = element("table", "requests");
  table.append(element("caption", "hidden", `Requests of session ${id}`), head(told));
  scroll.append(table);
  session.append(scroll);
  const rows = function* () {
    for (const [name, requests] of lineages) {
      yield [name, requests.length];
      yield* requests;
    }
  }();
  let body = null;
  const note = () => {
    if (left) session.append(element("p", "more", `${exact(left)} more requests: -o requests.csv has them all.`));
    return false;
  };
  const next = () => {
    for (let made = 0; made < ROWS; made++) {
      const { value, done } = rows.next();
      if (done) return note();
      if (value.length === 2) {
        body = element("tbody");
        body.append(lineage(value, told));
        table.append(body);
      } else body.append(row(value, data, told));
    }
    return true;
  };
  if (next()) {
    const more = button(session, "Show more requests", () => {
      if (!next()) more.remove();
    });
  }
}

function head(told) {
  const titles = ["request", "start", "prompt", "hit", "again", ...(told ? ["reported"] : []), "what broke its prefix", "outcomes by place"];
  const line = element("tr");
  titles.forEach((title, at) => {
    const cell = element("th", at > 0 && at < titles.length - 2 ? "num" : "", title);
    cell.scope = "col";
    line.append(cell);
  });
  const top = element("thead");
  top.append(line);
  return top;
}

function lineage([name, requests], told) {
  const line = element("tr", "lineage");
  const cell = element("th");
  cell.scope = "rowgroup";
  cell.colSpan = told ? 8 : 7;
  cell.append("lineage ", element("b", "name", name), " ", element("span", "", requests === 1 ? "1 request" : `${exact(requests)} requests`));
  line.append(cell);
  return line;
}

function row([number, id, view, start, prompt, hit, again, reported, broke, bar], data, told) {
  const line = element("tr");
  line.id = `request-${number}`;
  const first = element("th");
  first.scope = "row";
  if (view) {
    const link = element("a", "", id);
    link.href = `#view-${view}`;
    first.append(link);
  } else first.append(element("span", "name", id));
  line.append(first);
  const figures = [start, exact(prompt), share(hit, prompt), exact(again)];
  if (told) figures.push(reported < 0 ? "" : exact(reported));
  for (const figure of figures) line.append(element("td", "num", figure));
  line.append(element("td", "where", broke));
  const cell = element("td", "mini");
  cell.append(picture(bar, data));
  line.append(cell);
  return line;
}

function picture(bar, data) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "bar");
  svg.setAttribute("aria-hidden", "true");
  let at = 0;
  for (const [, letter, steps] of bar.matchAll(/([a-z])(\d+)/g)) {
    const part = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    part.setAttribute("class", `o-${data.outcomes[letter]}`);
    part.setAttribute("x", `${(100 * at) / data.steps}%`);
    part.setAttribute("width", `${(100 * steps) / data.steps}%`);
    part.setAttribute("height", "100%");
    svg.append(part);
    at += Number(steps);
  }
  return svg;
}

function element(tag, kind = "", text = "") {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  if (text) made.textContent = text;
  return made;
}

function button(parent, text, pressed) {
  const made = element("button", "load", text);
  made.type = "button";
  made.addEventListener("click", pressed);
  parent.append(made);
  return made;
}

function exact(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

// As `cachelens.report.units.share`: what is not nothing is never 0, what is not all is never 100 %.
function share(part, whole) {
  if (!whole) return "-";
  if (part === 0) return "0 %";
  if (part === whole) return "100 %";
  const scaled = Math.floor((2000 * part + whole) / (2 * whole));
  if (scaled === 0) return "<0.1 %";
  if (scaled >= 1000) return ">99.9 %";
  return `${Math.floor(scaled / 10)}.${scaled % 10} %`;
}
