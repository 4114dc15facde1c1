-- What is recorded, and where. The names in record are those of the plugins'
-- tables in the configuration.

function on_publish(s)
  if s.app == "archive" then return { record = { flv = true, mp4 = true, hls = true } } end
  if s.app == "preview" then return { record = { flv = false, mp4 = false }, max_bitrate = 2e6 } end
  return { record = { flv = false } }
end

function on_record(r)
  if r.name:find("^test") then return { skip = true } end
  -- The plugins' names are folders that the server serves: /flv/APP/NAME/…,
  -- and on_play knows by these whose record it is.
  if r.app == "archive" then return { path = "%plugin/%app/%name/day-%Y-%m-%d-%H%M%S" } end
  -- Nothing returned: the default name.
end
