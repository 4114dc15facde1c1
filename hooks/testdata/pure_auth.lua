-- A signed link checked without any helper: the query is taken apart with
-- patterns, escapes are decoded, and a keyed checksum (Adler-32 over key, text
-- and key) is compared without an early end.
local key = "k3y-0f-th3-h0us3"
local byte, gmatch, gsub, char, format = string.byte, string.gmatch, string.gsub, string.char, string.format

local function unescape(s)
  s = gsub(s, "+", " ")
  return (gsub(s, "%%(%x%x)", function(h) return char(tonumber(h, 16)) end))
end

local function query(s)
  local q = {}
  for k, v in gmatch(s, "([^&=?]+)=([^&]*)") do q[unescape(k)] = unescape(v) end
  return q
end

local function checksum(text)
  local a, b = 1, 0
  for i = 1, #text do
    a = (a + byte(text, i)) % 65521
    b = (b + a) % 65521
  end
  return format("%04x%04x", b, a)
end

local function equals(x, y)
  if #x ~= #y then return false end
  local different = 0
  for i = 1, #x do
    if byte(x, i) ~= byte(y, i) then different = different + 1 end
  end
  return different == 0
end

function on_play(v)
  local q = query(v.page_url)
  if tonumber(q.expires) < os.time() then return false, "expired" end
  local want = checksum(key .. v.stream_id .. q.expires .. q.user .. key)
  if not equals(want, q.sign) then return false, "bad signature" end
  return true
end
