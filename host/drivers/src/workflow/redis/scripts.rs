//! The scripts: a file each, behind what all have in common.

use super::Arguments;
use redis::Cmd;
use std::sync::LazyLock;

const COMMON: &str = include_str!("lua/common.lua");

/// A script.
pub(super) struct Script {
    code: String,
    hash: String,
}

/// Declares scripts by the names of their files.
macro_rules! scripts {
    ($($name:ident = $file:literal),* $(,)?) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(include_str!(concat!("lua/", $file, ".lua"))));)*
    };
}

scripts! {
    CLAIM = "claim",
    CLAIM_TASKS = "claim_tasks",
    CODES = "codes",
    COMMIT = "commit",
    CREATE = "create",
    FINISH_TASK = "finish_task",
    HOSTS = "hosts",
    LIST = "list",
    OWNED = "owned",
    PURGE = "purge",
    PURGE_EXPIRED = "purge_expired",
    READ = "read",
    RELEASE = "release",
    RENEW_TASKS = "renew_tasks",
    SEND = "send",
    WAKE_STALLED = "wake_stalled",
}

impl Script {
    fn new(own: &str) -> Self {
        let code = format!("{COMMON}\n{own}");
        let hash = redis::Script::new(&code).get_hash().to_owned();
        Self { code, hash }
    }

    /// By its hash, which the server knows after the first time.
    pub(super) fn by_hash(&self, base: &str, arguments: &Arguments) -> Cmd {
        command("EVALSHA", &self.hash, base, arguments)
    }

    /// The script itself; the server keeps it.
    pub(super) fn in_full(&self, base: &str, arguments: &Arguments) -> Cmd {
        command("EVAL", &self.code, base, arguments)
    }
}

fn command(name: &str, script: &str, base: &str, arguments: &Arguments) -> Cmd {
    let values = arguments.values();
    let bytes: usize = values.clone().map(<[u8]>::len).sum();
    let mut command = Cmd::with_capacity(
        4 + arguments.len(),
        name.len() + script.len() + base.len() + bytes + 1,
    );
    command.arg(name).arg(script).arg(1).arg(base);
    for value in values {
        command.arg(value);
    }
    command
}
