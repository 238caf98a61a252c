// The interface in words, from openapi.json.

import { make } from "./text.js";

function resolved(schema, all) {
  return schema?.$ref ? all[schema.$ref.split("/").pop()] : schema;
}

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `list of ${schema.prefixItems ? "pairs" : typeOf(schema.items ?? {})}`;
  return schema.type ?? "anything";
}

// A table of the fields of an object, and of those that its fields have.
function fields(schema, all) {
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const must = (schema.required ?? []).includes(name);
    const standard = field.default === undefined ? "" : JSON.stringify(field.default);
    const row = make("tr", "", make("td", "", make("code", "", name)), make("td", "", typeOf(field)));
    row.append(make("td", "", must ? "needed" : standard), make("td", "", field.description ?? ""));
    return row;
  });
  const head = make("tr", "", ...["field", "type", "default", "meaning"].map((word) => make("th", "", word)));
  return make("div", "", make("table", "", make("thead", "", head), make("tbody", "", ...rows)));
}

function exampleOf(schema) {
  const named = Object.entries(schema.properties ?? {}).filter(([, field]) => field.examples);
  return Object.fromEntries(named.map(([name, field]) => [name, field.examples[0]]));
}

// JSON with a line for each field and for each item of a list.
function inLines(example) {
  const fields = Object.entries(example).map(([name, value]) => {
    const items = Array.isArray(value) ? value.map((item) => `\n    ${JSON.stringify(item)}`) : null;
    return `  ${JSON.stringify(name)}: ${items ? `[${items.join(",")}\n  ]` : JSON.stringify(value)}`;
  });
  return `{\n${fields.join(",\n")}\n}`;
}

function operation(method, path, about, all) {
  const section = make("section", "card", make("h2", "", make("code", "", `${method.toUpperCase()} ${path}`)));
  section.append(make("p", "", about.description ?? about.summary ?? ""));
  for (const parameter of about.parameters ?? []) {
    const words = `${parameter.name}: ${typeOf(parameter.schema)}`;
    section.append(make("p", "quiet", words));
  }
  const sent = resolved(about.requestBody?.content?.["application/json"]?.schema, all);
  if (sent) {
    section.append(make("h3", "", "Send"), fields(sent, all));
    const example = exampleOf(sent);
    if (Object.keys(example).length) section.append(make("pre", "", inLines(example)));
  }
  const got = resolved(about.responses["200"]?.content?.["application/json"]?.schema, all);
  if (got?.properties) section.append(make("h3", "", "Get"), fields(got, all));
  return section;
}

const openapi = await (await fetch("./openapi.json")).json();
const all = openapi.components.schemas;
for (const [path, methods] of Object.entries(openapi.paths)) {
  for (const [method, about] of Object.entries(methods)) {
    document.getElementById("operations").append(operation(method, path, about, all));
  }
}
const used = ["Cost", "PredictRecord", "Usage"].filter((name) => all[name]);
for (const name of used) {
  document.getElementById("operations").append(make("section", "card", make("h2", "", name), fields(all[name], all)));
}
