-- Send viewers to the edge near them. The table of networks stands for a
-- database; keep a large one in a file of its own and require it.

local regions = {
  { "eu", { "2.0.0.0/8", "5.0.0.0/8", "2a00::/12" } },
  { "us", { "3.0.0.0/8", "8.0.0.0/8", "2600::/12" } },
}
local edges = { eu = "eu.example.com", us = "us.example.com" }
local here = "eu"

local function region_of(address)
  for _, r in ipairs(regions) do
    if millrace.ip.in_cidr(address, r[2]) then return r[1] end
  end
end

function on_play(v)
  local region = region_of(v.remote_addr)
  if not region or region == here then return true end
  if v.protocol == "rtmp" or v.protocol == "rtmps" then
    return { redirect = "rtmp://" .. edges[region] .. "/" .. v.stream_id }
  end
  if v.path then
    return { redirect = "http://" .. edges[region] .. ":8501" .. v.path }
  end
  return true
end
