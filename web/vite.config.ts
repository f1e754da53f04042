import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

// One build a page (`--mode widget`, `--mode console`), since the hub serves each below a path of its own. Names are
// stable and paths relative: the result is committed, and may be served below any prefix.
export default defineConfig(({ mode }) => ({
  root: at(mode),
  base: './',
  build: {
    outDir: at(`dist/${mode}`),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0, // a data: address would break the pages' content security policy
    modulePreload: false,
    rollupOptions: {
      output: {
        entryFileNames: 'assets/[name].js',
        chunkFileNames: 'assets/[name].js',
        assetFileNames: 'assets/[name][extname]',
      },
    },
  },
}))
