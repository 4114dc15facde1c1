-- Who may connect, publish and watch, by address.

local banned = { "203.0.113.0/24", "2001:db8:bad::/48" }
local studio = { "10.0.0.0/8", "192.168.0.0/16", "127.0.0.1", "::1", "fd00::/8" }

local function is_in(e, list)
  -- An address that cannot be read is in no list.
  return millrace.ip.in_cidr(e.remote_addr or "", list) == true
end

function on_connect(c)
  if is_in(c, banned) then return false, "your network is banned" end
  return true
end

function on_publish(s)
  if not is_in(s, studio) then return false, "publishing is for the studio's network" end
  return true
end
