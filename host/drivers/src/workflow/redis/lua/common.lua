-- What every script begins with. KEYS[1] is what all keys of the store begin with, and holds their hash tag.
-- Optional values come as "" for none, or with "=" before them.

local base = KEYS[1]
local at = 0

local TERMINAL = { COMPLETED = true, FAILED = true, CANCELED = true, TERMINATED = true }

local FIELDS = { "number", "namespace", "app", "key", "execution", "workflow", "parent_app", "parent_key", "status",
  "version", "epoch", "events", "owner", "ready_at", "waiting_on", "waiting_since", "custom_status", "code", "problem",
  "outcome", "created_at", "updated_at", "finished_at", "expires_at" }

-- The next argument.
local function take()
  at = at + 1
  return ARGV[at]
end

-- The next argument as a number.
local function count()
  return tonumber(take())
end

-- The next argument, which may be none.
local function optional()
  local text = take()
  if text == "" then return nil end
  return string.sub(text, 2)
end

local function whole(number)
  return string.format("%.0f", number)
end

local function of(kind, id)
  return base .. ":" .. kind .. ":" .. id
end

-- As a sorted set orders those of equal score: by age.
local function member(number, id)
  return string.format("%016d", tonumber(number)) .. id
end

local function number_and_id(text)
  return string.sub(text, 1, 16), string.sub(text, 17)
end

local function next_number()
  return redis.call("INCR", base .. ":numbers")
end

-- Greater than any epoch before, also than those that a server has lost with its last writes.
local function next_epoch(before)
  local time = redis.call("TIME")
  local millis = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  return whole(math.max(tonumber(before) + 1, millis))
end

-- The row of an instance; `bare` leaves its outcome out.
local function row(id, bare)
  local fields = FIELDS
  if bare then
    fields = {}
    for place, name in ipairs(FIELDS) do
      fields[place] = name == "outcome" and "-" or name
    end
  end
  return redis.call("HMGET", of("instance", id), unpack(fields))
end

-- When somebody should take an instance that nobody owns; nil: nobody.
local function set_ready(id, served, number, ready_at)
  local queue = of("ready", served)
  if ready_at then
    redis.call("HSET", of("instance", id), "ready_at", ready_at)
    redis.call("ZADD", queue, ready_at, member(number, id))
  else
    redis.call("HDEL", of("instance", id), "ready_at")
    redis.call("ZREM", queue, member(number, id))
  end
end

local function own(id, owner)
  redis.call("HSET", of("instance", id), "owner", owner)
  redis.call("SADD", of("owned", owner), id)
end

local function disown(id, owner)
  redis.call("HDEL", of("instance", id), "owner")
  redis.call("SREM", of("owned", owner), id)
end

-- Counts the code that instances need which have not ended.
local function count_code(served, code, by)
  if not code then return end
  local codes = of("codes", served)
  if redis.call("HINCRBY", codes, code, by) <= 0 then
    redis.call("HDEL", codes, code)
  end
end

local function drop_task(id, operation)
  local tasks = of("tasks", id)
  local number = redis.call("HGET", tasks, operation)
  if not number then return end
  local task = of("task", number)
  local served = redis.call("HGET", task, "served")
  redis.call("HDEL", tasks, operation)
  redis.call("DEL", task)
  redis.call("ZREM", of("due", served), number)
  redis.call("ZREM", of("visible", served), number)
end

local function drop_tasks(id)
  for _, operation in ipairs(redis.call("HKEYS", of("tasks", id))) do
    drop_task(id, operation)
  end
end

-- Takes the arguments of tasks. One of the same operation is replaced.
local function add_tasks(id, namespace, keep)
  for _ = 1, count() do
    local operation, app, visible_at, body = take(), take(), take(), take()
    if keep then
      drop_task(id, operation)
      local number, served = whole(next_number()), namespace .. "/" .. app
      redis.call("HSET", of("tasks", id), operation, number)
      redis.call("HSET", of("task", number), "id", id, "operation", operation, "served", served, "app", app,
        "visible_at", visible_at, "claim", "0", "deliveries", "0", "body", body)
      redis.call("ZADD", of("due", served), visible_at, number)
    end
  end
end

-- Takes the arguments of events; how many.
local function add_events(id)
  local events, number = of("events", id), count()
  for _ = 1, number do
    redis.call("RPUSH", events, take())
  end
  return number
