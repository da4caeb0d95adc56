//! What must happen in one step on the server. Each script touches one key, so that all of them work in a Cluster.
//!
//! The names of consumers carry what Redis has no field for: `berth-<uuid>` is a consumer that its host removes, and
//! `berth-wait-<milliseconds>` holds messages that nobody has now: each is due when it has been idle that long.

use redis::Cmd;
use std::sync::LazyLock;

/// A script, known to the server by its hash once it has run there.
pub(super) struct Script {
    source: &'static str,
    hash: String,
}

impl Script {
    fn new(source: &'static str) -> Self {
        let hash = redis::Script::new(source).get_hash().to_owned();
        Self { source, hash }
    }

    pub(super) fn by_hash(&self, key: &str, arguments: &[&str]) -> Cmd {
        call("EVALSHA", &self.hash, key, arguments)
    }

    pub(super) fn whole(&self, key: &str, arguments: &[&str]) -> Cmd {
        call("EVAL", self.source, key, arguments)
    }
}

fn call(how: &str, what: &str, key: &str, arguments: &[&str]) -> Cmd {
    let mut call = redis::cmd(how);
    call.arg(what).arg(1).arg(key).arg(arguments);
    call
}

/// What the names of berth's consumers begin with. Others, such as Dapr's, are never removed.
pub(super) const CONSUMER_PREFIX: &str = "berth-";

/// Gives a pending message to another consumer of the group, or to its own anew, if it is still with its holder and
/// was not given out since.
///
/// Arguments: group, holder, ID, deliveries, new holder, idle time in ms, deliveries to note. Answers 1 if so, else 0.
pub(super) static MOVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])
local entry = pending and pending[1]
if not entry or entry[4] ~= tonumber(ARGV[4]) then
  return 0
end
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[5], 0, ARGV[3],
  'IDLE', ARGV[6], 'RETRYCOUNT', ARGV[7], 'JUSTID')
return 1
",
    )
});

/// Takes messages that wait and are due, and those of consumers that are silent for too long; removes consumers of
/// berth that are empty and gone.
///
/// Arguments: group, consumer, messages at most, idle time in ms after which messages of other consumers are taken
/// (negative: never), idle time in ms after which empty consumers are removed. Answers with triples of ID, deliveries
/// and fields.
///
/// What was deleted from the stream is no longer claimed by Redis 7, and claimed as nothing by Redis 6.2; there it is
/// acknowledged.
pub(super) static LOOK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local stream, group, me = KEYS[1], ARGV[1], ARGV[2]
local room, silent, gone = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local taken = {}

local function take(consumer, idle)
  local pending = redis.call('XPENDING', stream, group, 'IDLE', idle, '-', '+', room, consumer)
  for _, entry in ipairs(pending) do
    local claimed = redis.call('XCLAIM', stream, group, me, 0, entry[1])[1]
    if claimed then
      taken[#taken + 1] = { claimed[1], entry[4] + 1, claimed[2] }
      room = room - 1
    elseif #redis.call('XRANGE', stream, entry[1], entry[1]) == 0 then
      redis.call('XACK', stream, group, entry[1])
    end
  end
end

if redis.call('EXISTS', stream) == 0 then
  return redis.error_reply('NOGROUP the stream was deleted')
end
for _, fields in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
  local consumer = {}
  for i = 1, #fields, 2 do
    consumer[fields[i]] = fields[i + 1]
  end
  local waits = tonumber(string.match(consumer.name, '^berth%-wait%-(%d+)$'))
  local own = string.sub(consumer.name, 1, 6) == 'berth-'
  if consumer.name == me then
    -- What it holds, its leases answer for.
  elseif consumer.pending > 0 then
    local idle = waits or silent
    if idle >= 0 and room > 0 then
      take(consumer.name, idle)
    end
  elseif waits or (own and consumer.idle > gone) then
    redis.call('XGROUP', 'DELCONSUMER', stream, group, consumer.name)
  end
end
return taken
",
    )
});

/// Hands on what a consumer still has, none of which a handler saw, and removes the consumer.
///
/// Arguments: group, consumer.
pub(super) static LEAVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local stream, group, me = KEYS[1], ARGV[1], ARGV[2]
while true do
  local pending = redis.call('XPENDING', stream, group, '-', '+', 100, me)
  if not pending or #pending == 0 then
    break
  end
  for _, entry in ipairs(pending) do
    redis.call('XCLAIM', stream, group, 'berth-wait-0', 0, entry[1],
      'IDLE', 0, 'RETRYCOUNT', math.max(entry[4] - 1, 0), 'JUSTID')
  end
end
return redis.call('XGROUP', 'DELCONSUMER', stream, group, me)
",
    )
});

/// Counts what is in a stream, and what waits and what is leased in each of its groups.
///
/// Arguments: entries that are counted one by one at most, where Redis does not know how many are left (after a
/// deletion, and before Redis 7). Answers with the stream's length and with triples of group, waiting and in flight; with
/// nothing if there is no such stream.
pub(super) static DEPTHS: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local stream, most = KEYS[1], tonumber(ARGV[1])

local function named(fields)
  local values = {}
  for i = 1, #fields, 2 do
    values[fields[i]] = fields[i + 1]
  end
  return values
end

local function count_after(id)
  local count = 0
  while count < most do
    local page = redis.call('XRANGE', stream, '(' .. id, '+', 'COUNT', 1000)
    count = count + #page
    if #page < 1000 then
      break
    end
    id = page[#page][1]
  end
  return count
end

if redis.call('TYPE', stream).ok ~= 'stream' then
  return false
end
local depths = {}
for _, fields in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local group, waiting = named(fields), 0
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group.name)) do
    consumer = named(consumer)
    if string.match(consumer.name, '^berth%-wait%-%d+$') then
      waiting = waiting + consumer.pending
    end
  end
  local new = group.lag or count_after(group['last-delivered-id'])
  depths[#depths + 1] = { group.name, new + waiting, group.pending - waiting }
end
return { redis.call('XLEN', stream), depths }
",
    )
});

/// The consumer that holds messages until they have been idle for so long.
pub(super) fn waiting_consumer(idle_millis: u64) -> String {
    format!("berth-wait-{idle_millis}")
}
