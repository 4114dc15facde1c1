-- At most a few viewers from one address, and few attempts a minute.

local most_viewers = 3
local most_attempts = 20

local function address(e)
  return (e.remote_addr or ""):gsub(":%d+$", "")
end

function on_play(v)
  local ip = address(v)
  local attempts = millrace.store.incr("attempts:" .. ip, 1, 60) or most_attempts + 1
  if attempts > most_attempts then return false, "too many attempts, wait a minute" end
  local viewers = millrace.store.incr("viewers:" .. ip) or most_viewers + 1
  if viewers > most_viewers then
    millrace.store.incr("viewers:" .. ip, -1)
    return false, "too many viewers from your address"
  end
  return true
end

function on_stop(v)
  millrace.store.incr("viewers:" .. address(v), -1)
end
