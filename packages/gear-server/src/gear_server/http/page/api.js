/** Requests to the server that this page came from, with the token if it wants one. */

const BASE = "api/v1/";
const KEY = "gear-token";

/** What the server answered instead, in its own words. */
export class Refusal extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export const setToken = (token) => sessionStorage.setItem(KEY, token);
export const hasToken = () => sessionStorage.getItem(KEY) !== null;

/** Ask, and return the response; anything but success is raised as a Refusal. */
export async function request(path, parameters = {}, options = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
  const token = sessionStorage.getItem(KEY);
  const response = await fetch(`${BASE}${path}${query.size ? `?${query}` : ""}`, {
    cache: "no-store",
    ...options,
    headers: token === null ? {} : { Authorization: `Bearer ${token}` },
  });
  if (!response.ok) throw new Refusal(response.status, await reason(response));
  return response;
}

export const get = async (path, parameters, options) => (await request(path, parameters, options)).json();
export const post = (path) => request(path, {}, { method: "POST" });

/** The detail of problem+json, or else the status. */
async function reason(response) {
  try {
    const problem = await response.json();
    return problem.detail || problem.title;
  } catch {
    return `The server answered ${response.status} ${response.statusText}`.trim();
  }
}
