import Hls, { type ErrorData } from 'hls.js';

import type { End } from './loader';

/** What plays in the video element, whatever it is made of. */
export interface Engine {
  destroy(): void;
  /** Goes to the live edge; end is where what is buffered ends, in seconds. */
  toLive(end: number): void;
  /** Seconds behind the edge from which the page has to do something about it. */
  readonly tolerance: number;
  /** Seconds behind the live edge, if the engine knows better than by what is buffered. */
  latency?(): number | undefined;
  /** When what is shown was ingested, by the server's clock, in ms since 1970. */
  shownAt?(): number | undefined;
}

export interface HlsEvents {
  /** The first segment has come. */
  started(): void;
  ended(end: End): void;
  /** What came cannot be decoded. */
  failed(message: string): void;
}

/**
 * Worker off: the page's policy forbids workers made of text. Low latency is
 * used where the playlist offers it; hls.js itself catches up then.
 */
const config = {
  enableWorker: false,
  lowLatencyMode: true,
  maxLiveSyncPlaybackRate: 1.2,
  backBufferLength: 30,
};

/** Plays an HLS playlist by hls.js. */
export class HlsEngine implements Engine {
  readonly tolerance = Infinity;
  private readonly hls = new Hls(config);
  private over = false;

  constructor(video: HTMLVideoElement, url: string, private readonly events: HlsEvents) {
    this.hls.once(Hls.Events.FRAG_BUFFERED, () => events.started());
    this.hls.once(Hls.Events.LEVEL_LOADED, (_, data) => this.onFirst(data.details.live));
    this.hls.on(Hls.Events.ERROR, (_, data) => this.onError(data));
    video.addEventListener('ended', this.onEnded);
    this.stop = () => video.removeEventListener('ended', this.onEnded);
    this.hls.loadSource(url);
    this.hls.attachMedia(video);
  }

  private readonly stop: () => void;
  private readonly onEnded = (): void => this.end({ kind: 'finished' });

  destroy(): void {
    this.over = true;
    this.stop();
    this.hls.destroy();
  }

  toLive(): void {
    if (this.hls.liveSyncPosition && this.hls.media) {
      this.hls.media.currentTime = this.hls.liveSyncPosition;
    }
  }

  /** Until a stream's first segment is complete, its name leads to what was recorded before. */
  private onFirst(live: boolean): void {
    if (!live) {
      this.hls.stopLoad();
      this.end({ kind: 'recorded' });
    }
  }

  /** Behind what the playlist has, not behind what is fetched: hls.js fetches late. */
  latency(): number | undefined {
    return this.hls.latency || undefined; // 0 until it knows
  }

  shownAt(): number | undefined {
    return this.hls.playingDate?.getTime();
  }

  private onError(data: ErrorData): void {
    if (!data.fatal) {
      return; // hls.js goes on by itself
    }
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR) {
      this.events.failed(data.error.message);
    } else if (data.response?.code) {
      this.end({ kind: 'refused', status: data.response.code, text: '' });
    } else {
      this.end({ kind: 'lost' });
    }
  }

  private end(end: End): void {
    if (!this.over) {
      this.over = true;
      this.events.ended(end);
    }
  }
}
