-- What a host owns: namespace, app, key, epoch of each.
local answer = {}
for _, id in ipairs(redis.call("SMEMBERS", of("owned", take()))) do
  answer[#answer + 1] = redis.call("HMGET", of("instance", id), "namespace", "app", "key", "epoch")
end
return answer
