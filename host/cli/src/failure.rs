//! Why a command failed: what is printed and with which code the process ends.

use crate::ui;
use berth_resources::Diagnostic;
use std::{fmt, process::ExitCode};

/// The input is wrong: documents, guests, arguments.
pub const WRONG_INPUT: u8 = 2;
/// A second signal ended a host that was still draining.
pub const INTERRUPTED: u8 = 130;

/// A failed command.
#[derive(Debug)]
pub enum Failure {
    /// Findings about documents and guests, at least one of them an error.
    Findings(Vec<Diagnostic>),
    /// Backends that could not be opened, at least one of them needed.
    Backends(Vec<Diagnostic>),
    /// Wrong input, and everything about it has been printed.
    Reported,
    /// The user can mend it by another input.
    Input(Explained),
    /// The machine, a backend or a running host said no.
    Other(Explained),
}

/// An error chain and what to do about it.
#[derive(Debug)]
pub struct Explained {
    error: anyhow::Error,
    hint: Option<String>,
}

impl Failure {
    /// Wrong input.
    pub fn input(error: impl Into<anyhow::Error>) -> Self {
        Self::Input(Explained {
            error: error.into(),
            hint: None,
        })
    }

    /// Wrong input, in words.
    pub fn input_text(text: impl fmt::Display) -> Self {
        Self::input(anyhow::anyhow!("{text}"))
    }

    /// Anything else, in words.
    pub fn text(text: impl fmt::Display) -> Self {
        anyhow::anyhow!("{text}").into()
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Input(explained) | Self::Other(explained) = &mut self {
            explained.hint = Some(hint.into());
        }
        self
    }

    /// What is wrong with documents, guests and backends, one by one.
    pub fn findings(&self) -> &[Diagnostic] {
        match self {
            Self::Findings(findings) | Self::Backends(findings) => findings,
            _ => &[],
        }
    }

    /// Prints everything about it.
    pub fn report(&self) {
        for finding in self.findings() {
            ui::error_lines(&ui::finding(finding));
        }
        if !matches!(self, Self::Reported) {
            ui::error(&self.to_string());
        }
    }

    /// With which code the process ends.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Findings(_) | Self::Input(_) | Self::Reported => ExitCode::from(WRONG_INPUT),
            Self::Backends(_) | Self::Other(_) => ExitCode::FAILURE,
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(Explained { error, hint: None })
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        anyhow::Error::from(error).into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Findings(findings) | Self::Backends(findings) => {
                f.write_str(&ui::count(findings))
            }
            Self::Reported => Ok(()),
            Self::Input(explained) | Self::Other(explained) => {
                // The alternate form prints the chain once: `a: b: c`.
                write!(f, "{:#}", explained.error)?;
                match &explained.hint {
                    Some(hint) => write!(f, "\n  hint: {hint}"),
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_printed_once_with_its_hint() {
        let error = anyhow::anyhow!("permission denied").context("making the data directory /x");
        let failure = Failure::from(error).hint("choose another one with --data-dir");
        insta::assert_snapshot!(failure.to_string(), @r"
        making the data directory /x: permission denied
          hint: choose another one with --data-dir
        ");
        assert_eq!(failure.exit_code(), ExitCode::from(1));
    }

    #[test]
    fn wrong_input_has_a_code_of_its_own() {
        assert_eq!(Failure::input_text("x").exit_code(), ExitCode::from(2));
    }
}