end

local function add_blobs(id)
  for _ = 1, count() do
    local digest, bytes = take(), take()
    redis.call("HSETNX", of("blobs", id), digest, bytes)
  end
end

-- Puts a message into an inbox.
local function receive(id, dedup, sent_at, body)
  local instance = of("instance", id)
  local found = redis.call("HMGET", instance, "status", "owner", "ready_at", "served", "number")
  if not found[1] then return "absent" end
  if TERMINAL[found[1]] then return "finished" end
  if dedup and redis.call("SADD", of("seen", id), dedup) == 0 then return "duplicate" end
  local number = redis.call("HINCRBY", instance, "messages", 1)
  redis.call("XADD", of("inbox", id), whole(number) .. "-0", "at", sent_at, "body", body)
  if not found[2] and (not found[3] or tonumber(sent_at) < tonumber(found[3])) then
    set_ready(id, found[4], found[5], sent_at)
  end
  return "accepted"
end

-- Removes an instance with everything that belongs to it.
local function remove(id)
  local instance = of("instance", id)
  local found = redis.call("HMGET", instance, "number", "namespace", "served", "owner", "status", "code", "parent_id")
  drop_tasks(id)
  redis.call("ZREM", of("ready", found[3]), member(found[1], id))
  redis.call("SREM", of("stalled", found[3]), id)
  redis.call("ZREM", of("all", found[2]), id)
  redis.call("ZREM", base .. ":expires", id)
  if found[4] then redis.call("SREM", of("owned", found[4]), id) end
  if found[7] then redis.call("ZREM", of("children", found[7]), id) end
  if not TERMINAL[found[5]] then count_code(found[3], found[6] or nil, -1) end
  redis.call("DEL", instance, of("events", id), of("inbox", id), of("seen", id), of("blobs", id))
end

-- Takes the arguments of a new instance. `replaces`: statuses of one that makes room. Whether it was created.
local function create(replaces)
  local id, namespace, app, key = take(), take(), take(), take()
  local execution, workflow = take(), take()
  local parent_app, parent_key, owner = optional(), optional(), optional()
  local ready_at, created_at = take(), take()
  local instance, served = of("instance", id), namespace .. "/" .. app
  local before = redis.call("HMGET", instance, "status", "version", "epoch", "messages", "execution")
  local fresh = not before[1] or replaces[before[1]]
  if not fresh then
    -- Its arguments are passed over.
    for _ = 1, count() do take() end
    for _ = 1, 2 * count() do take() end
    add_tasks(id, namespace, false)
    return false
  end
  local version, epoch, messages = "1", owner and next_epoch(0) or "0", "0"
  if before[1] then
    version, epoch = whole(tonumber(before[2]) + 1), next_epoch(before[3])
    messages = before[4]
    remove(id)
  end
  local number = whole(next_number())
  redis.call("HSET", instance, "number", number, "namespace", namespace, "app", app, "key", key, "served", served,
    "execution", execution, "workflow", workflow, "status", "PENDING", "version", version, "epoch", epoch,
    "messages", messages, "created_at", created_at, "updated_at", created_at, "ready_at", ready_at)
  redis.call("ZADD", of("all", namespace), number, id)
  if parent_app then
    local parent_id = namespace .. "/" .. parent_app .. "/" .. parent_key
    redis.call("HSET", instance, "parent_app", parent_app, "parent_key", parent_key, "parent_id", parent_id)
    redis.call("ZADD", of("children", parent_id), number, id)
  end
  if owner then
    own(id, owner)
    -- One that never joined counts as one whose lease has ended.
    redis.call("ZADD", base .. ":hosts", "NX", "0", owner)
  else
    set_ready(id, served, number, ready_at)
  end
  redis.call("HSET", instance, "events", whole(add_events(id)))
  add_blobs(id)
  add_tasks(id, namespace, true)
  return true
end

-- Gives an instance up: it is ready at once, if a message came that its owner has not seen.
local function release(id, owner, served, number, seen, now, ready_at)
  disown(id, owner)
  local last = redis.call("XREVRANGE", of("inbox", id), "+", "-", "COUNT", 1)[1]
  if last and tonumber(string.match(last[1], "^%d+")) > tonumber(seen) then
    ready_at = now
  end
  set_ready(id, served, number, ready_at)
end
