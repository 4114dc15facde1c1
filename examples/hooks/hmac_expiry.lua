-- A link that ends: ?expires=UNIX&user=NAME&sign=HEX, where sign is
-- HMAC-SHA256(secret, "APP/NAME\nEXPIRES\nUSER"). In a shell:
--   printf 'live/cam1\n1767325445\nann' | openssl dgst -sha256 -hmac "$SECRET"

local secret = "change-me-0123456789abcdef012345"

local function check(e)
  local q = e.params
  local expires = tonumber(q.expires)
  if not expires or not q.sign then return false, "this needs a signed link" end
  if expires < millrace.time.now() then return false, "the link has expired" end
  local text = e.stream_id .. "\n" .. q.expires .. "\n" .. (q.user or "")
  if not millrace.equals(q.sign, millrace.hmac_sha256(secret, text)) then
    return false, "the signature is wrong"
  end
  return true
end

on_play = check
on_publish = check
