/** Where the reader is: the address bar, as state. */

export type Place =
  | { page: "sites" | "add-site" | "keys" | "edges" | "owners" }
  | { page: "login" | "nowhere" }
  | { page: "setup" | "settings"; site: string }
  | { page: "live"; site: string }
  | { page: "overview"; site: string; search: string };

class Route {
  place = $state.raw<Place>(read(location));

  constructor() {
    addEventListener("popstate", () => (this.place = read(location)));
  }

  go(path: string): void {
    this.change(path);
    scrollTo(0, 0);
  }

  /** Go to another view of the same page, and stay where one has scrolled to. */
  change(path: string): void {
    const here = location.pathname + location.search + location.hash;
    if (path !== here) history.pushState(null, "", path);
    this.place = read(location);
  }

  /** As if the reader had come here at once. */
  replace(path: string): void {
    history.replaceState(null, "", path);
    this.place = read(location);
  }

  /** Follow a link of the page without loading it anew; what opens elsewhere is left alone. */
  follow = (event: MouseEvent): void => {
    const link = event.currentTarget as HTMLAnchorElement;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    this.go(link.pathname + link.search + link.hash);
  };
}

function read({ pathname, search }: Location): Place {
  if (pathname === "/") return { page: "sites" };
  if (pathname === "/login") return { page: "login" };
  if (pathname === "/add-site") return { page: "add-site" };
  if (pathname === "/keys") return { page: "keys" };
  if (pathname === "/edges") return { page: "edges" };
  if (pathname === "/owners") return { page: "owners" };
  const live = new URLSearchParams(search).get("site");
  if (pathname === "/live" && live) return { page: "live", site: live };
  const [, name = "", page] = /^\/sites\/([^/]+)(?:\/(setup|settings))?$/.exec(pathname) ?? [];
  const site = decode(name);
  if (!site) return { page: pathname === "/live" ? "sites" : "nowhere" };
  return page ? { page: page as "setup" | "settings", site } : { page: "overview", site, search };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

export const livePath = (site: string): string => `/live?site=${encodeURIComponent(site)}`;

/** `search`: the view, from the question mark on. */
export const overviewPath = (site: string, search = ""): string =>
  `/sites/${encodeURIComponent(site)}${search}`;

export const setupPath = (site: string): string => `${overviewPath(site)}/setup`;

export const settingsPath = (site: string): string => `${overviewPath(site)}/settings`;

export const route = new Route();
