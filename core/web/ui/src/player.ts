import mpegts from 'mpegts.js';

import { type Choice, mediaURL } from './choice';
import { type Engine, HlsEngine } from './hls';
import { type End, loaderFor, refusal } from './loader';

/**
 * idle: nothing chosen. connecting: asked for it. waiting: no publisher yet.
 * playing. stalled: the publisher sends nothing. paused: by the viewer.
 * reconnecting: the connection broke, or the server is busy. ended: the
 * publisher stopped. error: trying again is of no use.
 */
export type State =
  | 'idle' | 'connecting' | 'waiting' | 'playing' | 'stalled'
  | 'paused' | 'reconnecting' | 'ended' | 'error';

export interface Status {
  state: State;
  /** A sentence for the viewer. */
  text: string;
  choice?: Choice;
}

/** Figures of the moment; undefined where nothing plays. */
export interface Figures {
  /** Seconds between the live edge, as far as it is known here, and what is shown. */
  latency?: number;
  /** Decoded frames a second, over the last tick. */
  fps?: number;
  /** Frames decoded, and frames decoded too late to show, since the start. */
  decoded: number;
  dropped: number;
  width: number;
  height: number;
}

// Times are in milliseconds, positions in the media in seconds.
const TICK = 500;
const SILENCE = 1500; // without a byte: there is no publisher
const HICCUP = 700; // without a new picture: worth a word
const SETTLED = 5000; // of playing: the next failure is a new one
const PAUSE_KEPT = 10_000; // then a paused viewer's connection is let go
const RETRY_FIRST = 1000;
const RETRY_LAST = 15_000;
const RETRY_WAITING = 5000; // a publisher may come at any time, and the server waits as well
const RETRY_PLAYLIST = 1500; // nobody waits there for a playlist's first segment
const DECODE_RETRIES = 3;
const TARGET = 0.8; // seconds behind; liveSync's own default
const JUMP = 6; // seconds behind, in FLV, from which catching up by speed takes too long

/**
 * Worker off: transmuxing one stream costs the page little, and mpegts.js
 * makes its worker from its own source text, which a bundler may change.
 * Speeding up (liveSync) corrects small delays without a jump; jumpToLive
 * corrects large ones.
 */
const mpegtsConfig: mpegts.Config = {
  enableWorker: false,
  enableStashBuffer: false,
  isLive: true,
  liveSync: true,
  liveSyncMaxLatency: 1.5,
  liveSyncTargetLatency: TARGET,
  liveSyncPlaybackRate: 1.2,
  lazyLoad: false,
  autoCleanupSourceBuffer: true,
  autoCleanupMaxBackwardDuration: 30,
  autoCleanupMinBackwardDuration: 15,
};

// Its notes of each step are for those who work on it; warnings stay.
mpegts.LoggingControl.applyConfig({ enableVerbose: false, enableDebug: false, enableInfo: false });

/** Plays one live stream at a time in a video element, and keeps at it. */
export class Player {
  status: Status = { state: 'idle', text: '' };
  figures: Figures = noFigures();
  /** What plays at the moment. */
  engine?: Engine;

  private choice?: Choice;
  private session?: string; // of the choice, when it was last listed
  private failures = 0;
  private decodeFailures = 0;
  private bytesCame = false;
  private sourceEnded = false; // no more bytes come; what is buffered still plays out
  private playingSince = 0;
  private lastTick = { at: 0, decoded: 0 };
  private timer = 0; // of silence, retry or pause: never two at once

  /** changed is called after each change of status, ticked after each of figures. */
  constructor(
    private readonly video: HTMLVideoElement,
    private readonly changed: (s: Status) => void,
    private readonly ticked: (f: Figures) => void,
  ) {
    video.addEventListener('playing', () => this.onPlaying());
    video.addEventListener('waiting', () => this.onStall());
    video.addEventListener('pause', () => this.onPause());
    video.addEventListener('play', () => this.onResume());
    video.addEventListener('error', () => this.onVideoError());
    window.addEventListener('online', () => this.onOnline());
    window.setInterval(() => this.tick(), TICK);
  }

  /** Plays a choice in the place of what plays now. */
  play(choice: Choice): void {
    this.choice = choice;
    this.session = undefined;
    this.failures = 0;
    this.decodeFailures = 0;
    this.set('connecting', `Connecting to ${choice.stream}…`);
    this.open();
  }

  /** Plays the last choice again. */
  again(): void {
    if (this.choice) {
      this.play(this.choice);
    }
  }

  /**
   * Takes the list of live streams: when each session began, by APP/NAME. What
   * came to its end, or does not go on, and is there in another session than
   * the one that was chosen, is played again.
   */
  listed(sessions: ReadonlyMap<string, string>): void {
    const since = this.choice && sessions.get(this.choice.stream);
    const over = this.status.state === 'ended' || this.status.state === 'stalled';
    if (over && since && since !== this.session) {
      this.again();
    } else if (!over) {
      this.session ??= since; // HLS plays the end of a session when the next has begun
    }
  }

