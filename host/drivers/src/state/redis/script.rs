//! Writes as one script: all steps are checked, then all are applied, and nobody comes in between.

use super::unexpected;
use berth_blocks::state::{DeleteRequest, Precondition, SetRequest, StateError};
use redis::{Cmd, Script, Value};
use std::{
    sync::LazyLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Arguments per step: what must hold (nothing, `-` for absent, or the etag), what happens (`del`, or the time to live
/// in milliseconds, or nothing), the note without its version, the value. Answers 0, or the number of the step whose
/// condition does not hold.
///
/// What could fail while steps are applied is found out before: another type, a version that is no number. Memory is
/// checked by the server before the first write.
const CODE: &str = r#"
local now, foreign = {}, {}
for i = 1, #KEYS do
  local key, need = KEYS[i], ARGV[i * 4 - 3]
  local version = now[key]
  if version == nil then
    version = redis.pcall("HGET", key, "version")
    if type(version) == "table" then
      if not string.find(version.err, "WRONGTYPE", 1, true) then return version end
      version, foreign[key] = "0", true
    elseif not version then
      if redis.call("EXISTS", key) == 1 then version = "0" end
    elseif not string.find(version, "^%d+$") then
      return redis.error_reply("ERR the version of a stored value is no number")
    end
  end
  if need == "-" then
    if version then return i end
  elseif need ~= "" and need ~= version then
    return i
  end
  if ARGV[i * 4 - 2] == "del" then
    now[key] = false
  else
    now[key] = string.format("%.0f", (version or 0) + 1)
  end
end
for i = 1, #KEYS do
  local key, what, note = KEYS[i], ARGV[i * 4 - 2], ARGV[i * 4 - 1]
  if foreign[key] then
    redis.call("DEL", key)
    foreign[key] = nil
  end
  if what == "del" then
    redis.call("DEL", key)
  else
    if ARGV[i * 4 - 3] == "-" then
      redis.call("HSET", key, "data", ARGV[i * 4], "first-write", 0)
    else
      redis.call("HSET", key, "data", ARGV[i * 4])
    end
    local version = redis.call("HINCRBY", key, "version", 1)
    if note ~= "" then
      redis.call("HSET", key, "berth", string.format("%.0f", version) .. note)
    end
    if what == "" then
      redis.call("PERSIST", key)
    else
      redis.call("PEXPIRE", key, what)
    end
  end
end
return 0
"#;

/// The same for one write, which is most of them: half the work for the server.
const CODE_OF_ONE_WRITE: &str = r#"
local key, need, ttl, note = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if need ~= "" then
  local version = redis.pcall("HGET", key, "version")
  if type(version) == "table" then
    if not string.find(version.err, "WRONGTYPE", 1, true) then return version end
    version = "0"
  elseif not version and redis.call("EXISTS", key) == 1 then
    version = "0"
  end
  if need == "-" then
    if version then return 1 end
  elseif need ~= version then
    return 1
  end
end
local version = redis.pcall("HINCRBY", key, "version", 1)
if type(version) == "table" then
  if not string.find(version.err, "WRONGTYPE", 1, true) then return version end
  redis.call("DEL", key)
  version = redis.call("HINCRBY", key, "version", 1)
end
if need == "-" then
  redis.call("HSET", key, "data", ARGV[4], "first-write", 0)
else
  redis.call("HSET", key, "data", ARGV[4])
end
if note ~= "" then
  redis.call("HSET", key, "berth", string.format("%.0f", version) .. note)
end
if ttl == "" then
  redis.call("PERSIST", key)
else
  redis.call("PEXPIRE", key, ttl)
end
return 0
"#;

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(CODE));
static SCRIPT_OF_ONE_WRITE: LazyLock<Script> = LazyLock::new(|| Script::new(CODE_OF_ONE_WRITE));

/// What happens in a step that deletes.
const DELETE: &str = "del";
/// Longer times to live are cut to this, some 140,000 years: the server adds its clock to it.
const TTL_MS_MAX: u64 = 1 << 52;

/// One step, ready to be sent.
pub(super) struct Step<'r> {
    pub(super) key: &'r str,
    need: &'r str,
    what: String,
    note: String,
    value: &'r [u8],
}

