"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function resolve(contract, node) {
  if (!node || !node.$ref) return node || {};
  const parts = node.$ref.slice(2).split("/");
  return parts.reduce((place, part) => place[part], contract) || {};
}

function outline(contract, node, depth) {
  const name = node && node.$ref ? node.$ref.split("/").pop() : null;
  const schema = resolve(contract, node);
  const choices = schema.anyOf || schema.oneOf || schema.allOf;
  if (choices) return choices.map((choice) => outline(contract, choice, depth)).join(" | ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `[${outline(contract, schema.items, depth)}]`;
  if (!schema.properties) return schema.format || schema.type || "any";
  if (depth > 3) return name || "object";
  const indent = "  ".repeat(depth + 1);
  const required = new Set(schema.required || []);
  const lines = Object.entries(schema.properties).map(([key, value]) => {
    const mark = required.has(key) ? "" : "?";
    const note = value.description ? `  // ${value.description}` : "";
    return `${indent}${key}${mark}: ${outline(contract, value, depth + 1)}${note}`;
  });
  return `{\n${lines.join("\n")}\n${"  ".repeat(depth)}}`;
}

function content(contract, holder) {
  const [kind, media] = Object.entries(holder.content || {})[0] || [];
  return kind ? `${kind}\n${outline(contract, media.schema, 0)}` : "";
}

function parameters(list) {
  const rows = list.map((parameter) =>
    element("tr", {},
      element("td", {}, element("code", {}, parameter.name)),
      element("td", {}, parameter.in + (parameter.required ? ", required" : "")),
      element("td", {}, parameter.description || "")));
  return element("table", {}, ...rows);
}

function describe(contract, path, method, operation) {
  const id = operation.operationId;
  const title = element("h3", {},
    element("span", { className: "method" }, method.toUpperCase()), ` ${path}`);
  const made = element("section", { id }, title, element("p", {}, operation.description || ""));
  if (operation.parameters) made.append(parameters(operation.parameters));
  if (operation.requestBody) {
    made.append(element("pre", {}, content(contract, operation.requestBody)));
  }
  for (const [status, given] of Object.entries(operation.responses)) {
    const answer = resolve(contract, given);
    const text = content(contract, answer);
    made.append(element("p", {}, element("strong", {}, status), ` ${answer.description || ""}`));
    if (text && status !== "default") made.append(element("pre", {}, text));
  }
  return made;
}

function show(contract) {
  const index = document.getElementById("index");
  const reference = document.getElementById("reference");
  reference.replaceChildren(
    element("h1", {}, `${contract.info.title} ${contract.info.version}`),
    element("p", {}, contract.info.description || ""));
  const groups = new Map();
  for (const [path, item] of Object.entries(contract.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const operation = item[method];
      const tag = (operation.tags || ["other"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push([path, method, operation]);
    }
  }
  for (const [tag, operations] of groups) {
    const links = operations.map(([path, method, operation]) =>
      element("a", { href: `#${operation.operationId}` }, `${method.toUpperCase()} ${path}`));
    index.append(element("div", { className: "group" }, element("h2", {}, tag), ...links));
    reference.append(element("h2", {}, tag),
      ...operations.map((each) => describe(contract, ...each)));
  }
  document.getElementById("filter").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const link of index.querySelectorAll("a")) {
      link.hidden = !link.textContent.toLowerCase().includes(wanted);
    }
  });
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

fetch("/openapi.json")
  .then((answer) => answer.json())
  .then(show)
  .catch((error) => {
    document.getElementById("reference").textContent = `The contract cannot be read: ${error}`;
  });