  stop(): void {
    this.close();
    this.set('idle', 'Stopped.');
  }

  private open(): void {
    this.close();
    if (!this.choice) {
      return;
    }
    if (!mpegts.isSupported()) {
      this.set('error', 'This browser cannot play live video (it has no Media Source Extensions).');
      return;
    }
    this.engine = this.choice.via === 'hls' ? this.newHls(this.choice) : this.newFlv(this.choice);
    this.start(this.engine);
    this.after(SILENCE, () => this.onSilence());
  }

  private start(engine: Engine): void {
    void Promise.resolve(this.video.play()).catch((err: unknown) => this.onPlayRefused(engine, err));
  }

  private newHls(choice: Choice): Engine {
    return new HlsEngine(this.video, mediaURL(choice), {
      started: () => this.onBytes(),
      ended: (end) => void this.onEnd(end),
      failed: (message) => this.onDecodeFailure(message),
    });
  }

  private newFlv(choice: Choice): Engine {
    const url = mediaURL(choice);
    const customLoader = loaderFor(url, {
      started: () => this.onBytes(),
      ended: (end) => void this.onEnd(end),
    });
    const engine = mpegts.createPlayer({ type: 'flv', isLive: true, url }, { ...mpegtsConfig, customLoader });
    engine.on(mpegts.Events.ERROR, (_type: string, detail: string, info: { code?: number; msg?: string } | string) =>
      this.onMediaError(detail, typeof info === 'string' ? info : (info?.msg ?? '')));
    engine.attachMediaElement(this.video);
    engine.load();
    return {
      destroy: () => engine.destroy(),
      toLive: (end) => (engine.currentTime = end - TARGET),
      tolerance: JUMP,
    };
  }

  private close(): void {
    this.after(0);
    const engine = this.engine;
    this.engine = undefined; // first: destroying it fires events
    this.bytesCame = this.sourceEnded = false;
    this.playingSince = 0;
    this.figures = noFigures();
    this.lastTick = { at: 0, decoded: 0 };
    engine?.destroy();
  }

  // What the connection says.

  private onBytes(): void {
    this.bytesCame = true;
    if (this.status.state !== 'paused') {
      this.after(0);
    }
  }

  private onSilence(): void {
    if (this.status.state === 'connecting' || this.status.state === 'reconnecting') {
      this.setWaiting();
    }
  }

  private async onEnd(end: End): Promise<void> {
    this.after(0);
    this.sourceEnded = true;
    const engine = this.engine;
    const why = end.kind === 'unopened' ? await this.probe() : end;
    if (engine !== this.engine) {
      return; // the viewer chose something else meanwhile
    }
    switch (why.kind) {
      case 'finished':
        return this.onFinished();
      case 'refused':
        return this.onRefused(why.status, why.text);
      case 'recorded':
        this.close();
        return this.retry('waiting', `Waiting for the publisher of ${this.choice!.stream}. What it sent before is among the recordings.`);
      default:
        return this.retry('reconnecting', this.bytesCame
          ? 'The connection was lost. Trying again…'
          : 'The server cannot be reached. Trying again…');
    }
  }

  /** Asks over HTTP why a WebSocket did not open. HEAD never waits for a publisher. */
  private async probe(): Promise<End> {
    try {
      const res = await fetch(mediaURL({ ...this.choice!, via: 'http' }), { method: 'HEAD', cache: 'no-store' });
      return res.ok ? { kind: 'lost' } : await refusal(res);
    } catch {
      return { kind: 'lost' };
    }
  }

  private onFinished(): void {
    if (!this.bytesCame) {
      return this.onRefused(404, '');
    }
    this.set('ended', 'The stream has ended.');
  }

  private onRefused(status: number, text: string): void {
    const words = text ? `: ${text}` : '';
    if (status === 404) {
      this.setWaiting();
      this.retry('waiting', this.status.text);
    } else if (status === 429 || status >= 500) {
      this.retry('reconnecting', `The server is busy (${status}${words}). Trying again…`);
    } else if (status === 401 || status === 403) {
      this.set('error', `The server does not allow it (${status}${words}).`);
    } else {
      this.set('error', `The server refused (${status}${words}).`);
    }
  }

  private retry(state: State, text: string): void {
    const last = state !== 'waiting' ? RETRY_LAST : this.choice!.via === 'hls' ? RETRY_PLAYLIST : RETRY_WAITING;
    const delay = Math.min(last, RETRY_FIRST * 2 ** this.failures);
    this.failures++;
    this.set(state, text);
    // The spread keeps many viewers of one server from coming back in step.
    this.after(delay * (0.8 + 0.4 * Math.random()), () => this.open());
  }

