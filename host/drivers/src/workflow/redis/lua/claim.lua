-- Takes instances that are ready, and those of hosts whose lease has ended. Whether there are more, when the next one is
-- ready, then for each instance whether it was taken over, and its row.
local owner, now, limit = take(), take(), count()
local apps = {}
for place = 1, count() do apps[place] = take() end

local is_served, found, next_at = {}, {}, nil
for _, served in ipairs(apps) do
  is_served[served] = true
  local ready = redis.call("ZRANGEBYSCORE", of("ready", served), "-inf", now, "WITHSCORES", "LIMIT", 0, limit + 1)
  for place = 1, #ready, 2 do
    local number, id = number_and_id(ready[place])
    found[#found + 1] = { since = tonumber(ready[place + 1]), number = tonumber(number), id = id, served = served }
  end
  local later = redis.call("ZRANGEBYSCORE", of("ready", served), "(" .. now, "+inf", "LIMIT", 0, 1)[1]
  if later then
    local _, id = number_and_id(later)
    local ready_at = redis.call("HGET", of("instance", id), "ready_at")
    if not next_at or tonumber(ready_at) < tonumber(next_at) then next_at = ready_at end
  end
end
for _, host in ipairs(redis.call("ZRANGEBYSCORE", base .. ":hosts", "-inf", now)) do
  for _, id in ipairs(redis.call("SMEMBERS", of("owned", host))) do
    local fields = redis.call("HMGET", of("instance", id), "served", "ready_at", "number")
    if is_served[fields[1]] then
      found[#found + 1] = { since = tonumber(fields[2] or now), number = tonumber(fields[3]), id = id,
        served = fields[1], from = host }
    end
  end
end
table.sort(found, function(a, b)
  if a.since ~= b.since then return a.since < b.since end
  return a.number < b.number
end)

local answer = { #found > limit and 1 or 0, next_at or false }
for place = 1, math.min(#found, limit) do
  local one = found[place]
  local instance = of("instance", one.id)
  if one.from then
    disown(one.id, one.from)
  else
    redis.call("ZREM", of("ready", one.served), member(one.number, one.id))
  end
  own(one.id, owner)
  redis.call("HSET", instance, "epoch", next_epoch(redis.call("HGET", instance, "epoch")))
  answer[#answer + 1] = one.from and 1 or 0
  answer[#answer + 1] = row(one.id)
end
return answer
