//! `ciem audit`: findings over recorded snapshots, by the same run as the operator's.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use jiff::Timestamp;

use super::exit::{Exit, Failure, OrExit as _};
use super::input::{self, SnapshotArguments};
use super::manifest;
use super::output::{OutputArguments, display};
use crate::audit;
use crate::catalogue::Catalogue;
use crate::model::{AuditPolicySpec, FindingState, Severity};
use crate::report::{AuditDocument, Format, Style};
use crate::run::{self, Inputs};

/// Flags of `ciem audit`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    snapshots: SnapshotArguments,
    /// An AuditPolicy manifest: rules, exemptions, what is trusted. Without it every rule runs.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// An earlier `ciem audit -o json`: carries over `firstSeen` and gives the delta.
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
    /// The clock. Default: the snapshot's collection time, else the present.
    #[arg(long, value_name = "RFC3339")]
    now: Option<Timestamp>,
    /// Exit with 1 when an open finding is at least this severe.
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<Severity>,
    /// table, json, yaml, jsonl or csv.
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "table")]
    format: Format,
    #[command(flatten)]
    output: OutputArguments,
}

/// Audits and prints.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let policy = arguments
        .policy
        .as_deref()
        .map(manifest::policy)
        .transpose()?
        .unwrap_or_else(AuditPolicySpec::default);
    let unsupported = run::unsupported(&policy);
    if !unsupported.is_empty() {
        return Err(anyhow!(
            "this version does not do {} of an AuditPolicy yet: leave it out",
            unsupported.join(", ")
        ))
        .or_exit(Exit::Malformed);
    }
    let previous = match &arguments.previous {
        None => None,
        Some(path) => {
            let bytes = input::bytes(path)?;
            let document = AuditDocument::parse(&bytes)
                .map_err(|error| anyhow!("'{}': {error}", display(path)))
                .or_exit(Exit::Malformed)?;
            Some(document.findings)
        }
    };
    let snapshots = arguments.snapshots.read()?;
    let now = input::now(arguments.now, &snapshots);
    let catalogue = Catalogue::load().or_exit(Exit::Internal)?;
    for problem in audit::policy_problems(&catalogue, &policy) {
        arguments.output.note(&format!(
            "ciem: the policy's spec.{}: '{}': {}",
            problem.place, problem.value, problem.reason
        ));
    }
    let inputs = Inputs {
        snapshots: &snapshots,
        policy: &policy,
        catalogue: &catalogue,
        previous: previous.as_deref(),
        now,
    };
    let document = run::execute(&inputs, &[]).document();
    let style = arguments.output.style();
    let text = document
        .render(
            arguments.format,
            Style {
                width: style.width,
                color: style.color,
            },
        )
        .or_exit(Exit::Internal)?;
    arguments.output.write(&text)?;
    let failed = |limit: Severity| {
        document
            .findings
            .iter()
            .any(|finding| finding.state == FindingState::Open && finding.severity >= limit)
    };
    Ok(if arguments.fail_on.is_some_and(failed) {
        Exit::Negative
    } else {
        Exit::Success
    })
}