  private onOnline(): void {
    if (this.status.state === 'reconnecting') {
      this.open();
    }
  }

  // What the media says.

  private onMediaError(detail: string, message: string): void {
    if (!this.engine) {
      return;
    }
    const { MEDIA_CODEC_UNSUPPORTED, MEDIA_FORMAT_UNSUPPORTED } = mpegts.ErrorDetails;
    if (detail === MEDIA_FORMAT_UNSUPPORTED) {
      this.fail('What the server sent is not FLV.');
    } else if (detail === MEDIA_CODEC_UNSUPPORTED || /not supported|unsupported/i.test(message)) {
      this.fail(`This browser cannot decode the stream (${message}).`);
    } else {
      this.onDecodeFailure(message);
    }
  }

  private onVideoError(): void {
    if (this.engine && this.video.error) {
      this.onDecodeFailure(this.video.error.message);
    }
  }

  /** A damaged frame may pass when the stream is opened anew; a bad stream does not. */
  private onDecodeFailure(message: string): void {
    if (this.decodeFailures++ < DECODE_RETRIES) {
      this.close();
      this.retry('reconnecting', 'The picture could not be decoded. Trying again…');
    } else {
      this.fail(`The picture cannot be decoded${message && ` (${message})`}.`);
    }
  }

  private fail(text: string): void {
    this.close();
    this.set('error', text);
  }

  private onPlaying(): void {
    if (!this.engine || this.sourceEnded) {
      return;
    }
    this.after(0);
    this.playingSince ||= performance.now();
    this.set('playing', `Playing ${this.choice!.stream}.`);
  }

  private onStall(): void {
    if (this.status.state === 'playing' && !this.video.seeking) {
      this.after(HICCUP, () => this.set('stalled', 'Nothing comes from the publisher at the moment.'));
    }
  }

  private onPause(): void {
    const byViewer = this.engine && this.video.paused && !this.video.ended && !this.sourceEnded;
    if (byViewer && this.playingSince) {
      this.pause('Paused.');
    }
  }

  /** Some browsers, to save power, let nothing play that was not asked for. */
  private onPlayRefused(engine: Engine, err: unknown): void {
    const forbidden = err instanceof DOMException && err.name === 'NotAllowedError';
    if (forbidden && engine === this.engine) {
      this.pause('Press play to start.');
    }
  }

  private pause(text: string): void {
    this.set('paused', text);
    this.after(PAUSE_KEPT, () => {
      this.close();
      this.set('idle', 'Paused.');
    });
  }

  private onResume(): void {
    if (this.status.state === 'paused' && this.engine) {
      this.after(0);
      this.jumpToLive();
    }
  }

  private jumpToLive(): void {
    const b = this.video.buffered;
    if (this.engine && b.length > 0) {
      const newest = b.length - 1;
      this.engine.toLive(b.end(newest));
    }
  }

  private tick(): void {
    const now = performance.now();
    if (this.engine) {
      this.figures = this.measure(now);
    }
    const playedFor = this.playingSince ? now - this.playingSince : 0;
    if (this.status.state === 'playing' && playedFor > SETTLED) {
      this.failures = this.decodeFailures = 0;
      if ((this.figures.latency ?? 0) > (this.engine?.tolerance ?? Infinity)) {
        this.jumpToLive();
      }
    }
    this.ticked(this.figures);
  }

  private measure(now: number): Figures {
    const { video, lastTick } = this;
    const quality = video.getVideoPlaybackQuality();
    const b = video.buffered;
    const decoded = quality.totalVideoFrames;
    const fps = ((decoded - lastTick.decoded) * 1000) / (now - lastTick.at);
    this.lastTick = { at: now, decoded };
    return {
      latency: this.engine?.latency?.() ?? (b.length > 0 ? Math.max(0, b.end(b.length - 1) - video.currentTime) : undefined),
      fps: lastTick.at > 0 && fps >= 0 ? fps : undefined,
      decoded,
      dropped: quality.droppedVideoFrames,
      width: video.videoWidth,
      height: video.videoHeight,
    };
  }

  private setWaiting(): void {
    this.set('waiting', `Waiting for the publisher of ${this.choice!.stream}…`);
  }

  private set(state: State, text: string): void {
    this.status = { state, text, choice: this.choice };
    this.changed(this.status);
  }

  /** Sets the one timer; without a function it only clears it. */
  private after(ms: number, f?: () => void): void {
    window.clearTimeout(this.timer);
    this.timer = f ? window.setTimeout(f, ms) : 0;
  }
}

function noFigures(): Figures {
  return { decoded: 0, dropped: 0, width: 0, height: 0 };
}
