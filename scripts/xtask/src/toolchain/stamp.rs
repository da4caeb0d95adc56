//! Remembers what a tool folder was made from.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

const FILE: &str = "made-from";

/// What a folder is made from: the text of the files that pin its versions.
pub struct Stamp {
    folder: PathBuf,
    pins: String,
}

impl Stamp {
    /// The stamp that `folder` has once it is made from the files `pins`.
    pub fn new(folder: &Path, pins: &[PathBuf]) -> Result<Self> {
        let mut text = String::new();
        for pin in pins {
            text +=
                &fs::read_to_string(pin).with_context(|| format!("reading {}", pin.display()))?;
        }
        Ok(Self {
            folder: folder.to_path_buf(),
            pins: text,
        })
    }

    /// Whether the folder is complete and from these pins.
    pub fn is_current(&self) -> bool {
        fs::read_to_string(self.folder.join(FILE)).is_ok_and(|made_from| made_from == self.pins)
    }

    /// Empties the folder, which may be half made.
    pub fn clear(&self) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)
                .with_context(|| format!("removing {}", self.folder.display()))?;
        }
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("making {}", self.folder.display()))
    }

    /// Notes that the folder is complete.
    pub fn write(&self) -> Result<()> {
        fs::write(self.folder.join(FILE), &self.pins)
            .context("noting what the tools were made from")
    }
}
