-- The lease of a host, by what is wanted: "join" (with the time before which hosts are forgotten that own nothing),
-- "renew", "leave".
local what, owner, until_when = take(), take(), take()
local hosts = base .. ":hosts"
if what == "join" then
  for _, host in ipairs(redis.call("ZRANGEBYSCORE", hosts, "-inf", take())) do
    if redis.call("EXISTS", of("owned", host)) == 0 then redis.call("ZREM", hosts, host) end
  end
end
if what == "leave" then
  redis.call("ZADD", hosts, "XX", "0", owner)
else
  redis.call("ZADD", hosts, until_when, owner)
end
return 1
