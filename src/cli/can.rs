//! `ciem can`: one decision.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::exit::{Exit, Failure, OrExit as _};
use super::input::{self, SnapshotArguments};
use super::output::{OutputArguments, display};
use crate::access::{ContextValue, Decision, LayerAnswer, Matching, Question, describe};
use crate::graph::Universe;
use crate::model::Verdict;
use crate::report::printable;

/// Flags of `ciem can`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    snapshots: SnapshotArguments,
    /// Who: an ARN, `anonymous` or a service name.
    principal: String,
    /// Which action, e.g. `s3:DeleteObject`; may hold wildcards.
    action: String,
    /// On what: an ARN or `*`; may hold wildcards.
    resource: String,
    /// A fact about the request, repeatable; a repeated key has several values.
    #[arg(long = "context", value_name = "KEY=VALUE", value_parser = key_value)]
    context: Vec<(String, String)>,
    /// Keys that are neither given nor derived are absent from the request, instead of unknown.
    #[arg(long)]
    context_complete: bool,
    /// A session policy of the request, repeatable.
    #[arg(long = "session-policy", value_name = "FILE")]
    session_policies: Vec<PathBuf>,
    /// What a wildcard in action or resource asks.
    #[arg(long = "match", value_enum, default_value = "any")]
    matching: Match,
    /// The permission is a data action (Azure).
    #[arg(long)]
    data_action: bool,
    /// When the request is made.
    #[arg(long, value_name = "RFC3339")]
    at: Option<Timestamp>,
    /// The clock: used as the time of the request where `--at` is not given.
    #[arg(long, value_name = "RFC3339")]
    now: Option<Timestamp>,
    /// An answer that a layer that was not read could change is unknown.
    #[arg(long)]
    strict: bool,
    /// How the answer is written.
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

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Match {
    Any,
    All,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}

/// Asks, prints, and says the verdict by exit code.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let question = question(arguments)?;
    let snapshots = arguments.snapshots.read()?;
    let universe = Universe::build(&snapshots);
    if let Some(provider) = universe.unsupported().first() {
        return Err(anyhow!("snapshots of {} cannot be evaluated yet", provider.as_str())).or_exit(Exit::Malformed);
    }
    let decision = universe.decide(&question);
    let text = match arguments.format {
        Format::Table => table(&question, &decision),
        Format::Json => serde_json::to_string_pretty(&decision).or_exit(Exit::Internal)? + "\n",
        Format::Yaml => serde_saphyr::to_string(&decision).or_exit(Exit::Internal)?,
    };
    arguments.output.write(&text)?;
    Ok(match decision.verdict {
        Verdict::Allowed => Exit::Success,
        Verdict::Denied => Exit::Negative,
        Verdict::Conditional => Exit::Conditional,
        Verdict::Unknown => Exit::Unknown,
    })
}

fn question(arguments: &Arguments) -> Result<Question, Failure> {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in &arguments.context {
        values.entry(key.clone()).or_default().push(value.clone());
    }
    let context = values
        .into_iter()
        .map(|(key, mut values)| match (values.len(), values.pop()) {
            (1, Some(value)) => (key, ContextValue::One(value)),
            (_, last) => (key, ContextValue::Many(values.into_iter().chain(last).collect())),
        })
        .collect();
    let mut provider = serde_json::Map::new();
    if !arguments.session_policies.is_empty() {
        let mut documents = Vec::new();
        for path in &arguments.session_policies {
            let text = String::from_utf8(input::bytes(path)?)
                .map_err(|_| anyhow!("'{}' is not UTF-8", display(path)))
                .or_exit(Exit::Malformed)?;
            let json: Result<serde::de::IgnoredAny, _> = serde_json::from_str(&text);
            json.map_err(|error| anyhow!("'{}' is no JSON: {error}", display(path)))
                .or_exit(Exit::Malformed)?;
            // As text: the engine's parser sees duplicate keys and names what it cannot evaluate.
            documents.push(serde_json::Value::String(text));
        }
        provider.insert("sessionPolicies".to_owned(), serde_json::Value::Array(documents));
    }
    Ok(Question {
        principal: arguments.principal.clone(),
        action: arguments.action.clone(),
        data_action: arguments.data_action,
        resource: arguments.resource.clone(),
        context,
        context_complete: arguments.context_complete,
        matching: match arguments.matching {
            Match::Any => Matching::Any,
            Match::All => Matching::All,
        },
        strict: arguments.strict,
        time: arguments.at.or(arguments.now),
        provider,
    })
}

/// The answer for people: verdict first, then what each layer said.
fn table(question: &Question, decision: &Decision) -> String {
    let Question {
        principal,
        action,
        resource,
        ..
    } = question;
    let mut lines = vec![format!("{principal} {action} on {resource}: {}", verdict(decision.verdict))];
    lines.push(format!("  why: {} ({})", decision.reason, decision.reason_code.as_str()));
    lines.extend(decision.residual.as_ref().map(|residual| format!("  if: {}", describe(residual))));
    lines.extend(decision.layers.iter().map(|answer| format!("  {}", layer(answer))));
    if !decision.unread_layers.is_empty() {
        lines.push(format!("  not read: {}", decision.unread_layers.join(", ")));
    }
    // Names and values come from a cloud and must not speak to the terminal.
    lines.iter().map(|line| printable(line) + "\n").collect()
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allowed => "allowed",
        Verdict::Denied => "denied",
        Verdict::Conditional => "conditional",
        Verdict::Unknown => "unknown",
    }
}

fn layer(answer: &LayerAnswer) -> String {
    let mut text = format!("{}: {}", answer.layer, verdict(answer.verdict));
    if let Some(policy) = &answer.policy {
        let _ = write!(text, " by {policy}");
    }
    if let Some(statement) = answer.statement {
        let _ = write!(text, " statement {statement}");
    }
    if let Some(sid) = &answer.sid {
        let _ = write!(text, " ({sid})");
    }
    text
}
