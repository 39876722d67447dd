import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [svelte()],
  // The page's policy allows no data: script or style, and no inline ones.
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
