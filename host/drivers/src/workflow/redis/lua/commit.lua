-- A commit. Applied: 1 and the new version. Refused: 0 and what is there, epoch and version.
local id, epoch, version, now = take(), take(), take(), take()
local instance = of("instance", id)
local found = redis.call("HMGET", instance, "epoch", "version", "owner", "status", "code", "served", "number",
  "namespace", "expires_at")
if found[1] ~= epoch or found[2] ~= version or not found[3] then
  return { 0, found[1], found[2] }
end
local owner, served, number, namespace = found[3], found[6], found[7], found[8]

local execution = optional()
if execution then
  redis.call("DEL", of("events", id), of("blobs", id))
  drop_tasks(id)
  redis.call("HSET", instance, "execution", execution, "events", "0")
end
redis.call("HINCRBY", instance, "events", add_events(id))
add_blobs(id)

local status = take()
local terminal = TERMINAL[status]
local set, unset = { "status", status, "updated_at", now }, {}
for _, name in ipairs({ "waiting_on", "waiting_since", "custom_status", "code", "problem", "outcome", "finished_at",
  "expires_at" }) do
  local value = optional()
  if value then
    set[#set + 1] = name
    set[#set + 1] = value
  else
    unset[#unset + 1] = name
  end
  if name == "code" and (value ~= (found[5] or nil) or terminal) then
    count_code(served, found[5] or nil, -1)
    if not terminal then count_code(served, value, 1) end
  end
  if name == "expires_at" and value then
    redis.call("ZADD", base .. ":expires", value, id)
  elseif name == "expires_at" and found[9] then
    redis.call("ZREM", base .. ":expires", id)
  end
end
redis.call("HSET", instance, unpack(set))
if #unset > 0 then redis.call("HDEL", instance, unpack(unset)) end
if status ~= found[4] then
  if status == "STALLED" then redis.call("SADD", of("stalled", served), id) end
  if found[4] == "STALLED" then redis.call("SREM", of("stalled", served), id) end
end

for _ = 1, count() do redis.call("XDEL", of("inbox", id), take() .. "-0") end
for _ = 1, count() do drop_task(id, take()) end
add_tasks(id, namespace, not terminal)
if terminal then
  redis.call("DEL", of("inbox", id), of("seen", id))
  drop_tasks(id)
  disown(id, owner)
  set_ready(id, served, number, nil)
end

for _ = 1, count() do
  local created = create({})
  local dedup, sent_at, body = optional(), take(), take()
  if not created then receive(id, dedup, sent_at, body) end
end
for _ = 1, count() do
  local to = take()
  local dedup, sent_at, body = optional(), take(), take()
  receive(to, dedup, sent_at, body)
end
-- After the messages, since one to itself counts as one that came later.
if count() == 1 then
  local seen, clock, ready_at = take(), take(), optional()
  if not terminal then release(id, owner, served, number, seen, clock, ready_at) end
end
return { 1, whole(redis.call("HINCRBY", instance, "version", 1)) }
