import './style.css';

import { type Choice, choiceFromPage, mediaURL, pageQuery, parseStream, type Start, type Via } from './choice';
import { copyButton } from './copy';
import { List } from './list';
import { type Figures, Player, type Status } from './player';
import { streamPath, watchStreams } from './streams';

declare global {
  interface Window {
    /** For tests and the curious; document.body.dataset has the same in text. */
    millrace: { readonly state: Status; readonly figures: Figures; readonly player: Player };
  }
}

function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) {
    throw new Error(`no element #${id} in the page`);
  }
  return found as T;
}

const video = element<HTMLVideoElement>('video');
const form = element<HTMLFormElement>('direct');
const input = element<HTMLInputElement>('stream');
const cover = element('cover');
const coverText = element('cover-text');
const bar = element('bar');
const status = element('status');
const again = element<HTMLButtonElement>('again');
const cancel = element<HTMLButtonElement>('cancel');
const stopButton = element<HTMLButtonElement>('stop');
const unmute = element<HTMLButtonElement>('unmute');

const player = new Player(video, showStatus, showFigures);
const list = new List(element('streams'), element('list-title'), element('note'), element('hint'), playByName);

window.millrace = {
  get state() { return player.status; },
  get figures() { return player.figures; },
  player,
};

function playByName(text: string): void {
  const stream = parseStream(text);
  input.setCustomValidity(stream ? '' : 'Write APP/NAME, for instance live/stream');
  if (!stream) {
    input.reportValidity();
    return;
  }
  const chosen = new FormData(form);
  play({ ...stream, via: chosen.get('via') as Via, start: chosen.get('start') as Start });
}

function play(choice: Choice): void {
  showChoice(choice);
  history.replaceState(null, '', pageQuery(choice));
  player.play(choice);
}

function showChoice(c: Choice): void {
  showAddresses(c);
  input.value = c.query ? `${c.stream}?${c.query}` : c.stream;
  for (const [name, value] of [['via', c.via], ['start', c.start]] as const) {
    (form.elements.namedItem(name) as RadioNodeList).value = value;
  }
}

/** The RTMP port is the usual one: the page cannot know another. */
function showAddresses(c: Choice): void {
  element('addresses').hidden = false;
  element('address-flv').textContent = mediaURL({ ...c, via: 'http' });
  element('address-hls').textContent = mediaURL({ ...c, via: 'hls' });
  element('address-rtmp').textContent = `rtmp://${location.hostname}:1935/${c.stream}${c.query && '?' + c.query}`;
}

function showStatus(s: Status): void {
  document.body.dataset.state = s.state;
  document.body.dataset.stream = s.choice?.stream ?? '';
  document.title = s.choice ? `${s.choice.stream} – Millrace` : 'Millrace';
  const shows = s.state === 'playing' || s.state === 'stalled' || s.state === 'paused';
  const tries = s.state === 'connecting' || s.state === 'waiting' || s.state === 'reconnecting';
  coverText.textContent = s.text;
  if (status.textContent !== s.text) { // else it would be read out once more
    status.textContent = s.text;
  }
  video.controls = shows;
  cover.hidden = shows;
  bar.classList.toggle('covered', !shows);
  again.hidden = tries || !s.choice;
  again.textContent = s.state === 'error' ? 'Try again' : 'Play again';
  cancel.hidden = !tries;
  stopButton.hidden = !shows; // else it could take the keyboard's focus unseen
  list.mark(shows || tries ? (s.choice?.stream ?? '') : '');
  showUnmute();
}

function showUnmute(): void {
  const showing = document.body.dataset.state === 'playing';
  unmute.hidden = !(showing && (video.muted || video.volume === 0));
}

function showFigures(f: Figures): void {
  const data = document.body.dataset;
  data.latency = f.latency?.toFixed(2) ?? '';
  data.frames = String(f.decoded);
  data.dropped = String(f.dropped);
  const seen = f.latency !== undefined;
  element('figures').hidden = !seen || !cover.hidden;
  element('latency').textContent = seen ? `${f.latency!.toFixed(1)} s` : '–';
  element('fps').textContent = f.fps === undefined ? '–' : f.fps.toFixed(0);
  element('dropped').textContent = String(f.dropped);
  element('resolution').textContent = f.width ? `${f.width}×${f.height}` : 'audio only';
}

function showHint(): void {
  element('obs-server').textContent = `rtmp://${location.hostname}:1935/live`;
  for (const button of document.querySelectorAll<HTMLButtonElement>('button[data-copy]')) {
    copyButton(button, element(button.dataset.copy!));
  }
}

form.addEventListener('submit', (e) => {
  e.preventDefault();
  playByName(input.value);
});
input.addEventListener('input', () => input.setCustomValidity(''));
again.addEventListener('click', () => player.again());
for (const button of [stopButton, cancel]) {
  button.addEventListener('click', () => player.stop());
}
unmute.addEventListener('click', () => {
  video.muted = false;
  video.volume ||= 1;
});
video.addEventListener('volumechange', showUnmute);

showHint();
watchStreams((l) => {
  list.show(l);
  if (l.kind === 'streams') {
    player.listed(new Map(l.streams.map((s) => [streamPath(s), s.since])));
  }
});
const asked = choiceFromPage(location.search);
if (asked) {
  play(asked);
} else {
  showStatus({ state: 'idle', text: 'Choose a stream to play.' });
}
