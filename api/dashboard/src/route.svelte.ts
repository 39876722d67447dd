/** Where the reader is: the address bar, as state. */

export type Place = { page: "sites" } | { page: "login" } | { page: "live"; site: string };

class Route {
  place = $state.raw<Place>(read(location));

  constructor() {
    addEventListener("popstate", () => (this.place = read(location)));
  }

  go(path: string): void {
    history.pushState(null, "", path);
    this.place = read(location);
    scrollTo(0, 0);
  }

  /** Follow a link of the page without loading it anew; what opens elsewhere is left alone. */
  follow = (event: MouseEvent): void => {
    const link = event.currentTarget as HTMLAnchorElement;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  };
}

function read(at: Location): Place {
  if (at.pathname === "/login") return { page: "login" };
  const site = new URLSearchParams(at.search).get("site");
  return at.pathname === "/live" && site ? { page: "live", site } : { page: "sites" };
}

export const livePath = (site: string): string => `/live?site=${encodeURIComponent(site)}`;

export const route = new Route();
