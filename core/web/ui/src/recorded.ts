import Hls from 'hls.js';
import mpegts from 'mpegts.js';

/** What a page has to undo before something else plays. */
type Undo = () => void;

/**
 * Plays a recording in a video element, by its name's extension: MP4 by the
 * browser itself, HLS by hls.js, FLV by mpegts.js, which seeks by ranges.
 * failed gets a sentence.
 */
export class Recorded {
  private undo?: Undo;

  constructor(private readonly video: HTMLVideoElement, private readonly failed: (why: string) => void) {
    video.addEventListener('error', () => {
      if (this.undo && video.error) {
        failed(`The recording cannot be played (${video.error.message || 'it may not be there'}).`);
      }
    });
  }

  play(url: string): void {
    this.close();
    const path = new URL(url, location.href).pathname;
    this.undo = path.endsWith('.m3u8') ? this.playHls(url) : path.endsWith('.flv') ? this.playFlv(url) : this.playFile(url);
    void this.video.play().catch(() => undefined); // the controls are there
  }

  close(): void {
    const undo = this.undo;
    this.undo = undefined; // first: undoing fires events
    undo?.();
  }

  private playFile(url: string): Undo {
    this.video.src = url;
    return () => {
      this.video.removeAttribute('src');
      this.video.load();
    };
  }

  private playHls(url: string): Undo {
    const hls = new Hls({ enableWorker: false });
    hls.on(Hls.Events.ERROR, (_, data) => {
      if (data.fatal) {
        this.failed(`The playlist cannot be played (${data.response?.code ?? data.details}).`);
      }
    });
    hls.loadSource(url);
    hls.attachMedia(this.video);
    return () => hls.destroy();
  }

  private playFlv(url: string): Undo {
    const player = mpegts.createPlayer({ type: 'flv', isLive: false, url }, { enableWorker: false, lazyLoad: true });
    player.on(mpegts.Events.ERROR, (_: string, detail: string, info: { code?: number; msg?: string }) =>
      this.failed(`The recording cannot be played (${info?.code && info.code > 0 ? info.code : detail}).`));
    player.attachMediaElement(this.video);
    player.load();
    return () => player.destroy();
  }
}
