//! An AuditPolicy manifest without a cluster: what the API server would refuse is refused here too, as far as it bears on what is excused.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use serde::Deserialize;

use super::exit::{Exit, Failure, OrExit as _};
use super::input;
use super::output::display;
use crate::model::{AuditPolicySpec, Exemption, IdentitySelector, ResourceSelector};

/// As kubectl takes it. `S` is the spec, or its plain members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<S> {
    api_version: String,
    kind: String,
    spec: S,
}

/// The version of the kinds that this program reads.
const VERSION: &str = "ciem.dev/v1alpha1";

/// The spec of an AuditPolicy manifest (YAML or JSON).
pub fn policy(path: &Path) -> Result<AuditPolicySpec, Failure> {
    let name = display(path);
    let bytes = input::bytes(path)?;
    // Once for the place of what does not fit, once more for members that are not known.
    let manifest: Manifest<AuditPolicySpec> = read(&bytes, &name)?;
    if manifest.kind != "AuditPolicy" || manifest.api_version != VERSION {
        let error = anyhow!(
            "'{name}' holds {} {}, an AuditPolicy of {VERSION} is needed",
            manifest.api_version,
            manifest.kind
        );
        return Err(error).or_exit(Exit::Malformed);
    }
    let plain: Manifest<serde_json::Value> = read(&bytes, &name)?;
    let mut faults = Vec::new();
    let known: Result<AuditPolicySpec, _> = serde_ignored::deserialize(plain.spec, |path| {
        faults.push(format!("an AuditPolicy has no spec.{path}: correct or remove it"));
    });
    known.or_exit(Exit::Malformed)?;
    faults.extend(refused(&manifest.spec));
    if faults.is_empty() {
        Ok(manifest.spec)
    } else {
        Err(anyhow!("'{name}': {}", faults.join("; "))).or_exit(Exit::Malformed)
    }
}

fn read<S: for<'de> Deserialize<'de>>(bytes: &[u8], name: &str) -> Result<Manifest<S>, Failure> {
    serde_saphyr::from_slice(bytes)
        .with_context(|| format!("'{name}' is no AuditPolicy manifest"))
        .or_exit(Exit::Malformed)
}

/// What the schema refuses in the parts that excuse or trust.
fn refused(spec: &AuditPolicySpec) -> Vec<String> {
    let mut faults = Vec::new();
    let mut names = BTreeSet::new();
    for exemption in &spec.exemptions {
        let place = format!("spec.exemptions[{}]", exemption.name);
        if !names.insert(&exemption.name) {
            faults.push(format!("{place}: the name is given twice: each exemption needs its own"));
        }
        faults.extend(exemption_faults(exemption).into_iter().map(|fault| format!("{place}: {fault}")));
    }
    for account in &spec.trusted.accounts {
        if account.len() < 6 {
            faults.push(format!(
                "spec.trusted.accounts: '{account}' is no account: write 12 digits, a subscription or a project"
            ));
        }
    }
    faults
}

fn exemption_faults(exemption: &Exemption) -> Vec<&'static str> {
    let blank = |text: &str| text.trim().is_empty();
    let selects = |identity: &IdentitySelector| *identity != IdentitySelector::default();
    let names = |resource: &ResourceSelector| *resource != ResourceSelector::default();
    let faults = [
        (blank(&exemption.name), "it needs a name"),
        (blank(&exemption.reason), "it needs a reason"),
        (blank(&exemption.approved_by), "approvedBy must name somebody"),
        (exemption.rules.is_empty(), "rules must name what it excuses"),
        (
            exemption.identity.as_ref().is_some_and(|identity| !selects(identity)),
            "identity selects nothing: say which, or leave it out",
        ),
        (
            exemption.resource.as_ref().is_some_and(|resource| !names(resource)),
            "resource selects nothing: say which, or leave it out",
        ),
    ];
    faults.into_iter().filter(|(wrong, _)| *wrong).map(|(_, fault)| fault).collect()
}
