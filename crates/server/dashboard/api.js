// Asks the admin plane. An answer that is no success is an Error with paddock's own words.

export const model = (id, rest = "") => `/api/models/${encodeURIComponent(id)}${rest}`;
export const request = (id, rest = "") => `/api/requests/${encodeURIComponent(id)}${rest}`;

export async function ask(method, path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { method, cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("cannot reach paddock");
  }
  if (answer.ok) return answer;
  const error = new Error(await reason(answer));
  error.status = answer.status;
  throw error;
}

export const get = async (path, options) => (await ask("GET", path, options)).json();

async function reason(answer) {
  const text = await answer.text().catch(() => "");
  try {
    const body = JSON.parse(text);
    return body.error?.message ?? body.message ?? text;
  } catch {
    return text || `${answer.status} ${answer.statusText}`;
  }
}
