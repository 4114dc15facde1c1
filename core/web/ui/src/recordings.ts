import './style.css';

import { folderOf, parseStream } from './choice';
import { Recorded } from './recorded';
import { fetchSessions, type RecordedFile, type Session } from './streams';

// One script for the pages of recordings. Each says by <body data-kinds> what
// it shows. ?url=PATH plays that file at once, ?stream=APP/NAME the newest.

const video = document.getElementById('video') as HTMLVideoElement;
const status = document.getElementById('status')!;
const root = document.getElementById('sessions')!;
const kinds = (document.body.dataset.kinds ?? '').split(' ');
const recorded = new Recorded(video, show);

/** Where the newest recording of a stream is, for kinds that have such a URL. */
const newest: Partial<Record<string, (stream: string) => string>> = {
  mp4: (stream) => `${folderOf('mp4', stream)}/output_merge/stream_full.mp4`,
  fmp4: (stream) => `${folderOf('mp4', stream)}/output_merge/index.m3u8`,
  hls: (stream) => `${folderOf('hls', stream)}/index.m3u8`,
};

function show(text: string): void {
  status.textContent = text;
}

function play(url: string): void {
  show(decodeURIComponent(new URL(url, location.href).pathname));
  recorded.play(url);
  history.replaceState(null, '', '?url=' + encodeURIComponent(url).replaceAll('%2F', '/'));
  for (const row of root.querySelectorAll<HTMLElement>('[data-url]')) {
    row.toggleAttribute('aria-current', row.dataset.url === url);
  }
}

function sessionRow(s: Session, files: RecordedFile[]): HTMLElement {
  const row = document.createElement('li');
  const name = document.createElement('h3');
  name.textContent = `${s.app}/${s.name}`;
  const facts = document.createElement('p');
  facts.className = 'facts';
  facts.textContent = describe(s);
  const plays = document.createElement('div');
  plays.className = 'plays';
  plays.append(...files.map(fileButton));
  row.append(name, facts, plays);
  return row;
}

function fileButton(f: RecordedFile): HTMLElement {
  const button = document.createElement('button');
  button.type = 'button';
  button.dataset.url = f.url;
  button.textContent = `Play ${f.kind === 'fmp4' ? 'fMP4' : f.kind.toUpperCase()}`;
  button.title = f.kind === 'mp4' || f.kind === 'flv' ? size(f.bytes) : '';
  button.addEventListener('click', () => play(f.url));
  return button;
}

function describe(s: Session): string {
  const when = s.started ? new Date(s.started).toLocaleString() : s.session;
  const length = s.seconds ? `${Math.floor(s.seconds / 60)} min ${Math.round(s.seconds % 60)} s` : '';
  const gaps = s.gaps ? `${s.gaps} gaps` : '';
  return [when, length, s.complete ? '' : 'not complete', gaps].filter(Boolean).join(' · ');
}

function size(bytes: number): string {
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}

async function list(): Promise<Session[]> {
  const sessions = await fetchSessions();
  const rows = sessions
    .map((s) => ({ s, files: s.files.filter((f) => kinds.includes(f.kind)) }))
    .filter((r) => r.files.length > 0);
  root.replaceChildren(...rows.map((r) => sessionRow(r.s, r.files)));
  document.getElementById('note')!.hidden = rows.length > 0;
  return rows.map((r) => r.s);
}

/** The URL that the page was asked for. */
function asked(sessions: Session[]): string | undefined {
  const query = new URLSearchParams(location.search);
  const url = query.get('url');
  if (url?.startsWith('/')) {
    return url;
  }
  const stream = parseStream(query.get('stream') ?? '')?.stream;
  const kind = kinds.find((k) => newest[k]);
  if (!stream) {
    return undefined;
  }
  const recordedAs = sessions.find((s) => `${s.app}/${s.name}` === stream);
  return kind ? newest[kind]!(stream) : recordedAs?.files.find((f) => kinds.includes(f.kind))?.url;
}

void list().then((sessions) => {
  const url = asked(sessions);
  if (url) {
    play(url);
  } else {
    show('Choose a recording to play.');
  }
});
