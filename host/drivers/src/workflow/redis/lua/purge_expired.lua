-- Removes instances whose retention has ended: how many.
local now, limit = take(), take()
local expired = redis.call("ZRANGEBYSCORE", base .. ":expires", "-inf", now, "LIMIT", 0, limit)
for _, id in ipairs(expired) do remove(id) end
return #expired
