/** How a stream comes: FLV as an HTTP answer without an end, or in WebSocket messages; or HLS. */
export type Via = 'http' | 'ws' | 'hls';

/** Where playing starts: at the cached key frame (at once), or with the next one. */
export type Start = 'gop' | 'live';

/** What to play. */
export interface Choice {
  /** APP/NAME, without a leading slash; APP may have slashes of its own. */
  stream: string;
  /** Further query of the stream's URL, such as token=…, without "?". */
  query: string;
  via: Via;
  start: Start;
}

/**
 * Reads what a person types or pastes: APP/NAME, or a URL of any of the
 * server's protocols. Returns undefined if there is no APP/NAME in it.
 */
export function parseStream(text: string): Pick<Choice, 'stream' | 'query'> | undefined {
  const path = text.trim().replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/#.*$/, '');
  const [name = '', query = ''] = splitOnce(path, '?');
  const stream = decode(name).replace(/^\/+|\/+$/g, '').replace(/\.flv$/, '')
    .replace(/^hls\/([^/]+)\/([^/]+)\/index\.m3u8$/, (_, app: string, stream: string) => `${app.replaceAll('~', '/')}/${stream}`);
  return /^[^/]+(\/[^/]+)+$/.test(stream) ? { stream, query } : undefined;
}

/** The URL that the choice is played from, on the server the page came from. */
export function mediaURL(c: Choice, page: Location = location): string {
  if (c.via === 'hls') {
    return `${page.origin}${folderOf('hls', c.stream)}/index.m3u8${c.query && '?' + c.query}`;
  }
  const path = c.stream.split('/').map(encodeURIComponent).join('/');
  const query = [c.query, c.start === 'live' ? 'start=live' : ''].filter(Boolean).join('&');
  const scheme = c.via === 'ws' ? page.protocol.replace('http', 'ws') : page.protocol;
  return `${scheme}//${page.host}/${path}.flv${query && '?' + query}`;
}

/** The query of a page URL that plays the choice at once. */
export function pageQuery(c: Choice): string {
  const stream = c.query ? `${c.stream}?${c.query}` : c.stream;
  const q = new URLSearchParams({ stream, via: c.via });
  if (c.start === 'live') {
    q.set('start', c.start);
  }
  return '?' + q.toString().replaceAll('%2F', '/');
}

/** The choice in a page URL's query; undefined if it names no stream. */
export function choiceFromPage(query: string): Choice | undefined {
  const q = new URLSearchParams(query);
  const stream = parseStream(q.get('stream') ?? '');
  return stream && {
    ...stream,
    via: VIAS.find((v) => v === q.get('via')) ?? 'http',
    start: q.get('start') === 'live' ? 'live' : 'gop',
  };
}

const VIAS: Via[] = ['http', 'ws', 'hls'];

/** The folder of what is made of a stream: a nested app is one folder, its slashes written "~". */
export function folderOf(kind: 'flv' | 'hls' | 'mp4', stream: string): string {
  const slash = stream.lastIndexOf('/');
  const app = stream.slice(0, slash).replaceAll('/', '~');
  return '/' + [kind, app, stream.slice(slash + 1)].map(encodeURIComponent).join('/');
}

function splitOnce(s: string, at: string): [string, string] {
  const i = s.indexOf(at);
  return i < 0 ? [s, ''] : [s.slice(0, i), s.slice(i + 1)];
}

function decode(s: string): string {
  try {
    return decodeURIComponent(s);
  } catch {
    return s; // a lone percent sign: it was not encoded
  }
}
