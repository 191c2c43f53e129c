// Sorting and filtering of tables that are complete without this script. The state lives in the address, after the #.

const controls = document.querySelector(".controls");
const groups = [...document.querySelectorAll(".group")];
const field = (id) => document.getElementById(id);
const state = { sort: "", dir: "", q: "", family: "", group: "0", failed: "" };

function read() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(state)) state[name] = given.get(name) ?? (name === "group" ? "0" : "");
  if (!groups.some((group) => group.dataset.group === state.group)) state.group = "0";
}

function write() {
  const kept = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) if (value && !(name === "group" && value === "0")) kept.set(name, value);
  const hash = kept.toString();
  history.replaceState(null, "", hash ? "#" + hash : location.pathname + location.search);
}

function compare(numeric, direction) {
  const sign = direction === "descending" ? -1 : 1;
  return (a, b) => {
    if (a.key === "" || b.key === "") return (a.key === "") - (b.key === "") || a.place - b.place; // unknown is last in both
    const order = numeric ? Number(a.key) - Number(b.key) : a.key.localeCompare(b.key);
    return sign * order || a.place - b.place;
  };
}

function sort(group) {
  const heads = [...group.querySelectorAll(".board thead th")];
  const wanted = heads.findIndex((head) => head.dataset.id && head.dataset.id === state.sort);
  const column = wanted < 0 ? 0 : wanted;
  const head = heads[column];
  const direction = wanted >= 0 && ["ascending", "descending"].includes(state.dir) ? state.dir : head.dataset.first;
  for (const one of heads) one.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", direction);
  const body = group.querySelector(".board tbody");
  const rows = [...body.rows].map((row) => ({ row, key: row.cells[column].dataset.sort, place: Number(row.dataset.place) }));
  rows.sort(compare("numeric" in head.dataset, direction));
  body.append(...rows.map((one) => one.row));
}

function filter(group) {
  const words = state.q.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  let all = 0;
  for (const row of group.querySelectorAll("tbody tr")) {
    const text = row.dataset.text.toLocaleLowerCase();
    const fits = words.every((word) => text.includes(word)) && (!state.family || row.dataset.family === state.family);
    row.hidden = !fits || (state.failed === "hide" && "failed" in row.dataset);
    all += 1;
    shown += row.hidden ? 0 : 1;
  }
  field("count").textContent = shown === all ? `${all} rows` : `${shown} of ${all} rows`;
}

function show() {
  for (const group of groups) group.hidden = group.dataset.group !== state.group;
  const current = groups.find((group) => !group.hidden);
  field("search").value = state.q;
  field("family").value = state.family;
  if (field("group")) field("group").value = state.group;
  if (field("failed")) field("failed").checked = state.failed === "hide";
  sort(current);
  filter(current);
}

function change(values) {
  Object.assign(state, values);
  write();
  show();
}

function makeSortable(head) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = head.textContent;
  head.replaceChildren(button);
  button.addEventListener("click", () => {
    const before = head.getAttribute("aria-sort");
    const turned = before === "ascending" ? "descending" : "ascending";
    change({ sort: head.dataset.id, dir: before ? turned : head.dataset.first });
  });
}

// Where columns are out of sight on the right, the edge of the table fades.
function fade(box) {
  box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
}

for (const box of document.querySelectorAll(".group .scroll")) {
  box.addEventListener("scroll", () => fade(box), { passive: true });
  new ResizeObserver(() => fade(box)).observe(box);
}
for (const group of groups) [...group.querySelectorAll(".board tbody tr")].forEach((row, place) => (row.dataset.place = place));
document.querySelectorAll(".board thead th[data-id]").forEach(makeSortable);
field("search").addEventListener("input", (event) => change({ q: event.target.value }));
field("family").addEventListener("change", (event) => change({ family: event.target.value }));
field("group")?.addEventListener("change", (event) => change({ group: event.target.value, sort: "", dir: "" }));
field("failed")?.addEventListener("change", (event) => change({ failed: event.target.checked ? "hide" : "" }));
field("reset").addEventListener("click", () => change({ sort: "", dir: "", q: "", family: "", failed: "" }));
controls.addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", () => (read(), show()));
controls.hidden = false;
read();
show();
