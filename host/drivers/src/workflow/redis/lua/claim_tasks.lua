-- Takes tasks that are visible, oldest first: of each where its instance stands, operation, claim, app, deliveries, body.
local now, until_when, limit = take(), take(), count()
local found = {}
for _ = 1, count() do
  local served = take()
  local due, visible = of("due", served), of("visible", served)
  for _, number in ipairs(redis.call("ZRANGEBYSCORE", due, "-inf", now)) do
    redis.call("ZREM", due, number)
    redis.call("ZADD", visible, number, number)
  end
  local taken, from = 0, 0
  repeat
    local page = redis.call("ZRANGE", visible, from, from + limit - 1)
    for _, number in ipairs(page) do
      -- A host whose clock is ahead may have found it first.
      local visible_at = redis.call("HGET", of("task", number), "visible_at")
      if tonumber(visible_at) <= tonumber(now) and taken < limit then
        found[#found + 1] = { number = number, served = served }
        taken = taken + 1
      end
    end
    from = from + limit
  until taken >= limit or #page < limit
end
table.sort(found, function(a, b) return tonumber(a.number) < tonumber(b.number) end)
local answer = {}
for place = 1, math.min(#found, limit) do
  local one = found[place]
  local task = of("task", one.number)
  local claim = whole(next_number())
  local deliveries = redis.call("HINCRBY", task, "deliveries", 1)
  redis.call("HSET", task, "claim", claim, "visible_at", until_when)
  redis.call("ZREM", of("visible", one.served), one.number)
  redis.call("ZADD", of("due", one.served), until_when, one.number)
  local fields = redis.call("HMGET", task, "id", "operation", "app", "body")
  local key = redis.call("HMGET", of("instance", fields[1]), "namespace", "app", "key")
  answer[#answer + 1] = { key[1], key[2], key[3], fields[2], claim, fields[3], whole(deliveries), fields[4] }
end
return answer
