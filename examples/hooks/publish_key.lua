-- Each stream has a key; an encoder sends it as rtmp://HOST/live/NAME?key=…
-- Nothing else may be published.

local keys = {
  ["live/cam1"] = "s3cret-of-cam1",
  ["live/cam2"] = "s3cret-of-cam2",
}

function on_publish(s)
  local key = keys[s.stream_id]
  if not key then return false, "this stream is not known" end
  if not millrace.equals(s.params.key, key) then return false, "wrong key" end
  return true
end

-- Runs before a new version of this file is used.
function self_check()
  for stream, key in pairs(keys) do
    if #key < 8 then return false, "the key of " .. stream .. " is too short" end
  end
  return true
end
