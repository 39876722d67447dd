/** Where the reader is: the address bar, as state. */

export type Place =
  | { page: "sites" }
  | { page: "login" }
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
    if (path !== location.pathname + location.search) history.pushState(null, "", path);
    this.place = read(location);
  }

  /** Follow a link of the page without loading it anew; what opens elsewhere is left alone. */
  follow = (event: MouseEvent): void => {
    const link = event.currentTarget as HTMLAnchorElement;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  };
}

function read({ pathname, search }: Location): Place {
  if (pathname === "/login") return { page: "login" };
  const live = new URLSearchParams(search).get("site");
  if (pathname === "/live" && live) return { page: "live", site: live };
  const site = decode(/^\/sites\/([^/]+)$/.exec(pathname)?.[1] ?? "");
  return site ? { page: "overview", site, search } : { page: "sites" };
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

export const route = new Route();
