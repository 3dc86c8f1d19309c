//! What is built in: rules, CRDs, JSON schemas.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};

use super::exit::{Exit, Failure, OrExit as _};
use super::output::OutputArguments;
use crate::catalogue::{Catalogue, Rule};

/// Flags of `ciem rules`.
#[derive(Debug, Args)]
pub struct RulesArguments {
    /// Only rules that a framework names, e.g. `CIS-AWS` or `CIS-AWS/v5.0`.
    #[arg(long, value_name = "NAME")]
    framework: Option<String>,
    /// How the rules are written.
    #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
    format: Format,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
    Yaml,
}

/// Prints the rule catalogue.
pub fn rules(arguments: &RulesArguments) -> Result<Exit, Failure> {
    let catalogue = Catalogue::load().or_exit(Exit::Internal)?;
    let wanted = |rule: &&Rule| {
        arguments.framework.as_ref().is_none_or(|framework| {
            rule.references.iter().any(|reference| {
                reference
                    .strip_prefix(framework.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        })
    };
    let rules: Vec<&Rule> = catalogue.rules().iter().filter(wanted).collect();
    let text = match arguments.format {
        Format::Table => rules.iter().fold(String::new(), |mut table, rule| {
            // Writing to a string does not fail.
            let _ = writeln!(table, "{:<12} {:<9} {}", rule.id, rule.severity.as_str(), rule.title);
            table
        }),
        Format::Json => serde_json::to_string_pretty(&rules).or_exit(Exit::Internal)? + "\n",
        Format::Yaml => serde_saphyr::to_string(&rules).or_exit(Exit::Internal)?,
    };
    arguments.output.write(&text)?;
    Ok(Exit::Success)
}

/// Flags of `ciem crds`.
#[cfg(feature = "operator")]
#[derive(Debug, Args)]
pub struct CrdsArguments {
    #[command(flatten)]
    output: OutputArguments,
}

/// Prints the CustomResourceDefinitions as they are in `crds/`.
#[cfg(feature = "operator")]
pub fn crds(arguments: &CrdsArguments) -> Result<Exit, Failure> {
    arguments.output.write(&crate::api::crds_yaml().or_exit(Exit::Internal)?)?;
    Ok(Exit::Success)
}

/// Flags of `ciem schema`.
#[derive(Debug, Args)]
pub struct SchemaArguments {
    /// Which file format.
    #[arg(value_enum)]
    what: Schema,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Schema {
    /// The snapshot file that the collector writes.
    Snapshot,
    /// What `ciem audit -o json` prints.
    Audit,
    /// What a chunk of an AuditReport holds.
    Chunk,
    /// What `ciem can -o json` prints.
    Decision,
}

/// Prints a JSON schema.
pub fn schema(arguments: &SchemaArguments) -> Result<Exit, Failure> {
    let schema = match arguments.what {
        Schema::Snapshot => crate::snapshot::schema(),
        Schema::Audit => schemars::schema_for!(crate::report::AuditDocument).to_value(),
        Schema::Chunk => schemars::schema_for!(crate::model::ChunkDocument).to_value(),
        Schema::Decision => schemars::schema_for!(crate::access::Decision).to_value(),
    };
    arguments
        .output
        .write(&(serde_json::to_string_pretty(&schema).or_exit(Exit::Internal)? + "\n"))?;
    Ok(Exit::Success)
}
