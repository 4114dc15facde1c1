-- Names by rule: the encoder of a tenant publishes live/NAME?tenant=acme, and
-- the stream is called acme/NAME-20260102. Viewers of acme/NAME get today's.

local tenants = { acme = true, globex = true }

local function today()
  return os.date("!%Y%m%d")
end

function on_publish(s)
  local tenant = s.params.tenant
  if not tenant or not tenants[tenant] then return false, "the tenant is not known" end
  return { app = tenant, name = s.name .. "-" .. today(), labels = { tenant = tenant } }
end

function on_play(v)
  if tenants[v.app] and not millrace.re.match([[-\d{8}$]], v.name) then
    return { stream = v.app .. "/" .. v.name .. "-" .. today() }
  end
  return true
end
