//! What can be typed.

use crate::{
    commands::{
        apps, build, ca, check, components, dlq, invoke, log_level, new, publish, run, schema,
        test, topics, workflow,
    },
    host::folder_of_user,
};
use berth_runtime::Compiler;
use clap::{Parser, Subcommand, ValueEnum};
use std::path::{Path, PathBuf};

/// `--data-dir` where it is not given.
pub const DEFAULT_DATA_DIR: &str = ".berth";

const EXIT_CODES: &str = "\
Exit codes:
  0    success
  1    failure of the machine, a backend or a running host
  2    wrong input: arguments, documents, guests
  130  ended by a second signal before everything was finished";

/// Runs WebAssembly components with Dapr's building blocks: state, pub/sub, invocation, secrets.
#[derive(Debug, Parser)]
#[command(name = "berth", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the apps of a folder, or one guest
    Run(Box<run::Args>),
    /// Check documents and guests, and report everything that is wrong at once
    Check(check::Args),
    /// Make a new project
    New(new::Args),
    /// Build the guest of a project
    Build(build::Args),
    /// Run scenarios of component tests
    Test(test::Args),
    /// JSON Schema of a kind of document or of a component type, for editors
    Schema(schema::Args),
    /// List the apps of a running host
    Apps(apps::Args),
    /// List the backends of a running host and whether each answers
    Components(components::Args),
    /// Call a method of an app
    Invoke(invoke::Args),
    /// Publish a message as an app
    Publish(publish::Args),
    /// List topics, who consumes them and how much waits
    Topics(topics::Args),
    /// List, read, send again or delete dead letters
    Dlq(dlq::Args),
    /// Show or change what a running host logs, as a whole or for one app
    LogLevel(log_level::Args),
    /// Start workflows and look after their instances
    Workflow(workflow::Args),
    /// The development CA, which vouches for the apps of your own hosts
    Ca(ca::Args),
}

/// Which running host is meant, and how to answer.
#[derive(Debug, clap::Args)]
pub struct HostArgs {
    /// Data directory of the host
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR, env = "BERTH_DATA_DIR", hide_env_values = true)]
    pub data_dir: PathBuf,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: Output,
}

/// How guests are compiled, and where the result is kept.
#[derive(Debug, clap::Args)]
pub struct CompileArgs {
    /// Where compiled guests are kept; by default berth's folder in the user's cache folder
    #[arg(
        long,
        value_name = "DIR",
        env = "BERTH_CACHE_DIR",
        hide_env_values = true
    )]
    cache_dir: Option<PathBuf>,
    /// What guests are compiled with: `optimizing` makes fast code, `baseline` makes it in a sixth of the time
    /// [default: optimizing, with --watch baseline]
    #[arg(
        long,
        value_name = "COMPILER",
        env = "BERTH_COMPILER",
        hide_env_values = true,
        value_parser = str::parse::<Compiler>
    )]
    compiler: Option<Compiler>,
}

impl CompileArgs {
    /// The folder of compiled guests, for a host that has this data directory.
    pub fn cache_dir(&self, data_dir: &Path) -> PathBuf {
        let given = self.cache_dir.clone();
        given.unwrap_or_else(|| default_cache_dir(data_dir))
    }

    /// The compiler: somebody who changes guests waits for it each time.
    pub fn compiler(&self, watch: bool) -> Compiler {
        let usual = if watch {
            Compiler::Baseline
        } else {
            Compiler::Optimizing
        };
        self.compiler.unwrap_or(usual)
    }
}

/// `$XDG_CACHE_HOME/berth`, `~/.cache/berth`, or a folder in the data directory where there is no home.
fn default_cache_dir(data_dir: &Path) -> PathBuf {
    folder_of_user("XDG_CACHE_HOME", ".cache").unwrap_or_else(|| data_dir.join("cache"))
}

/// `--output`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Output {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// `--log-format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogForm {
    /// For people
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

/// What a call or a message carries.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub struct DataArgs {
    /// The payload; JSON if it parses as JSON, else text
    #[arg(short, long, value_name = "TEXT")]
    pub data: Option<String>,
    /// A file with the payload; `-` is standard input
    #[arg(short = 'f', long, value_name = "FILE")]
    pub data_file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn help(command: &str) -> String {
        let mut root = Args::command().term_width(100);
        root.build();
        let command = match command {
            "" => &mut root,
            name => root.find_subcommand_mut(name).unwrap(),
        };
        command.render_help().to_string()
    }

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn help_of_berth() {
        insta::assert_snapshot!(help(""));
    }

    #[test]
    fn help_of_run() {
        insta::assert_snapshot!(help("run"));
    }

    #[test]
    fn help_of_invoke() {
        insta::assert_snapshot!(help("invoke"));
    }

    #[test]
    fn help_of_publish() {
        insta::assert_snapshot!(help("publish"));
    }

    #[test]
    fn daprs_flags_are_understood() {
        for line in [
            "berth run app.wasm --app-id orders --components-path ./components --config cfg.yaml",
            "berth run app.wasm -a orders -d ./components -d ./more -c cfg.yaml --log-level warn",
            "berth invoke --app-id orders --method total --verb GET --data-file -",
            "berth invoke -a orders -m total -v post -d {}",
            "berth publish --publish-app-id orders --pubsub pubsub --topic t --data {} --metadata {}",
            "berth publish -i orders -p pubsub -t t -f file.json",
            "berth run . --listen 127.0.0.1:0 --admin-address 127.0.0.1:0 --output json",
            "berth run . --http-address :8081",
            "berth run . --app-id till --dapr-http-port 3501 --max-body-size 8Mi --read-buffer-size 8Ki",
            "berth run . -H orders=3500 -H till.shop=0 --dapr-listen-addresses 127.0.0.1,[::1]",
            "berth run . --dapr-http-port off",
            "berth run . --dapr-internal-grpc-port 50002",
            "berth run . --mesh-listen off",
            "berth run . --mesh-listen 0.0.0.0:3501 --mesh-advertise 10.0.0.1:0 --certificates ./tls",
            "berth test guest-examples --filter saga --sweep crash --junit results.xml -o json",
            "berth workflow run orders saga --id 17 --wait -d {}",
            "berth workflow list --app orders --status running,stalled -o json",
            "berth workflow history orders 17",
            "berth workflow raise-event orders 17 paid -d {}",
            "berth workflow rerun orders 17 4 --new-id 18",
            "berth workflow terminate orders 17 --reason test",
            "berth ca init",
            "berth ca issue orders ./tls/orders --namespace shop --valid-for 1h --trust-domain shop.example",
            "berth ca rotate --user-dir /tmp/user --output json",
        ] {
            let parsed = Args::try_parse_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn two_payloads_are_refused() {
        let line = "berth invoke -a orders -m total -d {} -f file.json";
        assert!(Args::try_parse_from(line.split(' ')).is_err());
    }
}
