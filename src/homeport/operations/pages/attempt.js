// "Try it": a form for one operation, the same call as a curl line, and what the server answers.

import { element } from "/docs/element.js";
import { example, resolve } from "/docs/outline.js";

const MOST_SHOWN = 200_000; // characters of an answer; a stream may be endless
const JSON_TYPE = "application/json";
const FORM_TYPE = "application/x-www-form-urlencoded";

export function attempt(contract, path, method, operation) {
  const fields = (operation.parameters || []).map((given) => field(resolve(contract, given)));
  const body = bodyField(contract, operation.requestBody);
  const send = element("button", { type: "submit" }, "Send");
  const stop = element("button", { type: "button", disabled: true }, "Stop");
  const shown = element("pre", { className: "answer", hidden: true });
  const form = element("form", {},
    ...fields.map((each) => each.label), ...(body ? [body.label] : []), send, stop, shown);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const call = new AbortController();
    stop.onclick = () => call.abort();
    shown.hidden = false;
    [send.disabled, stop.disabled] = [true, false];
    await perform(request(path, method, operation, fields, body), call.signal, shown);
    [send.disabled, stop.disabled] = [false, true];
  });
  return element("details", { className: "try" }, element("summary", {}, "Try it"), form);
}

function field(parameter) {
  const input = element("input", { name: parameter.name, required: Boolean(parameter.required) });
  const label = element("label", {}, `${parameter.name} (${parameter.in})`, input);
  return { parameter, input, label };
}

function bodyField(contract, holder) {
  const content = Object.entries((holder && holder.content) || {});
  if (content.length === 0) return null;
  const [kind, media] = content.find(([type]) => type === JSON_TYPE) || content[0];
  const value = example(contract, media.schema);
  const text = kind === FORM_TYPE ? new URLSearchParams(value).toString()
    : JSON.stringify(value, null, 2);
  const input = element("textarea", { value: text, rows: Math.min(text.split("\n").length + 1, 16) });
  return { kind, input, label: element("label", {}, kind, input) };
}

function request(path, method, operation, fields, body) {
  const headers = new Headers();
  const query = new URLSearchParams();
  let address = path;
  for (const { parameter, input } of fields) {
    if (parameter.in === "path") {
      address = address.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    } else if (input.value !== "") {
      (parameter.in === "header" ? headers : query).append(parameter.name, input.value);
    }
  }
  const key = document.getElementById("key").value.trim();
  if (key && operation.security) headers.set("Authorization", `Bearer ${key}`);
  const text = body && body.input.value.trim() ? body.input.value : undefined;
  if (text) headers.set("Content-Type", body.kind);
  const search = query.size ? `?${query}` : "";
  return { url: location.origin + address + search, method: method.toUpperCase(), headers, body: text };
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function curl({ url, method, headers, body }) {
  const shown = [...headers].map(([name, value]) =>
    `-H ${quoted(name === "authorization" ? `${name}: Bearer $KEY` : `${name}: ${value}`)}`);
  const line = ["curl -N", method === "GET" ? "" : `-X ${method}`, quoted(url), ...shown,
    body ? `-d ${quoted(body)}` : ""].filter(Boolean).join(" ");
  return line.replace("'authorization: Bearer $KEY'", '"Authorization: Bearer $KEY"');
}

async function perform(call, signal, shown) {
  const head = `${curl(call)}\n\n`;
  shown.textContent = head;
  try {
    const answer = await fetch(call.url, { ...call, signal, credentials: "omit" });
    shown.textContent = `${head}${answer.status} ${answer.statusText}\n`;
    await (isJSON(answer) ? whole : piecemeal)(answer, shown);
  } catch (error) {
    shown.append(signal.aborted ? "\n(stopped)" : `\n${error}`);
  }
}

function isJSON(answer) {
  return /[/+]json/.test(answer.headers.get("content-type") || "");
}

async function whole(answer, shown) {
  const text = await answer.text();
  shown.append(text ? JSON.stringify(JSON.parse(text), null, 2).slice(0, MOST_SHOWN) : "");
}

async function piecemeal(answer, shown) {
  if (!answer.body) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    shown.textContent = (shown.textContent + read.value).slice(-MOST_SHOWN);
  }
}
