//! The formats of `ciem audit` and `ciem findings`. Every one gives the same bytes for the same document.

mod csv;
mod table;

pub use table::printable;

use std::str::FromStr;

use super::{AuditDocument, ReportError, canonical};

/// An output format (`-o`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For people: a row for each finding, worst first, then what was not evaluated.
    #[default]
    Table,
    /// The whole document as canonical JSON (RFC 8785) on one line, so that its hash means something and every finding is
    /// the very text that report chunks and the store hold.
    Json,
    /// The whole document as YAML, members sorted.
    Yaml,
    /// One finding a line, canonical JSON, sorted by id.
    JsonLines,
    /// One finding a row (RFC 4180), sorted by id.
    Csv,
}

impl Format {
    /// All, as the command line names them.
    pub const ALL: [(&'static str, Self); 5] = [
        ("table", Self::Table),
        ("json", Self::Json),
        ("yaml", Self::Yaml),
        ("jsonl", Self::JsonLines),
        ("csv", Self::Csv),
    ];
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|(name, _)| *name == text).map(|(_, format)| format);
        known.ok_or_else(|| format!("'{text}' is no output format: use {}", Self::ALL.map(|(name, _)| name).join(", ")))
    }
}

/// How tables look. Nothing is asked of the terminal or the environment here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Columns that a line may take; none: as many as it needs.
    pub width: Option<u16>,
    /// Whether severities have colours.
    pub color: bool,
}

impl AuditDocument {
    /// The document in a format, with a line break at its end.
    pub fn render(&self, format: Format, style: Style) -> Result<String, ReportError> {
        match format {
            Format::Table => Ok(table::render(self, style)),
            Format::Json => Ok(canonical(self)? + "\n"),
            Format::Yaml => self.yaml(),
            Format::JsonLines => {
                let mut lines = String::new();
                for finding in &self.findings {
                    lines.push_str(&canonical(finding)?);
                    lines.push('\n');
                }
                Ok(lines)
            }
            Format::Csv => Ok(csv::render(&self.findings)),
        }
    }

    /// By way of canonical JSON, so that members are sorted as there.
    fn yaml(&self) -> Result<String, ReportError> {
        let value: serde_json::Value = serde_json::from_str(&canonical(self)?)?;
        // One line for each value, so that lines can be searched.
        let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
        serde_saphyr::to_string_with_options(&value, options).map_err(|error| ReportError::Yaml(error.to_string()))
    }
}
