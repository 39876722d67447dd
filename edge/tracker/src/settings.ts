// What the page's author wrote on the script tag.

const script = document.currentScript as HTMLScriptElement;

/** `data-site`, `data-path`, `data-hash` and `data-local`; a bare attribute is an empty string. */
export const { site, path = "track", hash, local } = script.dataset;

/** Where events go: beside the script, unless `data-path` says otherwise. */
export const endpoint = new URL(path, script.src);
