// The published contract as a page: read it, search it, print it, try it.

import { attempt } from "/docs/attempt.js";
import { element } from "/docs/element.js";
import { outline, resolve } from "/docs/outline.js";

const METHODS = ["get", "post", "put", "patch", "delete"];

function contents(contract, holder) {
  return Object.entries(holder.content || {}).map(([kind, media]) =>
    element("pre", {}, `${kind}\n${outline(contract, media.schema)}`));
}

function parameters(contract, list) {
  const rows = list.map((given) => resolve(contract, given)).map((parameter) =>
    element("tr", {},
      element("td", {}, element("code", {}, parameter.name)),
      element("td", {}, parameter.in + (parameter.required ? ", required" : "")),
      element("td", {}, outline(contract, parameter.schema)),
      element("td", {}, parameter.description || "")));
  return element("table", {}, ...rows);
}

function describe(contract, path, method, operation) {
  const title = element("h3", {},
    element("span", { className: "method" }, method.toUpperCase()), ` ${path}`);
  const made = element("section", { id: operation.operationId }, title);
  for (const paragraph of (operation.description || "").split("\n\n")) {
    made.append(element("p", {}, paragraph));
  }
  if (operation.parameters) made.append(parameters(contract, operation.parameters));
  if (operation.requestBody) made.append(...contents(contract, operation.requestBody));
  for (const [status, given] of Object.entries(operation.responses)) {
    if (status === "default") continue;
    const answer = resolve(contract, given);
    made.append(element("p", {}, element("strong", {}, status), ` ${answer.description || ""}`));
    made.append(...contents(contract, answer));
  }
  made.append(attempt(contract, path, method, operation));
  return made;
}

function grouped(contract) {
  const groups = new Map();
  for (const [path, item] of Object.entries(contract.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const tag = (item[method].tags || ["other"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push([path, method, item[method]]);
    }
  }
  return groups;
}

function failures(contract) {
  const answer = resolve(contract, { $ref: "#/components/responses/Error" });
  return element("section", { id: "failures" }, element("h3", {}, "Failures"),
    element("p", {}, answer.description || ""), ...contents(contract, answer));
}

function narrow(wanted) {
  for (const group of document.querySelectorAll(".group")) {
    for (const entry of group.querySelectorAll("[data-name]")) {
      entry.hidden = !entry.dataset.name.toLowerCase().includes(wanted.toLowerCase());
    }
    group.hidden = !group.querySelector("[data-name]:not([hidden])");
  }
}

function named(entry, path, method) {
  entry.dataset.name = `${method.toUpperCase()} ${path}`;
  return entry;
}

function show(contract) {
  const index = document.getElementById("index");
  const reference = document.getElementById("reference");
  reference.replaceChildren(
    element("h1", {}, `${contract.info.title} ${contract.info.version}`),
    element("p", {}, contract.info.description || ""),
    element("p", {}, element("a", { href: "/openapi.json" }, "openapi.json")));
  for (const [tag, operations] of grouped(contract)) {
    const links = operations.map(([path, method, operation]) => named(
      element("a", { href: `#${operation.operationId}` }, `${method.toUpperCase()} ${path}`), path, method));
    const sections = operations.map(([path, method, operation]) => named(
      describe(contract, path, method, operation), path, method));
    index.append(element("div", { className: "group" }, element("h2", {}, tag), ...links));
    reference.append(element("div", { className: "group" }, element("h2", {}, tag), ...sections));
  }
  reference.append(failures(contract));
  const filter = document.getElementById("filter");
  filter.addEventListener("input", () => narrow(filter.value));
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

try {
  show(await (await fetch("/openapi.json")).json());
} catch (error) {
  document.getElementById("reference").textContent = `The contract cannot be read: ${error}`;
}
