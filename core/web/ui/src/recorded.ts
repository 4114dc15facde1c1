import Hls from 'hls.js';
import mpegts from 'mpegts.js';

import { fileLoader } from './growing';

/** What a page has to undo before something else plays. */
type Undo = () => void;

/**
 * Plays a recording in a video element, by its name's extension: MP4 by the
 * browser itself, HLS by hls.js, FLV by mpegts.js, which seeks by ranges.
 * failed gets a sentence, missing is
 * called in its place if there is no such file (yet).
 */
export class Recorded {
  private undo?: Undo;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly failed: (why: string) => void,
    private readonly missing: () => void,
  ) {
    video.addEventListener('error', () => {
      if (this.undo && video.error) {
        void this.explain(video.currentSrc, video.error.message);
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

  /** A video element does not say whether a file is missing or damaged. */
  private async explain(url: string, message: string): Promise<void> {
    const undo = this.undo;
    const status = await fetch(url, { method: 'HEAD', cache: 'no-store' }).then((res) => res.status, () => 0);
    if (undo && undo === this.undo) {
      this.refused(status >= 400 ? status : undefined, message || 'it cannot be reached');
    }
  }

  private refused(status: number | undefined, detail: string): void {
    if (status === 404) {
      this.missing();
    } else {
      this.failed(`The recording cannot be played (${status ?? detail}).`);
    }
  }

  private playHls(url: string): Undo {
    const hls = new Hls({ enableWorker: false });
    hls.on(Hls.Events.ERROR, (_, data) => {
      if (data.fatal) {
        this.refused(data.response?.code || undefined, data.details);
      }
    });
    hls.loadSource(url);
    hls.attachMedia(this.video);
    return () => hls.destroy();
  }

  private playFlv(url: string): Undo {
    const config = { enableWorker: false, lazyLoad: true, customLoader: fileLoader() };
    const player = mpegts.createPlayer({ type: 'flv', isLive: false, url }, config);
    player.on(mpegts.Events.ERROR, (_: string, detail: string, info: { code?: number; msg?: string }) =>
      this.refused(info?.code && info.code > 0 ? info.code : undefined, info?.msg || detail));
    player.attachMediaElement(this.video);
    player.load();
    return () => player.destroy();
  }
}
