-- At most a few viewers from one address, and few attempts a minute. Counted is
-- who did begin to watch: not every on_play becomes a viewer, and only viewers
-- have an on_stop. So a few that come at the same moment may be let in.

local most_viewers = 3
local most_attempts = 20

local function address(e)
  return (e.remote_addr or ""):gsub(":%d+$", "")
end

function on_play(v)
  if v.path == "/records.json" then return true end -- nobody watches a list
  local ip = address(v)
  local attempts = millrace.store.incr("attempts:" .. ip, 1, 60) or most_attempts + 1
  if attempts > most_attempts then return false, "too many attempts, wait a minute" end
  if (millrace.store.get("viewers:" .. ip) or 0) >= most_viewers then
    return false, "too many viewers from your address"
  end
  return true
end

function on_viewer_start(v)
  millrace.store.incr("viewers:" .. address(v))
end

function on_stop(v)
  millrace.store.incr("viewers:" .. address(v), -1)
end
