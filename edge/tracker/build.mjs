// dist/t.js: the tracker, as pages load it. dist/core.js: the same without manners, for pages that count every byte.
// esbuild joins the modules, terser shortens what is left.

import { mkdir, writeFile } from "node:fs/promises";
import { build } from "esbuild";
import { minify } from "terser";

/** All modules in one, with `module` in the place of `manners`. */
const join = async (module) => {
  const { outputFiles } = await build({
    entryPoints: ["src/tracker.ts"],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2021",
    plugins: [replace_manners(new URL(`src/${module}.ts`, import.meta.url).pathname)],
  });
  return outputFiles[0].text;
};

const replace_manners = (path) => ({
  name: "replace manners",
  setup: ({ onResolve }) => onResolve({ filter: /^\.\/manners$/ }, () => ({ path })),
});

const compress = { passes: 5, unsafe: true, unsafe_arrows: true, pure_getters: true };

/** A block with `let` keeps our names from the page's, at less than a function does. */
const shorten = async (code) => {
  const { code: short } = await minify(code, { ecma: 2020, toplevel: true, compress });
  return `{${short.replaceAll("var ", "let ").replace(/;$/, "")}}`;
};

await mkdir("dist", { recursive: true });
await writeFile("dist/t.js", await shorten(await join("manners")));
await writeFile("dist/core.js", await shorten(await join("no_manners")));
