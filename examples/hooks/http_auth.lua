-- Ask an HTTP server, with the form fields of nginx-rtmp's on_publish and
-- on_play, so that a server written for it works unchanged: 2xx allows, 3xx
-- renames (publish) or redirects (play) to its Location, all else refuses.
-- The host must be in hooks.http_allow.

local server = "http://127.0.0.1:8000"

local function form(e, call)
  local f = {}
  for k, v in pairs(e.params) do f[k] = v end -- first, so that nobody overwrites ours
  f.call, f.app, f.name = call, e.app, e.name
  f.addr = (e.remote_addr or ""):gsub(":%d+$", ""):gsub("[%[%]]", "") -- without the port
  f.clientid = e.client_id
  f.flashver, f.swfurl, f.tcurl, f.pageurl = e.flash_ver or "", "", e.tc_url or "", e.page_url or ""
  if call == "publish" then f.type = "live" end
  return f
end

local function ask(e, call)
  local answer, err = millrace.http.post(server .. "/on_" .. call, form(e, call), { timeout = 0.4 })
  if not answer then
    millrace.log.error("the auth server does not answer", { error = err })
    return nil
  end
  return answer.status, answer.headers.location
end

function on_publish(s)
  local status, location = ask(s, "publish")
  if not status then return false, "the auth server does not answer" end
  if status < 300 then return true end
  if status < 400 and location and not location:find("^rtmp://") then
    return { name = location }
  end
  return false, "refused by the auth server"
end

function on_play(v)
  local status, location = ask(v, "play")
  if not status then return false, "the auth server does not answer" end
  if status < 300 then return true end
  if status < 400 and location then
    if location:find("^%a+://") then return { redirect = location } end
    return { stream = v.app .. "/" .. location }
  end
  return false, "refused by the auth server"
end
