-- Removes an instance, by force or if it has ended: 1, 0 if there is none, or its status.
local id, force = take(), take()
local status = redis.call("HGET", of("instance", id), "status")
if not status then return 0 end
if force ~= "1" and not TERMINAL[status] then return status end
remove(id)
return 1
