---@meta
-- Annotations of what scripts of Millrace see, for editors with
-- lua-language-server (put this file's folder into workspace.library).

---The table that every hook gets. What does not apply is nil; params, headers
---and labels are always tables. It holds during the call.
---@class millrace.Event
---@field event string name of the hook
---@field time number seconds since 1970
---@field app? string
---@field name? string
---@field stream_id? string "APP/NAME"
---@field session? string id of the publish session, kept over a reconnect
---@field client_id? string id that can be kicked
---@field protocol? string "rtmp", "rtmps", "http-flv", "ws-flv", "hls", "mp4", "flv" or "http"
---@field remote_addr? string "ADDRESS:PORT"
---@field params table<string, string> decoded query; the first value of each
---@field tc_url? string of RTMP's connect
---@field page_url? string of RTMP's connect
---@field flash_ver? string of RTMP's connect
---@field user_agent? string
---@field headers table<string, string> names in lower case
---@field method? string of the request
---@field path? string of the request, decoded
---@field host? string of the request
---@field video_codec? string
---@field audio_codec? string
---@field width? number pixels
---@field height? number pixels
---@field fps? number
---@field sample_rate? number Hz
---@field channels? number
---@field reason? string why it ended
---@field bytes_in? number
---@field bytes_out? number
---@field duration? number seconds
---@field gap? number seconds without a publisher
---@field dropped_frames? number
---@field plugin? string the recorder
---@field file? string below data_dir; in on_record what scripts before decided
---@field url? string where the server serves the file
---@field part? number from 1
---@field number? number of a segment
---@field size? number bytes
---@field sha256? string hexadecimal
---@field started? number seconds since 1970
---@field from_seq? number
---@field to_seq? number
---@field record? table<string, boolean> which plugins on_publish has record it
---@field labels table<string, string> what on_publish attached

---@class millrace.Limits
---@field max_bitrate? number bits a second that the connection may send
---@field max_duration? number seconds
---@field rate? number|string bytes a second that it is sent, or like "512k"
---@field idle_timeout? number seconds

---@class millrace.ConnectResult
---@field allow? boolean
---@field reason? string
---@field limits? millrace.Limits

---@class millrace.PublishResult
---@field allow? boolean
---@field reason? string
---@field app? string renames
---@field name? string renames
---@field record? table<string, boolean> plugin tables that record it, or not
---@field max_bitrate? number bits a second
---@field max_duration? number seconds
---@field labels? table<string, string> private

---@class millrace.PlayResult
---@field allow? boolean
---@field reason? string
---@field redirect? string RTMP redirect, or HTTP 302
---@field limit? number seconds
---@field rate? number|string bytes a second, or like "512k"
---@field stream? string another "APP/NAME"

---@class millrace.RecordResult
---@field allow? boolean false skips
---@field reason? string
---@field path? string below the data directory: %app %name %session %plugin %part %Y %m %d %H %M %S %%
---@field skip? boolean

---@class millrace.RequestResult
---@field allow? boolean
---@field reason? string
---@field redirect? string
---@field rate? number|string bytes a second, or like "512k"
---@field headers? table<string, string> of the answer

---@class millrace.HttpOptions
---@field headers? table<string, string>
---@field timeout? number seconds, at most what the call has left

---@class millrace.HttpAnswer
---@field status number
---@field body string
---@field headers table<string, string> names in lower case

---@class millrace.JwtOptions
---@field alg string "HS256", "RS256", "ES256", "EdDSA" …; never "none"
---@field key string the secret, or PEM
---@field issuer? string
---@field audience? string
---@field leeway? number seconds
---@field require_exp? boolean
---@field kid? string of sign

---@alias millrace.Form "hex"|"raw"|"base64"|"base64url"

-- Hooks, which a script defines as global functions.

---@param c millrace.Event
---@return boolean|millrace.ConnectResult, string?
function on_connect(c) end
---@param s millrace.Event
---@return boolean|millrace.PublishResult, string?
function on_publish(s) end
---@param v millrace.Event
---@return boolean|millrace.PlayResult, string?
function on_play(v) end
---@param r millrace.Event
---@return boolean|string|millrace.RecordResult|nil, string?
function on_record(r) end
---@param q millrace.Event
---@return boolean|millrace.RequestResult, string?
function on_request(q) end
---@param s millrace.Event
function on_stream_start(s) end
---@param s millrace.Event
function on_stream_lost(s) end
---@param s millrace.Event
function on_stream_back(s) end
---@param s millrace.Event
function on_codec(s) end
---@param s millrace.Event
function on_unpublish(s) end
---@param v millrace.Event
function on_viewer_start(v) end
---@param v millrace.Event
function on_stop(v) end
---@param g millrace.Event
function on_segment(g) end
---@param r millrace.Event
function on_record_done(r) end
---@param c millrace.Event
function on_close(c) end
---@param t millrace.Event
function on_tick(t) end
---Runs before a new version of the script is used; false or an error keeps the
---old one.
---@return boolean?, string?
function self_check() end

millrace = {}
millrace.base64 = {}
millrace.hex = {}
millrace.http = {}
millrace.ip = {}
millrace.json = {}
millrace.jwt = {}
millrace.log = {}
millrace.re = {}
millrace.store = {}
millrace.time = {}
millrace.url = {}

---Compares in constant time; nil equals nothing.
---@param a string?
---@param b string?
---@return boolean
function millrace.equals(a, b) end
---@param key string
---@param data string
---@param form? millrace.Form "hex" by default
---@return string
function millrace.hmac_md5(key, data, form) end
---@param key string
---@param data string
---@param form? millrace.Form
---@return string
function millrace.hmac_sha1(key, data, form) end
---@param key string
---@param data string
---@param form? millrace.Form
---@return string
function millrace.hmac_sha256(key, data, form) end
---@param data string
---@param form? millrace.Form
---@return string
function millrace.md5(data, form) end
---@param data string
---@param form? millrace.Form
---@return string
function millrace.sha256(data, form) end
---Ends a client by its id, or a stream "APP/NAME".
---@param id string
---@param reason? string
---@return boolean there was one
function millrace.kick(id, reason) end
---@return millrace.Event[] live streams
function millrace.streams() end

---@param data string
---@param alphabet? "url" without padding
---@return string
function millrace.base64.encode(data, alphabet) end
---@param text string either alphabet, padded or not
---@return string?, string? error
function millrace.base64.decode(text) end
---@param data string
---@return string
function millrace.hex.encode(data) end
---@param text string
---@return string?, string? error
function millrace.hex.decode(text) end

---@param url string
---@param options? millrace.HttpOptions
---@return millrace.HttpAnswer?, string? error
function millrace.http.get(url, options) end
---@param url string
---@param body? string|table<string, string|number|boolean> a table is sent as a form
---@param options? millrace.HttpOptions
---@return millrace.HttpAnswer?, string? error
function millrace.http.post(url, body, options) end

---@param address string with or without a port
---@param networks string|string[]
---@return boolean?, string? error
function millrace.ip.in_cidr(address, networks) end

---Stands for null.
---@type userdata
millrace.json.null = nil
---@param value any
---@return string?, string? error
function millrace.json.encode(value) end
---@param text string
---@return any, string? error
function millrace.json.decode(text) end

---@param token string?
---@param options millrace.JwtOptions
---@return table?, string? error the claims
function millrace.jwt.verify(token, options) end
---@param claims table
---@param options millrace.JwtOptions
---@return string?, string? error
function millrace.jwt.sign(claims, options) end

---@param text any
---@param fields? table<string, any>
function millrace.log.debug(text, fields) end
---@param text any
---@param fields? table<string, any>
function millrace.log.info(text, fields) end
---@param text any
---@param fields? table<string, any>
function millrace.log.warn(text, fields) end
---@param text any
---@param fields? table<string, any>
function millrace.log.error(text, fields) end

---@param pattern string RE2
---@param text string
---@return string? ... the groups, or the whole
function millrace.re.match(pattern, text) end
---@param pattern string RE2
---@param text string
---@return number? first, number? last
function millrace.re.find(pattern, text) end
---@param pattern string RE2
---@param text string
---@param replacement string $1 and ${name} stand for groups
---@return string
function millrace.re.replace(pattern, text, replacement) end

---Stores only where nothing is; false: something was there.
---@param key string
---@param value string|number|boolean
---@param ttl? number seconds; 0 is for ever
---@return boolean?, string? error
function millrace.store.add(key, value, ttl) end
---@param key string
---@return boolean
function millrace.store.delete(key) end
---@param key string
---@return string|number|boolean|nil
function millrace.store.get(key) end
---The ttl counts from the first call, so that a counter is a window.
---@param key string
---@param by? number 1 by default
---@param ttl? number seconds; 0 is for ever
---@return number?, string? error
function millrace.store.incr(key, by, ttl) end
---@param key string
---@param value string|number|boolean|nil nil deletes
---@param ttl? number seconds; 0 is for ever
---@return boolean?, string? error
function millrace.store.set(key, value, ttl) end

---@return number seconds since 1970, with a fraction
function millrace.time.now() end
---@param seconds? number now by default
---@return string RFC 3339, UTC
function millrace.time.format(seconds) end
---@param text string RFC 3339
---@return number?, string? error
function millrace.time.parse(text) end

---@param text string
---@return string?, string? error
function millrace.url.decode(text) end
---@param value string|table<string, string|number|boolean> a table becomes a query
---@return string
function millrace.url.encode(value) end
---@param text string
---@return table?, string? error scheme, host, port, path, query, fragment, user, password, params
function millrace.url.parse(text) end
---@param text string
---@return table<string, string> the first value of each
function millrace.url.query(text) end
