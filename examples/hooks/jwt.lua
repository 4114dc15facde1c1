-- Tokens of an identity provider: ?token=JWT, signed with HS256, whose claim
-- "streams" lists what its owner may watch ("live/*" is a whole app), and
-- "publish" what they may publish.

local options = {
  alg = "HS256", -- the only one that is taken, whatever the token says
  key = "change-me-0123456789abcdef012345",
  audience = "millrace",
  require_exp = true,
}

local function allowed(list, stream_id, app)
  for _, s in ipairs(type(list) == "table" and list or {}) do
    if s == stream_id or s == app .. "/*" then return true end
  end
  return false
end

local function check(e, claim)
  local claims, why = millrace.jwt.verify(e.params.token, options)
  if not claims then
    millrace.log.info("token refused", { why = why, stream = e.stream_id })
    return nil, "the token is not valid"
  end
  if not allowed(claims[claim], e.stream_id, e.app) then return nil, "the token is not for this stream" end
  return claims
end

function on_publish(s)
  local claims, reason = check(s, "publish")
  if not claims then return false, reason end
  return { labels = { user = claims.sub } }
end

function on_play(v)
  local claims, reason = check(v, "streams")
  return claims ~= nil, reason
end
