-- What is asked of an instance: "row", "events" (from, to), "blob" (digest), "inbox" (after, limit). Nothing: there is no
-- such instance.
local what, id = take(), take()
if redis.call("EXISTS", of("instance", id)) == 0 then return false end
if what == "row" then
  return { row(id) }
elseif what == "events" then
  return redis.call("LRANGE", of("events", id), take(), take())
elseif what == "blob" then
  return { redis.call("HGET", of("blobs", id), take()) }
end
return redis.call("XRANGE", of("inbox", id), "(" .. take() .. "-0", "+", "COUNT", take())
