-- One live stream per user. The store knows who publishes what; the entry goes
-- away with the stream, and in case that is missed, after a day.

local day = 24 * 3600

function on_publish(s)
  local user = s.params.user
  if not user or user == "" then return false, "user is missing" end
  local key = "publisher:" .. user
  if not millrace.store.add(key, s.stream_id, day) and millrace.store.get(key) ~= s.stream_id then
    return false, "you are publishing " .. millrace.store.get(key) .. " already"
  end
  return { labels = { user = user } }
end

function on_unpublish(s)
  if s.labels.user then millrace.store.delete("publisher:" .. s.labels.user) end
end
