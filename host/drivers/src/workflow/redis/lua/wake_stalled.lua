-- Makes stalled instances ready that nobody owns: how many.
local served, now, woken = take(), take(), 0
for _, id in ipairs(redis.call("SMEMBERS", of("stalled", served))) do
  local fields = redis.call("HMGET", of("instance", id), "owner", "number")
  if not fields[1] then
    set_ready(id, served, fields[2], now)
    woken = woken + 1
  end
end
return woken
