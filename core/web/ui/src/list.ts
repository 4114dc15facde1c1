import { describe, type Listing, type Stream, streamPath } from './streams';

/**
 * Shows the live streams. Rows are kept from one listing to the next, so that
 * the keyboard's focus stays where it is and nothing is read out again.
 */
export class List {
  private readonly rows = new Map<string, Row>();
  private playing = '';

  constructor(
    private readonly root: HTMLElement,
    private readonly title: HTMLElement,
    private readonly note: HTMLElement,
    private readonly hint: HTMLElement,
    private readonly play: (stream: string) => void,
  ) {}

  show(l: Listing): void {
    const streams = l.kind === 'streams' ? l.streams : [];
    this.title.textContent = streams.length > 0 ? `Live now (${streams.length})` : 'Live now';
    this.note.textContent = note(l);
    this.note.hidden = streams.length > 0;
    this.hint.hidden = l.kind !== 'streams' || streams.length > 0;
    this.update(streams);
  }

  /** Marks the row of the stream that plays; "" marks none. */
  mark(stream: string): void {
    this.playing = stream;
    for (const [path, row] of this.rows) {
      row.mark(path === stream);
    }
  }

  private update(streams: Stream[]): void {
    const gone = new Set(this.rows.keys());
    streams.forEach((s, i) => {
      const path = streamPath(s);
      gone.delete(path);
      const row = this.row(path);
      row.describe(s);
      if (this.root.children[i] !== row.element) {
        this.root.insertBefore(row.element, this.root.children[i] ?? null);
      }
    });
    for (const path of gone) {
      this.rows.get(path)?.element.remove();
      this.rows.delete(path);
    }
  }

  private row(path: string): Row {
    const known = this.rows.get(path);
    if (known) {
      return known;
    }
    const row = new Row(path, () => this.play(path));
    row.mark(path === this.playing);
    this.rows.set(path, row);
    return row;
  }
}

class Row {
  readonly element = document.createElement('li');
  private readonly facts = document.createElement('p');

  constructor(path: string, play: () => void) {
    const name = document.createElement('h3');
    name.textContent = path;
    this.facts.className = 'facts';
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Play';
    button.setAttribute('aria-label', `Play ${path}`);
    button.addEventListener('click', play);
    this.element.dataset.stream = path;
    this.element.append(name, this.facts, button);
  }

  describe(s: Stream): void {
    const text = describe(s).join(' · ');
    if (this.facts.textContent !== text) {
      this.facts.textContent = text;
      this.facts.title = s.since ? `live since ${new Date(s.since).toLocaleString()}` : '';
    }
  }

  mark(playing: boolean): void {
    if (playing) {
      this.element.setAttribute('aria-current', 'true');
    } else {
      this.element.removeAttribute('aria-current');
    }
  }
}

function note(l: Listing): string {
  switch (l.kind) {
    case 'streams':
      return 'Nobody is publishing at the moment.';
    case 'off':
      return 'This server does not list its streams. Play one by its name.';
    case 'unreachable':
      return 'The server does not answer. Trying again…';
  }
}
