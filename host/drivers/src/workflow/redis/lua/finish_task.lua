-- Removes a task that is still held by a claim, and sends its result: whether it was.
local id, operation, claim = take(), take(), take()
local number = redis.call("HGET", of("tasks", id), operation)
if not number or redis.call("HGET", of("task", number), "claim") ~= claim then return 0 end
drop_task(id, operation)
local dedup, sent_at, body = optional(), take(), take()
receive(id, dedup, sent_at, body)
return 1
