//! Where results go: standard output or `--out`, with width and colour of the terminal.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::exit::{Exit, Failure, OrExit as _};

/// Options that every command with a result has.
#[derive(Debug, Clone, Args)]
pub struct OutputArguments {
    /// A file to write instead of standard output.
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// No colours, whatever the terminal can do.
    #[arg(long)]
    no_color: bool,
    /// Only the result: no notes on standard error.
    #[arg(short, long)]
    quiet: bool,
    /// More notes on standard error.
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// How wide and how colourful a table may be.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Columns of the terminal; none: as wide as it needs.
    pub width: Option<u16>,
    /// Whether colours are understood.
    pub color: bool,
}

impl OutputArguments {
    /// Writes a result whole; a reader that has gone is no error.
    pub fn write(&self, text: &str) -> Result<(), Failure> {
        if let Some(path) = &self.out {
            return std::fs::write(path, text)
                .with_context(|| format!("failed to write '{}'", path.display()))
                .or_exit(Exit::Unreadable);
        }
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(error).context("failed to write to standard output").or_exit(Exit::Internal)
            }
            _ => Ok(()),
        }
    }

    /// A note for people, on standard error, unless `--quiet`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }

    /// What the terminal can do.
    pub fn style(&self) -> Style {
        let terminal = self.out.is_none() && std::io::stdout().is_terminal();
        let width = std::env::var_os("COLUMNS").and_then(|value| value.to_str()?.parse().ok());
        // By convention any value of NO_COLOR but an empty one says no.
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Style {
            // A terminal that does not know its width says 0.
            width: width
                .or_else(|| terminal.then(comfy_table_width).flatten())
                .filter(|width| *width > 0),
            color: terminal && !self.no_color && !no_color,
        }
    }
}

/// Width of the terminal as the table library sees it.
fn comfy_table_width() -> Option<u16> {
    comfy_table::Table::new().width()
}

/// Name of an input for messages: `-` is standard input.
pub fn display(path: &Path) -> String {
    if path == Path::new("-") {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    }
}
