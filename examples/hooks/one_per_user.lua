-- One live stream per user. The store knows who publishes what; the entry goes
-- away with the stream, and in case that is missed, after a day. Until the
-- stream is there it holds for seconds only: who is allowed may still be
-- refused, because somebody else has the name.

local seconds, day = 15, 24 * 3600

function on_publish(s)
  local user = s.params.user
  if not user or user == "" then return false, "user is missing" end
  local key = "publisher:" .. user
  if not millrace.store.add(key, s.stream_id, seconds) and millrace.store.get(key) ~= s.stream_id then
    return false, "you are publishing " .. millrace.store.get(key) .. " already"
  end
  return { labels = { user = user } }
end

function on_stream_start(s)
  if s.labels.user then millrace.store.set("publisher:" .. s.labels.user, s.stream_id, day) end
end

function on_unpublish(s)
  if s.labels.user then millrace.store.delete("publisher:" .. s.labels.user) end
end
