//! The servers that the tests and the demo run privately: each a program of a Debian package.

use super::debian;
use anyhow::Result;
use std::env;
use std::path::PathBuf;

/// A server's program, and the package that has it.
#[derive(Clone, Copy)]
pub struct Server {
    /// Name of the program.
    pub program: &'static str,
    /// Debian's package.
    pub package: &'static str,
}

/// `redis-server`.
pub const REDIS: Server = Server {
    program: "redis-server",
    package: "redis-server",
};
/// `redis-sentinel`, for the tests.
const REDIS_SENTINEL: Server = Server {
    program: "redis-sentinel",
    package: "redis-sentinel",
};
/// `postgres`, with `initdb` beside it.
pub const POSTGRESQL: Server = Server {
    program: "postgres",
    package: "postgresql",
};
/// `rabbitmq-server`.
pub const RABBITMQ: Server = Server {
    program: "rabbitmq-server",
    package: "rabbitmq-server",
};

/// `nft` and `ip`, with which tests make networks that lose packets.
const NFT: Server = Server {
    program: "nft",
    package: "nftables",
};
const IP: Server = Server {
    program: "ip",
    package: "iproute2",
};

/// All that tests need.
const ALL: [Server; 6] = [REDIS, REDIS_SENTINEL, POSTGRESQL, RABBITMQ, NFT, IP];

/// Where Debian keeps servers besides the search path. `/usr/sbin/rabbitmq-server` is not it: that one insists on the
/// system's own user and folders.
const PLACES: [&str; 2] = ["/usr/lib/rabbitmq/bin", "/usr/sbin"];
/// Here each major version has a folder.
const POSTGRESQL_VERSIONS: &str = "/usr/lib/postgresql";

/// Installs the servers that are missing.
pub fn ensure_all() -> Result<String> {
    let missing: Vec<_> = ALL
        .iter()
        .filter(|server| server.find().is_none())
        .collect();
    if !missing.is_empty() {
        let packages: Vec<_> = missing.iter().map(|server| server.package).collect();
        debian::install(&packages, "a server that the tests run")?;
    }
    Ok(ALL.map(|server| server.package).join(", "))
}

impl Server {
    /// The path of the program, which is installed if it is missing.
    pub fn ensure(self) -> Result<PathBuf> {
        if let Some(program) = self.find() {
            return Ok(program);
        }
        debian::install(&[self.package], self.program)?;
        let program = self.find();
        program.ok_or_else(|| anyhow::anyhow!("{} has no `{}`", self.package, self.program))
    }

    fn find(self) -> Option<PathBuf> {
        let versions = std::fs::read_dir(POSTGRESQL_VERSIONS).into_iter().flatten();
        let versions = versions.flatten().map(|version| version.path().join("bin"));
        let path = env::var_os("PATH").unwrap_or_default();
        PLACES
            .iter()
            .map(PathBuf::from)
            .chain(versions)
            .chain(env::split_paths(&path))
            .map(|folder| folder.join(self.program))
            .find(|program| program.is_file())
    }
}
