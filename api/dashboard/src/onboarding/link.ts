/** The token of a sign-in link. It stands behind the `#`, which browsers send to no server. */

const BEFORE = "#token=";

/** Taken out of the address at once, so that nobody who looks over a shoulder later finds it. */
export function takeLinkToken(): string | null {
  if (location.pathname !== "/login" || !location.hash.startsWith(BEFORE)) return null;
  const token = location.hash.slice(BEFORE.length);
  history.replaceState(null, "", location.pathname);
  return token;
}
