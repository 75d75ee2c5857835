"use strict";
// Filter and topologies on demand. The page says everything without this script too.
const form = document.getElementById("filter");
const rows = [...document.querySelectorAll("#list tbody tr")];
const buttons = [...form.querySelectorAll("button")];
const words = form.querySelector("input");
const said = form.querySelector("output");
let texts = null;

function show() {
  texts ??= rows.map((row) => row.textContent.toLowerCase());
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  const kinds = buttons.filter((b) => b.ariaPressed === "true").map((b) => b.dataset.kind);
  let shown = 0;
  rows.forEach((row, n) => {
    const has = row.dataset.kinds.split(" ");
    const fits = wanted.every((word) => texts[n].includes(word)) && (!kinds.length || kinds.some((k) => has.includes(k)));
    row.hidden = !fits;
    shown += fits;
  });
  said.textContent = shown === rows.length ? "" : `${shown} of ${rows.length} domains`;
}

form.hidden = rows.length === 0;
form.addEventListener("submit", (event) => event.preventDefault());
words.addEventListener("input", show);
for (const button of buttons) {
  button.ariaPressed = "false";
  button.addEventListener("click", () => {
    button.ariaPressed = button.ariaPressed === "true" ? "false" : "true";
    show();
  });
}
document.addEventListener("toggle", (event) => {
  const details = event.target;
  const number = details.dataset?.topology;
  if (number && details.open && !details.querySelector(".tree")) {
    const tree = document.querySelector(`#t${number} .tree`);
    if (tree) details.append(tree.cloneNode(true));
  }
}, true);
