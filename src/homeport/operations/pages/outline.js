// Schemas as text that a person reads, and as a body to start from.

const DEEPEST = 4;

export function resolve(contract, node) {
  if (!node || !node.$ref) return node || {};
  const parts = node.$ref.slice(2).split("/");
  return parts.reduce((place, part) => place && place[part], contract) || {};
}

function choices(schema) {
  return schema.anyOf || schema.oneOf || schema.allOf;
}

export function outline(contract, node, depth = 0) {
  const name = node && node.$ref ? node.$ref.split("/").pop() : null;
  const schema = resolve(contract, node);
  if (choices(schema)) {
    return choices(schema).map((choice) => outline(contract, choice, depth)).join(" | ");
  }
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `[${outline(contract, schema.items, depth)}]`;
  if (!schema.properties) return schema.format || schema.type || "any";
  if (depth >= DEEPEST) return name || "object";
  return members(contract, schema, depth);
}

function members(contract, schema, depth) {
  const indent = "  ".repeat(depth + 1);
  const required = new Set(schema.required || []);
  const lines = Object.entries(schema.properties).map(([key, value]) => {
    const mark = required.has(key) ? "" : "?";
    const note = value.description ? `  // ${value.description}` : "";
    return `${indent}${key}${mark}: ${outline(contract, value, depth + 1)}${note}`;
  });
  return `{\n${lines.join("\n")}\n${"  ".repeat(depth)}}`;
}

// The members that must be there, each with a value of its type.
export function example(contract, node, depth = 0) {
  const schema = resolve(contract, node);
  if (schema.examples) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (choices(schema)) return example(contract, choices(schema)[0], depth);
  if (schema.type === "array") {
    return schema.minItems && depth < DEEPEST ? [example(contract, schema.items, depth + 1)] : [];
  }
  if (schema.type === "object" || schema.properties) {
    const required = depth < DEEPEST ? schema.required || [] : [];
    const made = required.map((key) => [key, example(contract, schema.properties[key], depth + 1)]);
    return Object.fromEntries(made);
  }
  return { integer: 0, number: 0, boolean: false, string: "" }[schema.type] ?? null;
}
