// A recorder for Millrace in Node.js, written from plugins/proto/v1/plugin.proto
// alone: it writes each stream to data_dir/node/APP/NAME/SESSION.flv as it comes.
//
//   [plugins.node]
//   command = "node"
//   args = ["examples/plugin-node/plugin.js"]
//   mtls = false      # Node.js cannot make certificates; the sockets' folder is private
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import grpc from '@grpc/grpc-js'
import loader from '@grpc/proto-loader'

const here = path.dirname(fileURLToPath(import.meta.url))
const load = (file) =>
  grpc.loadPackageDefinition(
    loader.loadSync(path.resolve(here, file), { keepCase: true, longs: String, enums: String, defaults: true, includeDirs: [here] }),
  )
const { Plugin, Host } = load(process.env.MILLRACE_PROTO ?? '../../plugins/proto/v1/plugin.proto').millrace.plugin.v1
const { GRPCBroker, GRPCController } = load('broker.proto').plugin
const { Health } = load('health.proto').grpc.health.v1

// Lines of JSON on the standard error become records of the server's log.
const log = (level, message, fields = {}) =>
  process.stderr.write(JSON.stringify({ '@level': level, '@message': message, ...fields }) + '\n')

const services = new Map() // address by number, from the broker
const waiting = new Map()
const streams = new Map() // by session
let host, plane

const address = (id) =>
  services.has(id) ? Promise.resolve(services.get(id)) : new Promise((resolve) => waiting.set(id, resolve))
const call = (method, request) =>
  new Promise((resolve, reject) => host[method](request, (err, answer) => (err ? reject(err) : resolve(answer))))
const answer = (f) => (c, callback) =>
  Promise.resolve(f(c.request)).then((a) => callback(null, a ?? {}), (err) => callback({ code: grpc.status.UNKNOWN, message: err.message }))

// open finds a part of the record that nothing was written to: after a crash, the next one.
async function open(a) {
  for (let part = 1; ; part++) {
    const at = await call('OpenRecord', {
      app: a.app, name: a.name, session: a.session, kind: 'node', part, ext: '.flv', started: a.started,
    })
    const file = path.join(at.dir, at.name)
    if (at.skip || fs.statSync(file).size === 0) return { ...at, file }
  }
}

async function attach(a) {
  const record = await open(a)
  const s = { session: a.session, record, a, done: Promise.resolve() }
  streams.set(a.session, s)
  if (record.skip) return
  const from = a.from_seq === '0' ? '' : `&from=${a.session}:${a.from_seq}`
  const response = await new Promise((resolve, reject) => {
    s.request = http.get({
      socketPath: plane.socket, path: a.media_target + from, headers: { Authorization: `Bearer ${plane.token}` },
    }, resolve).on('error', reject)
  })
  if (response.statusCode !== 200) {
    response.resume()
    streams.delete(a.session)
    throw new Error(`media: ${response.statusCode}`)
  }
  const out = fs.createWriteStream(record.file)
  s.done = new Promise((resolve) => out.on('close', resolve))
  response.pipe(out)
  // An end that is not clean: have the stream attached again.
  response.on('error', (err) => {
    out.end()
    if (!s.ending) {
      streams.delete(a.session)
      host.ReportStream({ session: a.session, error: err.message }, () => {})
    }
  })
}

async function detach(session, reason) {
  const s = streams.get(session)
  if (!s) return {}
  s.ending = true
  if (reason !== 'DETACH_REASON_ENDED') s.request?.destroy() // otherwise the server ends it
  await s.done
  streams.delete(session)
  if (!s.record.skip) {
    await call('Announce', { event: { event: 'on_record_done', app: s.a.app, name: s.a.name, session, file: s.record.rel, url: s.record.url } })
  }
  return {}
}

const detachAll = () => Promise.all([...streams.keys()].map((session) => detach(session)))

const server = new grpc.Server()
server.addService(Plugin.service, {
  Info: answer(() => ({
    name: 'node', version: '1.0.0',
    capabilities: { events: ['on_stream_start', 'on_unpublish'], media: { merge: { nanos: 300_000_000 } } },
  })),
  Configure: answer(({ config }) => ({
    problems: Object.keys(config?.fields ?? {}).map((key) => ({ key, message: 'is unknown' })),
  })),
  Start: answer(async (r) => {
    plane = r.data_plane
    host = new Host(`unix:${await address(r.host_service)}`, grpc.credentials.createInsecure())
    log('info', 'started', { table: r.table })
  }),
  Attach: answer(attach),
  Detach: answer((r) => detach(r.session, r.reason)),
  Drain: answer(async () => void (await detachAll())),
  Stop: answer(async () => void (await detachAll())),
  Health: answer(() => ({ streams: [...streams.keys()].map((session) => ({ session, connected: true })) })),
  HandleEvents: (c, callback) => {
    c.on('data', ({ event: e }) => log('info', e.event, { stream_id: e.stream_id }))
    c.on('end', () => callback(null, {}))
    // The server is gone: what has come is in the files already.
    c.on('cancelled', () => process.exit(0))
  },
})
server.addService(Health.service, { Check: answer(() => ({ status: 'SERVING' })) })
server.addService(GRPCController.service, {
  Shutdown: (c, callback) => {
    callback(null, {})
    setImmediate(() => process.exit(0))
  },
})
server.addService(GRPCBroker.service, {
  StartStream: (c) => {
    c.on('data', (info) => {
      services.set(info.service_id, info.address)
      waiting.get(info.service_id)?.(info.address)
    })
    c.on('error', () => {})
  },
})

if (!process.env.MILLRACE_PLUGIN) {
  console.error('This is a plugin: the server Millrace starts it.')
  process.exit(1)
}
process.on('SIGINT', () => {}) // the server stops us
const socket = path.join(process.env.PLUGIN_UNIX_SOCKET_DIR, `node-${process.pid}`)
server.bindAsync(`unix:${socket}`, grpc.ServerCredentials.createInsecure(), (err) => {
  if (err) throw err
  process.stdout.write(`1|1|unix|${socket}|grpc|\n`)
})
