-- Looks at some instances of a namespace (or at children of one), newest first, below a number. Where the look ended
-- (nothing: at the end), then the rows that match.
local index, below, looks, limit = take(), take(), count(), count()
local app, workflow, prefix = optional(), optional(), take()
local statuses, any = {}, true
for _ = 1, count() do
  statuses[take()] = true
  any = false
end
local found = redis.call("ZREVRANGEBYSCORE", base .. ":" .. index, below, "-inf", "WITHSCORES", "LIMIT", 0, looks)
local answer = { #found == 2 * looks and found[#found] or false }
for place = 1, #found, 2 do
  local id = found[place]
  local fields = redis.call("HMGET", of("instance", id), "app", "workflow", "status", "key")
  if (not app or app == fields[1]) and (not workflow or workflow == fields[2]) and (any or statuses[fields[3]])
    and string.sub(fields[4], 1, #prefix) == prefix then
    answer[#answer + 1] = row(id, true)
    if #answer > limit then
      answer[1] = found[place + 1]
      break
    end
  end
end
return answer
