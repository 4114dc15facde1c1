import mpegts from 'mpegts.js';

/** Why no more bytes come. */
export type End =
  /** The server ended the stream in order. */
  | { kind: 'finished' }
  /** The server refused, with an HTTP status and what it said. */
  | { kind: 'refused'; status: number; text: string }
  /** A WebSocket did not open; browsers do not tell why. */
  | { kind: 'unopened' }
  /** What there is is the recording of a stream that has ended. */
  | { kind: 'recorded' }
  /** The connection broke. */
  | { kind: 'lost' };

/** What a loader tells while it works. Nothing is told after abort. */
export interface LoaderEvents {
  /** The first bytes have come. */
  started(): void;
  ended(end: End): void;
}

/**
 * Returns a loader class for mpegts.js. It takes the place of the built-in
 * ones because those lose what the page needs to know: whether a WebSocket was
 * closed in order, and the server's words with a refusal; and their abort
 * leaves a stalled request open until its next byte.
 */
export function loaderFor(url: string, events: LoaderEvents): mpegts.CustomLoaderConstructor {
  return class extends LiveLoader {
    constructor() {
      super(url, events);
    }
  };
}

class LiveLoader extends mpegts.BaseLoader {
  private received = 0;
  private readonly stop = new AbortController();

  constructor(private readonly url: string, private readonly events: LoaderEvents) {
    super('millrace-live-loader');
  }

  override open(): void {
    this._status = mpegts.LoaderStatus.kConnecting;
    const read = this.url.startsWith('ws') ? this.readSocket() : this.readAnswer();
    read.then(
      (end) => this.end(end),
      () => this.end({ kind: 'lost' }),
    );
  }

  override abort(): void {
    this.stop.abort();
    this._status = mpegts.LoaderStatus.kComplete;
  }

  private async readAnswer(): Promise<End> {
    const res = await fetch(this.url, { cache: 'no-store', signal: this.stop.signal });
    if (!res.ok || !res.body) {
      return refusal(res);
    }
    const reader = res.body.getReader();
    for (;;) {
      const { done, value } = await reader.read(); // rejects if the last chunk is missing
      if (done) {
        return { kind: 'finished' };
      }
      this.deliver(exactBuffer(value));
    }
  }

  private readSocket(): Promise<End> {
    const ws = new WebSocket(this.url);
    ws.binaryType = 'arraybuffer';
    this.stop.signal.addEventListener('abort', () => ws.close());
    return new Promise((resolve, reject) => {
      let opened = false;
      ws.onopen = () => (opened = true);
      ws.onclose = (e) => resolve(opened ? endOfSocket(e) : { kind: 'unopened' });
      ws.onmessage = (e: MessageEvent<ArrayBuffer>) => {
        try {
          this.deliver(e.data);
        } catch (err) {
          reject(err as Error);
          ws.close();
        }
      };
    });
  }

  private deliver(chunk: ArrayBuffer): void {
    if (this.stop.signal.aborted) {
      return;
    }
    if (this.received === 0) {
      this._status = mpegts.LoaderStatus.kBuffering;
      this.events.started();
    }
    const at = this.received;
    this.received += chunk.byteLength;
    this.onDataArrival(chunk, at, this.received);
  }

  private end(end: End): void {
    if (this.stop.signal.aborted) {
      return;
    }
    this._status = mpegts.LoaderStatus.kComplete;
    if (end.kind === 'finished') {
      this.onComplete(0, this.received - 1); // so that what is buffered plays out
    }
    this.events.ended(end);
  }
}

/** Close codes of RFC 6455 §7.4.1: 1000 is an end in order, 1008 a refusal. */
function endOfSocket(e: CloseEvent): End {
  switch (e.code) {
    case 1000:
      return { kind: 'finished' };
    case 1008:
      return { kind: 'refused', status: 403, text: e.reason };
    default:
      return { kind: 'lost' };
  }
}

/** Reads the server's words: the first line of a plain text answer. */
export async function refusal(res: Response): Promise<End> {
  const plain = res.headers.get('Content-Type')?.startsWith('text/plain');
  const text = plain ? await res.text().catch(() => '') : '';
  const line = text.trim().split('\n')[0]?.slice(0, 200) ?? '';
  return { kind: 'refused', status: res.status, text: line || res.statusText };
}

/** mpegts.js wants a buffer of just the chunk; a reader may give part of one. */
function exactBuffer(chunk: Uint8Array<ArrayBuffer>): ArrayBuffer {
  return chunk.byteLength === chunk.buffer.byteLength ? chunk.buffer : chunk.slice().buffer;
}
