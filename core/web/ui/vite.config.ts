import { defineConfig } from 'vite';

// `npm run dev` serves the page by Vite and takes streams from a Millrace on
// this machine. The server embeds what `npm run build` leaves in dist/.
const server = 'http://127.0.0.1:8501';

export default defineConfig({
  build: {
    outDir: 'dist',
    assetsDir: 'assets', // core/web serves these as immutable: names carry a hash
    license: { fileName: 'licenses.md' }, // of what is bundled; served beside the page
    chunkSizeWarningLimit: 600, // mpegts.js is one piece
  },
  server: {
    proxy: {
      '/streams.json': server,
      '^/.+\\.flv': { target: server, ws: true },
    },
  },
});
