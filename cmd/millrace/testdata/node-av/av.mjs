// FFmpeg 8 for the tests of Enhanced RTMP:
//
//   av.mjs publish URL FOURCCS FILE...   sends the streams of all files in real time
//   av.mjs play URL...                   prints, as JSON, what came of each to the end
//
// It drives the binary of the npm package node-av by itself: the package's own scripts
// would download an ffmpeg, and its classes only wrap those of the binary.
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

const av = createRequire(import.meta.url)(`@seydx/node-av-linux-${process.arch}/node-av.node`);

const EOF = -541478725; // AVERROR_EOF
const AGAIN = -11; // AVERROR(EAGAIN)
const SKIP_MANUAL = 1 << 29; // AV_CODEC_FLAG2_SKIP_MANUAL
const NO_PTS = -(2n ** 63n); // AV_NOPTS_VALUE
const MS = { num: 1, den: 1000 };

// must throws where a call returned an error.
function must(what, code) {
  if (code < 0) throw new Error(`${what}: ${av.FFmpegError.strerror(code)}`);
}

const md5 = (data) => createHash('md5').update(data).digest('hex');
const inMS = (ts, base) => Number(av.avRescaleQ(ts === NO_PTS ? 0n : ts, base, MS));

async function open(url) {
  const input = new av.FormatContext();
  must(`open ${url}`, await input.openInput(url, null, null));
  must(`find the streams of ${url}`, await input.findStreamInfo(null));
  return input;
}

// packetsOf yields packets that are the caller's to keep. The FLV demuxer makes an
// empty one, without a time, of each MultichannelConfig, also of FFmpeg's own files.
async function* packetsOf(input) {
  const packet = new av.Packet();
  packet.alloc();
  for (;;) {
    const code = await input.readFrame(packet);
    if (code === EOF) return;
    must('read', code);
    if (packet.size > 0) yield packet.clone();
    packet.unref();
  }
}

// copyStreams gives the output a stream for each of a file, and returns the packets
// for it, with their time in ms.
async function copyStreams(file, output) {
  const input = await open(file);
  const streams = input.streams.map((from) => {
    const to = output.newStream(null);
    must('copy the parameters', from.codecpar.copy(to.codecpar));
    to.codecpar.codecTag = 0; // the one of the file's container
    return { base: from.timeBase, to }; // the stream itself goes with its input
  });
  const packets = [];
  for await (const packet of packetsOf(input)) {
    const { base, to } = streams[packet.streamIndex];
    packets.push({ ms: inMS(packet.dts, base), packet, base, to });
  }
  return packets;
}

// publish announces the FourCCs, joined by commas, in its connect command. The tee
// muxer stands between because it hands options on to the protocol, which the binary
// by itself has no way to.
async function publish(url, fourCCs, ...files) {
  const output = new av.FormatContext();
  const target = `[f=flv:flvflags=no_duration_filesize:rtmp_enhanced_codecs=${fourCCs}]${url}`;
  must('make the muxer', output.allocOutputContext2(null, 'tee', target));
  const packets = [];
  for (const file of files) packets.push(...(await copyStreams(file, output)));
  packets.sort((a, b) => a.ms - b.ms);
  must(`connect to ${url}`, await output.writeHeader(null));
  const begin = performance.now();
  for (const { ms, packet, base, to } of packets) {
    await sleep(Math.max(0, begin + ms - performance.now()));
    packet.rescaleTs(base, to.timeBase);
    packet.streamIndex = to.index;
    must('write a packet', await output.interleavedWriteFrame(packet));
  }
  must('write the trailer', await output.writeTrailer());
}

// Track is what came of one stream.
class Track {
  constructor(stream) {
    this.kind = av.avGetMediaTypeString(stream.codecpar.codecType);
    this.base = stream.timeBase;
    this.codec = av.avGetCodecName(stream.codecpar.codecId);
    this.config = stream.codecpar.extradata ? md5(stream.codecpar.extradata) : '';
    this.packets = [];
    this.frames = [];
    if (this.kind !== 'video' && this.kind !== 'audio') return;
    this.decoder = new av.CodecContext();
    const codec = av.Codec.findDecoder(stream.codecpar.codecId);
    this.decoder.allocContext3(codec);
    must('take the parameters', this.decoder.parametersToContext(stream.codecpar));
    this.decoder.threadCount = 1;
    this.decoder.flags2 |= SKIP_MANUAL; // MP4 says which samples an encoder padded with, FLV does not
    must(`open the decoder of ${this.codec}`, this.decoder.open2Sync(codec, null));
    this.frame = new av.Frame();
    this.frame.alloc();
  }

  take(packet) {
    this.packets.push({ pts: inMS(packet.pts, this.base), dts: inMS(packet.dts, this.base), md5: md5(packet.data) });
    this.decode(packet);
  }

  // decode takes null at the end.
  decode(packet) {
    if (!this.decoder) return;
    must(`decode ${this.codec}`, this.decoder.sendPacketSync(packet));
    for (;;) {
      const code = this.decoder.receiveFrameSync(this.frame);
      if (code === AGAIN || code === EOF) return;
      must(`decode ${this.codec}`, code);
      this.frames.push({ pts: inMS(this.frame.pts, this.base), md5: md5(this.frame.toBuffer()) });
    }
  }

  toJSON() {
    const { kind, codec, config, packets, frames } = this;
    return { kind, codec, config, packets, frames };
  }
}

async function play(url) {
  const input = await open(url);
  const tracks = [];
  for await (const packet of packetsOf(input)) {
    const at = packet.streamIndex;
    tracks[at] ??= new Track(input.streams[at]);
    tracks[at].take(packet);
  }
  for (const track of tracks) track?.decode(null);
  return tracks.filter(Boolean);
}

const [command, ...args] = process.argv.slice(2);
if (command === 'publish') await publish(...args);
else console.log(JSON.stringify(await Promise.all(args.map(play))));
