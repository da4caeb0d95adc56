-- Keeps claimed tasks for longer: for each whether it is still held by its claim.
local until_when, answer = take(), {}
for place = 1, count() do
  local id, operation, claim = take(), take(), take()
  local number = redis.call("HGET", of("tasks", id), operation)
  local task = number and of("task", number)
  if task and redis.call("HGET", task, "claim") == claim then
    local served = redis.call("HGET", task, "served")
    redis.call("HSET", task, "visible_at", until_when)
    redis.call("ZREM", of("visible", served), number)
    redis.call("ZADD", of("due", served), until_when, number)
    answer[place] = 1
  else
    answer[place] = 0
  end
end
return answer
