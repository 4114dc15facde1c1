import { readFileSync } from 'node:fs';
import { defineConfig, type Plugin } from 'vite';

// `npm run dev` serves the page by Vite and takes streams from a Millrace on
// this machine. The server embeds what `npm run build` leaves in dist/.
const server = 'http://127.0.0.1:8501';

// licenses puts the licences of what is bundled beside the page. es6-promise
// comes inside mpegts.js.
function licenses(...packages: string[]): Plugin {
  return {
    name: 'licenses',
    generateBundle() {
      const texts = packages.map((name) => `## ${name}\n\n${readFileSync(`node_modules/${name}/LICENSE`, 'utf8')}`);
      this.emitFile({ type: 'asset', fileName: 'licenses.md', source: `# Licences of bundled packages\n\n${texts.join('\n\n')}` });
    },
  };
}

// recordings makes the pages of recordings, which differ in title and kinds
// only, of one.
function recordings(): Plugin {
  return {
    name: 'recordings',
    transformIndexHtml: {
      order: 'pre', // before its script is looked for
      handler(html) {
        const [, title, kinds] = /<recordings title="(.+)" kinds="(.+)">/.exec(html) ?? [];
        if (!title || !kinds) return html;
        return readFileSync('src/recordings.html', 'utf8').replaceAll('{title}', title).replace('{kinds}', kinds);
      },
    },
  };
}

export default defineConfig({
  plugins: [recordings(), licenses('mpegts.js', 'es6-promise', 'hls.js')],
  build: {
    outDir: 'dist',
    assetsDir: 'assets', // core/web serves these as immutable: names carry a hash
    chunkSizeWarningLimit: 1200, // mpegts.js and hls.js are one piece each
    rollupOptions: { input: ['index.html', 'play.html', 'mp4.html', 'video.html', 'play_merge.html'] },
  },
  server: {
    proxy: {
      '/streams.json': server,
      '/records.json': server,
      '^/(flv|hls|mp4)/': server,
      '^/.+\\.flv': { target: server, ws: true },
    },
  },
});