impl<'r> Step<'r> {
    pub(super) fn set(
        request: &'r SetRequest,
        ttl: Option<Duration>,
        now: SystemTime,
    ) -> Result<Self, StateError> {
        let millis = ttl.map(|ttl| {
            let millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
            millis.clamp(1, TTL_MS_MAX)
        });
        let content_type = request.content_type.as_deref().unwrap_or_default();
        Ok(Self {
            key: &request.key,
            need: need(&request.precondition)?,
            what: millis.map_or(String::new(), |millis| millis.to_string()),
            note: note(millis, now, content_type),
            value: &request.value,
        })
    }

    pub(super) fn delete(request: &'r DeleteRequest) -> Result<Self, StateError> {
        let need = match &request.precondition {
            Precondition::None | Precondition::Absent => "",
            etag @ Precondition::Etag(_) => need(etag)?,
        };
        Ok(Self {
            key: &request.key,
            need,
            what: DELETE.to_owned(),
            note: String::new(),
            value: &[],
        })
    }

    fn bytes(&self) -> usize {
        self.key.len() + self.need.len() + self.what.len() + self.note.len() + self.value.len()
    }
}

fn need(precondition: &Precondition) -> Result<&str, StateError> {
    match precondition {
        Precondition::None => Ok(""),
        Precondition::Absent => Ok("-"),
        Precondition::Etag(etag) if etag.parse::<u64>().is_ok() => Ok(etag),
        Precondition::Etag(etag) => Err(StateError::InvalidEtag(format!(
            "`{etag}` is no etag of state.redis: expected a number"
        ))),
    }
}

/// Nothing, if there is nothing to note: the version alone makes an earlier note void.
fn note(ttl: Option<u64>, now: SystemTime, content_type: &str) -> String {
    if ttl.is_none() && content_type.is_empty() {
        return String::new();
    }
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let expires = ttl.map_or(String::new(), |ttl| {
        (since.as_millis() + u128::from(ttl)).to_string()
    });
    format!(";{expires};{content_type}")
}

/// The script by its hash, which the server knows after the first time.
pub(super) fn by_hash(steps: &[Step<'_>]) -> Cmd {
    let script = if is_one_write(steps) {
        &SCRIPT_OF_ONE_WRITE
    } else {
        &SCRIPT
    };
    command("EVALSHA", script.get_hash(), steps)
}

/// The script itself; the server keeps it.
pub(super) fn in_full(steps: &[Step<'_>]) -> Cmd {
    let code = if is_one_write(steps) {
        CODE_OF_ONE_WRITE
    } else {
        CODE
    };
    command("EVAL", code, steps)
}

fn is_one_write(steps: &[Step<'_>]) -> bool {
    matches!(steps, [only] if only.what != DELETE)
}

fn command(name: &str, script: &str, steps: &[Step<'_>]) -> Cmd {
    let bytes: usize = steps.iter().map(Step::bytes).sum();
    let mut command = Cmd::with_capacity(3 + 5 * steps.len(), bytes + script.len() + 16);
    command.arg(name).arg(script).arg(steps.len());
    for step in steps {
        command.arg(step.key);
    }
    for step in steps {
        command
            .arg(step.need)
            .arg(&step.what)
            .arg(&step.note)
            .arg(step.value);
    }
    command
}

/// What became of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Applied,
    /// Nothing was written: the condition of this step, counted from 0, does not hold.
    Refused(usize),
}

impl Outcome {
    pub(super) fn of_single(self, key: &str) -> Result<(), StateError> {
        match self {
            Self::Applied => Ok(()),
            Self::Refused(_) => Err(conflict(key, None)),
        }
    }
}

pub(super) fn outcome(answer: Value) -> Result<Outcome, StateError> {
    match answer {
        Value::Int(0) => Ok(Outcome::Applied),
        Value::Int(number @ 1..) => Ok(Outcome::Refused(
            usize::try_from(number - 1).unwrap_or(usize::MAX),
        )),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn conflict(key: &str, step: Option<usize>) -> StateError {
    let step = step.map_or(String::new(), |step| {
        format!(" (operation {} of the transaction)", step + 1)
    });
    StateError::Conflict(format!(
        "the stored value of \"{key}\" is not the one that the write requires{step}"
    ))
}

#[cfg(test)]
mod tests {
    use super::{super::NOTE, *};

    #[test]
    fn the_script_writes_the_field_that_reads_look_at() {
        for code in [CODE, CODE_OF_ONE_WRITE] {
            assert!(code.contains(&format!("\"{NOTE}\"")));
        }
    }
}
