-- Gives an instance up that is owned in an epoch: 1, or 0 with what is there, epoch and version.
local id, epoch = take(), take()
local found = redis.call("HMGET", of("instance", id), "epoch", "version", "owner", "served", "number")
if found[1] ~= epoch or not found[3] then
  return { 0, found[1], found[2] }
end
release(id, found[3], found[4], found[5], take(), take(), optional())
return { 1 }
