// The page's request as a command and as a program.

function shellQuoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

export function asCurl(url, body, withKey) {
  const lines = [`curl ${shellQuoted(url)}`, `  -H 'Content-Type: application/json'`];
  if (withKey) lines.push(`  -H "Authorization: Bearer $KEY"`);
  lines.push(`  -d ${shellQuoted(JSON.stringify(body))}`);
  return lines.join(" \\\n");
}

function asPythonValue(value, indent) {
  const deeper = `${indent}    `;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item !== "object")) {
      return `[${value.map((item) => asPythonValue(item, deeper)).join(", ")}]`;
    }
    return `[\n${value.map((item) => `${deeper}${asPythonValue(item, deeper)},\n`).join("")}${indent}]`;
  }
  if (typeof value === "object") {
    const items = Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${asPythonValue(item, deeper)}`);
    return `{${items.join(", ")}}`;
  }
  return JSON.stringify(value);
}

export function asPython(url, body, withKey) {
  const names = Object.entries(body).map(([name, value]) => `    ${JSON.stringify(name)}: ${asPythonValue(value, "    ")},\n`);
  const key = withKey ? `, "Authorization": "Bearer KEY"` : "";
  return [
    "import json",
    "import urllib.request",
    "",
    `body = {\n${names.join("")}}`,
    `headers = {"Content-Type": "application/json"${key}}`,
    `request = urllib.request.Request(${JSON.stringify(url)}, json.dumps(body).encode(), headers)`,
    "for row in json.load(urllib.request.urlopen(request))[\"ranked\"]:",
    `    print(f"{row['p_yes']:.2f}  {row['title']}")`,
    "",
  ].join("\n");
}
