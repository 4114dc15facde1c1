import './style.css';

import { copyButton } from './copy';
import { folderOf, parseStream } from './choice';
import { Recorded } from './recorded';
import { fetchSessions, type RecordedFile, type Session } from './streams';

// One script for the pages of recordings. Each says by <body data-kinds> what
// it shows. ?url=PATH plays that file at once, ?stream=APP/NAME the newest.

const video = document.getElementById('video') as HTMLVideoElement;
const status = document.getElementById('status')!;
const root = document.getElementById('sessions')!;
const kinds = (document.body.dataset.kinds ?? '').split(' ');
const link = document.getElementById('link')!;
const recorded = new Recorded(video, show, waitForFile);

// In milliseconds.
const RELIST = 5000;
const RETRY = 2000;

let retry = 0; // the timer of a file that is not there yet
let listed = ''; // the records that are shown, as JSON

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
  window.clearTimeout(retry);
  const path = new URL(url, location.href).pathname;
  show(decodeURIComponent(path));
  link.textContent = new URL(url, location.href).href;
  link.parentElement!.hidden = false;
  document.title = `${path.split('/').slice(2).map(decodeURIComponent).join('/')} – Millrace`;
  recorded.play(url);
  history.replaceState(null, '', '?url=' + encodeURIComponent(url).replaceAll('%2F', '/'));
  markPlaying();
}

/** A live stream's first segment comes in seconds, its MP4 file after its end. */
function waitForFile(): void {
  const url = playing()!;
  show(url.endsWith('.mp4')
    ? 'There is no such file yet: it is made at the end of the stream. Waiting…'
    : 'There is no such recording yet. Waiting…');
  recorded.close();
  window.clearTimeout(retry);
  retry = window.setTimeout(() => play(url), RETRY);
}

/** What the page plays, by its own address. */
function playing(): string | null {
  return new URLSearchParams(location.search).get('url');
}

function markPlaying(): void {
  for (const row of root.querySelectorAll<HTMLElement>('[data-url]')) {
    row.toggleAttribute('aria-current', row.dataset.url === playing());
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
  return [when, length, s.complete ? '' : 'being recorded, or cut short', gaps].filter(Boolean).join(' · ');
}

function size(bytes: number): string {
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}

interface Shown {
  s: Session;
  files: RecordedFile[];
}

/** Makes the rows anew if something changed; the keyboard's focus stays on its button. */
function showRows(rows: Shown[]): void {
  const now = JSON.stringify(rows);
  if (now === listed) {
    return;
  }
  listed = now;
  const focused = (document.activeElement as HTMLElement | null)?.dataset.url;
  root.replaceChildren(...rows.map((r) => sessionRow(r.s, r.files)));
  if (focused) {
    root.querySelector<HTMLElement>(`[data-url="${CSS.escape(focused)}"]`)?.focus();
  }
  markPlaying();
}

async function list(): Promise<Session[]> {
  const sessions = await fetchSessions();
  const rows = sessions
    .map((s) => ({ s, files: s.files.filter((f) => kinds.includes(f.kind)) }))
    .filter((r) => r.files.length > 0);
  showRows(rows);
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

function relist(): void {
  if (!document.hidden) {
    void list();
  }
}

copyButton(document.getElementById('copy') as HTMLButtonElement, link);
window.setInterval(relist, RELIST);
document.addEventListener('visibilitychange', relist);
void list().then((sessions) => {
  const url = asked(sessions);
  if (url) {
    play(url);
  } else {
    show('Choose a recording to play.');
  }
});
