//! Sets the process's log output up.

use crate::{json::JsonFormat, levels::LogLevels, text::TextFormat};
use anyhow::Context;
use std::{io::IsTerminal, str::FromStr};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// Lines that may wait for a slow reader of stderr; more are dropped, since a host must not wait for its log.
/// The places for them are made at the start of the process, which they must not slow down.
const BUFFERED_LINES_MAX: usize = 8 * 1024;

/// `--log-level`, in Dapr's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// Everything, spans included.
    Debug,
    /// What a person running a host wants to know.
    #[default]
    Info,
    /// What may need attention.
    Warn,
    /// What failed.
    Error,
}

impl LogLevel {
    /// All levels, from the most to the least talkative.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// As written on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// Directives of the filter. Libraries that narrate their inner life stay at `info` while berth is debugged.
    pub(crate) fn directives(self) -> String {
        match self {
            Self::Debug => "debug,cranelift=info,wasmtime=info,wasmtime_wasi=info,hyper=info,\
                            hyper_util=info,h2=info,mio=info,notify=info"
                .to_owned(),
            other => other.as_str().to_owned(),
        }
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = text.to_ascii_lowercase();
        let wanted = if wanted == "warning" { "warn" } else { &wanted };
        Self::ALL
            .into_iter()
            .find(|level| level.as_str() == wanted)
            .ok_or_else(|| format!("expected debug, info, warn or error, found `{text}`"))
    }
}

/// `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// How the process logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogOptions {
    /// Least level shown, unless `RUST_LOG` says otherwise.
    pub level: LogLevel,
    /// Form of the lines.
    pub format: LogFormat,
}

/// Writes what is still buffered when it is dropped: keep it until the process ends.
#[must_use]
pub struct LogGuard {
    _worker: WorkerGuard,
}

/// Sends every event of the process to stderr. `RUST_LOG` wins over the level.
///
/// Spans are switched off unless the level is `debug` or `RUST_LOG` is set: a span that nobody reads then costs one load.
///
/// # Errors
/// When `RUST_LOG` is malformed or logging was set up before.
pub fn init_logging(options: LogOptions) -> anyhow::Result<LogGuard> {
    let from_env = std::env::var("RUST_LOG")
        .ok()
        .filter(|text| !text.is_empty());
    let spans = from_env.is_some() || options.level == LogLevel::Debug;
    let directives = from_env.unwrap_or_else(|| options.level.directives());
    let filter = EnvFilter::try_new(&directives)
        .with_context(|| format!("reading the log filter `{directives}`"))?;
    let levels = LogLevels::new(filter, options.level, spans);
    let (writer, worker) = NonBlockingBuilder::default()
        .buffered_lines_limit(BUFFERED_LINES_MAX)
        .lossy(true)
        .thread_name("log-writer")
        .finish(std::io::stderr());
    let layer = layer(options.format, writer).with_filter(levels.clone());
    tracing_subscriber::registry()
        .with(layer)
        .try_init()
        .context("setting logging up")?;
    levels.make_current();
    Ok(LogGuard { _worker: worker })
}

fn layer<S>(format: LogFormat, writer: NonBlocking) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    match format {
        LogFormat::Json => layer.event_format(JsonFormat).boxed(),
        LogFormat::Text => layer.event_format(TextFormat { colour: colour() }).boxed(),
    }
}

/// Colour only for people: a terminal, and no `NO_COLOR`.
fn colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_as_dapr_reads_them() {
        assert_eq!("WARN".parse(), Ok(LogLevel::Warn));
        assert_eq!("warning".parse(), Ok(LogLevel::Warn));
        assert_eq!(
            "loud".parse::<LogLevel>(),
            Err("expected debug, info, warn or error, found `loud`".to_owned())
        );
    }

    #[test]
    fn every_level_gives_a_valid_filter() {
        for level in LogLevel::ALL {
            assert!(EnvFilter::try_new(level.directives()).is_ok());
        }
    }
}
