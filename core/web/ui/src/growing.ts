import mpegts from 'mpegts.js';

// Times are in milliseconds.
const MORE = 1000; // between two looks for more of a file that grows
const TRIES = 5; // in a row that may fail

/**
 * The version of a recording that is read: while it is recorded the server
 * calls it by an ETag of its own, and goes on serving that version, when it is
 * finished and its head is another, to whoever asks with this ETag.
 */
interface Version {
  tag: string;
}

/** Returns a loader class for one FLV recording, which may still grow: then it goes on with what comes. */
export function fileLoader(): mpegts.CustomLoaderConstructor {
  const version: Version = { tag: '' };
  return class extends FileLoader {
    constructor() {
      super(version);
    }
  };
}

class FileLoader extends mpegts.BaseLoader {
  private readonly stop = new AbortController();

  constructor(private readonly version: Version) {
    super('millrace-file-loader');
  }

  override open(source: mpegts.MediaSegment, range: mpegts.Range): void {
    this._status = mpegts.LoaderStatus.kConnecting;
    this.read(source.url!, range.from).then(
      (end) => {
        this._status = mpegts.LoaderStatus.kComplete;
        this.onComplete(range.from, end - 1);
      },
      (err: unknown) => this.fail(err),
    );
  }

  override abort(): void {
    this.stop.abort();
    this._status = mpegts.LoaderStatus.kComplete;
  }

  /** Reads from an offset to the end of the file, if it has one; resolves to that. */
  private async read(url: string, from: number): Promise<number> {
    let at = from;
    for (let failed = 0; ; await this.pause()) {
      try {
        const res = await this.request(url, at);
        const whole = this.isWhole(res);
        at = res.status === 416 ? at : await this.pump(res, from, at);
        failed = 0;
        if (whole) {
          return at;
        }
      } catch (err) {
        if (err instanceof Refused || this.stop.signal.aborted || ++failed > TRIES) {
          throw err;
        }
      }
    }
  }

  /** Whether the answer goes to the end for good: while a file grows its length is left open. */
  private isWhole(res: Response): boolean {
    return res.status === 416
      ? res.headers.get('ETag') !== this.version.tag
      : !res.headers.get('Content-Range')?.endsWith('/*');
  }

  private async request(url: string, at: number): Promise<Response> {
    const headers: Record<string, string> = { Range: `bytes=${at}-` };
    if (this.version.tag) {
      headers['If-Range'] = this.version.tag;
    }
    const res = await fetch(url, { headers, cache: 'no-store', signal: this.stop.signal });
    const tag = res.headers.get('ETag') ?? '';
    const more = res.status === 416 && at > 0; // nothing yet, or nothing any more
    if (!more && res.status !== 206 && !(res.status === 200 && at === 0)) {
      throw new Refused(res.status, res.statusText);
    }
    this.version.tag ||= tag;
    return res;
  }

  private async pump(res: Response, from: number, at: number): Promise<number> {
    const reader = res.body!.getReader();
    this._status = mpegts.LoaderStatus.kBuffering;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return at;
      }
      if (this.stop.signal.aborted) {
        throw this.stop.signal.reason;
      }
      this.onDataArrival(value.slice().buffer, at, at + value.byteLength - from);
      at += value.byteLength;
    }
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => window.setTimeout(resolve, MORE));
  }

  private fail(err: unknown): void {
    if (this.stop.signal.aborted) {
      return;
    }
    this._status = mpegts.LoaderStatus.kError;
    const { HTTP_STATUS_CODE_INVALID, EXCEPTION } = mpegts.LoaderErrors;
    const refused = err instanceof Refused;
    // The declarations have the type of all kinds in the place of that of one.
    this.onError((refused ? HTTP_STATUS_CODE_INVALID : EXCEPTION) as unknown as mpegts.LoaderErrors, {
      code: refused ? err.status : -1,
      msg: refused ? err.message : String(err),
    });
  }
}

/** An answer that is no part of the file. */
class Refused extends Error {
  constructor(readonly status: number, text: string) {
    super(text);
  }
}
