import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const COMPRESSED = /\.(js|css|html|svg)$/;

/** Beside each text file one for each encoding, so that the server compresses nothing. */
function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    closeBundle() {
      for (const entry of readdirSync("dist", { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !COMPRESSED.test(entry.name)) continue;
        const path = join(entry.parentPath, entry.name);
        const plain = readFileSync(path);
        writeFileSync(`${path}.gz`, gzipSync(plain, { level: 9 }));
        writeFileSync(`${path}.br`, brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
      }
    },
  };
}

export default defineConfig({
  base: "/dashboard/",
  plugins: [react(), compressed()],
  build: {
    target: "es2023",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // fonts and images come from files: the content-security policy knows no others
    manifest: "manifest.json",
    reportCompressedSize: false,
    chunkSizeWarningLimit: 700, // the charts, which load after the tables
  },
  css: {
    modules: {
      generateScopedName: (name, file) =>
        `${name}_${createHash("sha256")
          .update(file.replace(/^.*src/, "") + name)
          .digest("hex")
          .slice(0, 6)}`,
    },
  },
  server: {
    proxy: Object.fromEntries(
      ["/v1", "/api", "/dashboard/session"].map((path) => [
        path,
        process.env["FAREBOX_URL"] ?? "http://127.0.0.1:8788",
      ]),
    ),
  },
});
