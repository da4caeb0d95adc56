//! Node.js processes that stay between builds: what takes seconds is reading the compilers and the standard library's types.

use super::options;
use crate::{Error, project::Project, said::Said};
use anyhow::{Context, Result};
use std::{
    collections::HashMap,
    io::{BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, PoisonError},
};

/// One for each project. They end when this is dropped.
#[derive(Debug, Default)]
pub struct Servers(Mutex<HashMap<PathBuf, Server>>);

impl Servers {
    /// Builds a program. What its compilers have to say they write to standard error.
    pub fn ask(
        &self,
        project: &Project,
        entry: &Path,
        tools: &Path,
        say: &dyn Fn(&str),
    ) -> Result<Said, Error> {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut server = match servers.remove(&project.folder) {
            Some(server) => server,
            None => Server::start(project, tools)?,
        };
        // One that fails is not kept.
        let said = server.ask(&options(project, entry).to_string(), say)?;
        servers.insert(project.folder.clone(), server);
        Ok(said)
    }
}

#[derive(Debug)]
struct Server {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Server {
    fn start(project: &Project, tools: &Path) -> Result<Self> {
        let mut process = Command::new("node")
            .current_dir(&project.folder)
            .arg(tools.join("sdk/build/serve.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("running node")?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (requests, answers) = pipes.context("node has no pipes")?;
        Ok(Self {
            process,
            requests,
            answers: BufReader::new(answers),
        })
    }

    fn ask(&mut self, request: &str, say: &dyn Fn(&str)) -> Result<Said> {
        writeln!(self.requests, "{request}").context("asking node for a build")?;
        Said::next(&mut self.answers, say).context("node ended while it built")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
