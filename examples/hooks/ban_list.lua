-- Ban an address for an hour after five refused publishers, and end streams of
-- banned users that are live. Other scripts can ban, too: the store is shared.

local window, most, hour = 300, 5, 3600
local key = "s3cret"

local function address(e)
  return (e.remote_addr or ""):gsub(":%d+$", "")
end

function on_connect(c)
  if millrace.store.get("ban:" .. address(c)) then return false, "banned" end
  return true
end

function on_publish(s)
  if millrace.equals(s.params.key, key) then return { labels = { user = s.params.user } } end
  local ip = address(s)
  if (millrace.store.incr("failed:" .. ip, 1, window) or most) >= most then
    millrace.store.set("ban:" .. ip, true, hour)
    millrace.log.warn("address banned", { address = ip })
  end
  return false, "wrong key"
end

function on_tick()
  for _, s in ipairs(millrace.streams()) do
    if s.labels.user and millrace.store.get("ban:" .. s.labels.user) then
      millrace.kick(s.stream_id, "banned")
    end
  end
end

-- GET /ban?user=NAME among the files, from this machine only.
function on_request(q)
  if q.path ~= "/ban" then return true end
  if not millrace.ip.in_cidr(q.remote_addr, { "127.0.0.1", "::1" }) then return false, "not from here" end
  if q.params.user then millrace.store.set("ban:" .. q.params.user, true, hour) end
  return { redirect = "/" }
end
