// Requests to the server that the page came from.

let key = "";

export class Refused extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

export function useKey(text) {
  key = text;
}

export function usesKey() {
  return key !== "";
}

// The JSON of an answer; a body makes it a POST. What the server refuses is thrown as its sentence.
export async function ask(path, body, signal) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  if (body) headers["Content-Type"] = "application/json";
  const options = { method: body ? "POST" : "GET", headers, signal };
  if (body) options.body = JSON.stringify(body);
  const unlessGivenUp = (instead) => (error) => {
    if (error.name === "AbortError") throw error;
    return instead();
  };
  const answer = await fetch(path, options).catch(unlessGivenUp(() => {
    throw new Refused("The server does not answer; is likely serve still running?", 0);
  }));
  const said = await answer.json().catch(unlessGivenUp(() => ({})));
  if (!answer.ok) throw new Refused(said.detail ?? `The server answered with status ${answer.status}.`, answer.status);
  return said;
}
