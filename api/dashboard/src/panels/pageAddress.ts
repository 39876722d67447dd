/** Where a site's page is: null for whatever would lead anywhere but to the site itself. */
export function pageAddress(site: string, page: string): string | null {
  if (!page.startsWith("/")) return null;
  try {
    const home = new URL(`https://${site}`);
    const address = new URL(`https://${site}${page}`);
    return home.pathname === "/" && address.origin === home.origin ? address.href : null;
  } catch {
    return null;
  }
}
