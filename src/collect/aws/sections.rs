//! What was fetched → a snapshot: content, coverage, and what this version does not collect. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::fetch::{AccountDetails, DETAILS, Listing};
use crate::collect::{CollectError, Failure};
use crate::snapshot::aws::{Origin, section, snapshot_of};
use crate::snapshot::{ReadError, Section, SectionKind, SectionStatus, Snapshot};

/// What a complete snapshot has and this version does not read: section, where it would come from, kind.
const NOT_COLLECTED: [(&str, &str, SectionKind); 7] = [
    (section::RESOURCES, "resource policies of each service", SectionKind::Entitlements),
    (section::ACCOUNT, "iam:GetAccountSummary", SectionKind::Entitlements),
    (
        section::SERVICE_CONTROL_POLICIES,
        "organizations:ListPoliciesForTarget",
        SectionKind::Entitlements,
    ),
    (
        section::RESOURCE_CONTROL_POLICIES,
        "organizations:ListPoliciesForTarget",
        SectionKind::Entitlements,
    ),
    (
        section::ORGANIZATION,
        "organizations:DescribeOrganization",
        SectionKind::Entitlements,
    ),
    (section::CREDENTIAL_REPORT, "iam:GetCredentialReport", SectionKind::Usage),
    (section::CREDENTIALS, "iam:GetCredentialReport", SectionKind::Usage),
];

/// The snapshot of an account, and what failed on the way, by section.
pub(super) fn assemble(account: &str, now: Timestamp, details: &AccountDetails) -> Result<(Snapshot, Vec<Failure>), ReadError> {
    let listings = [
        ("UserDetailList", section::USERS, &details.users),
        ("GroupDetailList", section::GROUPS, &details.groups),
        ("RoleDetailList", section::ROLES, &details.roles),
        ("Policies", section::POLICIES, &details.policies),
    ];
    let origin = Origin {
        collector: concat!("ciem ", env!("CARGO_PKG_VERSION")).to_owned(),
        source: DETAILS.to_owned(),
        at: Some(now),
    };
    let mut json = format!("{{\"AccountId\":\"{account}\"");
    for (member, _, listing) in listings {
        json.extend([",\"", member, "\":", &listing.entities.to_list()]);
    }
    json.push('}');
    let mut snapshot = snapshot_of(&json, DETAILS, origin)?;

    if details.roles.entities.by_arn.is_empty() {
        let nothing = Section::read(DETAILS, Some(now), SectionKind::Usage, &serde_json::json!({}));
        snapshot
            .sections
            .extend(nothing.ok().map(|section| (section::ROLE_LAST_USED.to_owned(), section)));
    }
    let mut failures = BTreeMap::new();
    for (_, name, listing) in listings {
        let Some(error) = listing.incomplete() else { continue };
        cover(&mut snapshot, name, listing, &error);
        if name == section::ROLES {
            // It is told by the roles themselves.
            cover(&mut snapshot, section::ROLE_LAST_USED, listing, &error);
        }
        failures.insert(name, error);
    }
    for (name, source, kind) in NOT_COLLECTED {
        let unread = Section::unread(source, SectionStatus::NotAttempted, "this version does not collect it", kind);
        snapshot.sections.insert(name.to_owned(), unread);
    }
    Ok((
        snapshot,
        failures.into_iter().map(|(section, error)| Failure { section, error }).collect(),
    ))
}

impl Listing {
    /// Why it is not whole, where it is not.
    fn incomplete(&self) -> Option<CollectError> {
        let nameless = self.entities.nameless;
        let malformed = || CollectError::MalformedAnswer {
            call: DETAILS,
            endpoint: "IAM".to_owned(),
            detail: format!("entities without an ARN: {nameless}"),
        };
        self.failure.clone().or_else(|| (nameless > 0).then(malformed))
    }
}

/// Marks a section as not whole. What was read of it stays: it is right.
fn cover(snapshot: &mut Snapshot, name: &str, listing: &Listing, error: &CollectError) {
    let Some(section) = snapshot.sections.get_mut(name) else { return };
    let reason = format!("{}: {error}", error.reason());
    if error.missing_permission().is_some() && listing.entities.by_arn.is_empty() {
        *section = Section::unread(section.source.clone(), SectionStatus::Denied, reason, section.kind);
    } else {
        section.status = SectionStatus::Partial;
        section.reason = Some(reason);
    }
    section.missing_permissions.extend(error.missing_permission().map(str::to_owned));
}
