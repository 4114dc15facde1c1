/** One live stream as /streams.json shows it. */
export interface Stream {
  app: string;
  name: string;
  url: string;
  video: string;
  audio: string;
  width: number;
  height: number;
  fps: number;
  bitrate_kbps: number;
  viewers: number;
  since: string;
}

/** What is known of the list. off: the server does not show one. */
export type Listing =
  | { kind: 'streams'; streams: Stream[] }
  | { kind: 'off' }
  | { kind: 'unreachable' };

const POLL = 2000; // milliseconds
const POLL_OFF = 30_000; // it may be switched on without a restart

/** Asks for the list again and again, for as long as the page is looked at. */
export function watchStreams(show: (l: Listing) => void): void {
  let timer = 0;
  const poll = async (): Promise<void> => {
    window.clearTimeout(timer);
    if (document.hidden) {
      return;
    }
    const listing = await fetchStreams();
    show(listing);
    window.clearTimeout(timer);
    timer = window.setTimeout(poll, listing.kind === 'off' ? POLL_OFF : POLL);
  };
  document.addEventListener('visibilitychange', () => void poll());
  void poll();
}

async function fetchStreams(): Promise<Listing> {
  try {
    const res = await fetch('/streams.json', { cache: 'no-store', signal: AbortSignal.timeout(10_000) });
    if (res.status === 404) {
      return { kind: 'off' };
    }
    return res.ok ? { kind: 'streams', streams: (await res.json()) as Stream[] } : { kind: 'unreachable' };
  } catch {
    return { kind: 'unreachable' };
  }
}

/** One recording session of a stream as /records.json shows it. */
export interface Session {
  app: string;
  name: string;
  session: string;
  started: string;
  complete: boolean;
  seconds: number;
  gaps: number;
  files: RecordedFile[];
}

/** flv, hls and mp4 are what they say; fmp4 is a playlist of fragments. */
export interface RecordedFile {
  kind: 'flv' | 'hls' | 'mp4' | 'fmp4';
  url: string;
  bytes: number;
}

/** The sessions that there are, the newest first; none if the server does not list them. */
export async function fetchSessions(): Promise<Session[]> {
  try {
    const res = await fetch('/records.json', { cache: 'no-store', signal: AbortSignal.timeout(10_000) });
    return res.ok ? ((await res.json()) as Session[]) : [];
  } catch {
    return [];
  }
}

/** APP/NAME. */
export function streamPath(s: Stream): string {
  return `${s.app}/${s.name}`;
}

/** What a list shows of a stream, in short pieces that do not break. */
export function describe(s: Stream): string[] {
  return [
    [s.video, s.audio].filter(Boolean).join(' + '),
    s.width && s.height ? `${s.width}×${s.height}` : '',
    s.fps ? `${Math.round(s.fps * 100) / 100} fps` : '',
    s.bitrate_kbps ? bitrate(s.bitrate_kbps) : '',
    s.viewers === 1 ? '1 viewer' : `${s.viewers} viewers`,
  ].filter(Boolean).map((piece) => piece.replaceAll(' ', '\u00a0'));
}

function bitrate(kbps: number): string {
  return kbps >= 1000 ? `${(kbps / 1000).toFixed(1)} Mbit/s` : `${kbps} kbit/s`;
}
