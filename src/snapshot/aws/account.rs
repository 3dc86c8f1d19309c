//! An account file → a snapshot: the JSON of `aws iam get-account-authorization-details`, with or without the members that
//! cases-format.md adds (`AccountId`, `resources`, settings).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::normalise::{Usage, normalise};
use super::shape::{CREDENTIAL_TYPES, DETAILS, List, PAGING, RESOURCES, SETTINGS};
use super::{account_of_arn, section};
use crate::model::Provider;
use crate::snapshot::node::{Members, Node, Source};
use crate::snapshot::{ReadError, SCHEMA, Section, SectionKind, SectionStatus, Snapshot, canonical};

/// Where an account's lists come from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// [`Snapshot::collector`].
    pub collector: String,
    /// [`Section::source`] of the lists of users, groups, roles and policies.
    pub source: String,
    /// When they were read.
    pub at: Option<Timestamp>,
}

/// A snapshot of the lists in a JSON text: `{AccountId, UserDetailList, GroupDetailList, RoleDetailList, Policies, resources, …}`.
/// A list that is not there was not attempted. The collector builds its snapshot with this, so that a recorded account and
/// the same account read from the API give the same digests; it then adds or replaces sections of its own.
pub fn snapshot_of(json: &str, name: &str, origin: Origin) -> Result<Snapshot, ReadError> {
    let source = Source { name, text: json };
    read(&source.root()?, origin)
}

/// Whether an object looks like an account: the names that no other form has.
pub(in crate::snapshot) fn recognises(members: &Members<'_>) -> bool {
    ["AccountId", "UserDetailList", "GroupDetailList", "RoleDetailList"]
        .iter()
        .any(|name| members.has(name))
}

/// Reads the object of one account.
pub(in crate::snapshot) fn read(node: &Node<'_>, origin: Origin) -> Result<Snapshot, ReadError> {
    let members = node.members()?;
    let mut reader = Reader {
        origin,
        usage: Usage::new(),
        arns: BTreeMap::new(),
        sections: BTreeMap::new(),
    };
    let partial = partial(node, &members)?;
    for list in &DETAILS {
        let source = reader.origin.source.clone();
        reader.list(node, &members, list, &source, partial.as_deref())?;
    }
    reader.list(node, &members, &RESOURCES, RESOURCES.member, None)?;
    reader.settings(node, &members)?;
    reader.usage(node)?;
    Ok(Snapshot {
        schema: SCHEMA.to_owned(),
        provider: Provider::Aws,
        scope: account_id(node, &members, reader.arns.values().flatten())?,
        collected_at: reader.origin.at,
        collector: reader.origin.collector,
        sections: reader.sections,
    })
}

struct Reader {
    origin: Origin,
    usage: Usage,
    /// Section → ARNs of what it holds.
    arns: BTreeMap<&'static str, Vec<String>>,
    sections: BTreeMap<String, Section>,
}

impl Reader {
    fn list(&mut self, node: &Node<'_>, members: &Members<'_>, list: &List, source: &str, partial: Option<&str>) -> Result<(), ReadError> {
        let Some(raw) = members.get(list.member) else {
            let reason = format!("the file has no member '{}'", list.member);
            self.put(
                list.section,
                Section::unread(source, SectionStatus::NotAttempted, reason, SectionKind::Entitlements),
            );
            return Ok(());
        };
        let list_node = node.member(list.member, raw);
        let mut entities: Vec<(String, String)> = Vec::new();
        let mut credentials: Vec<(String, String)> = Vec::new();
        for (index, raw) in list_node.items()?.into_iter().enumerate() {
            let entity = list_node.item(index, raw);
            let json = normalise(&entity, &list.item, &mut self.usage)?;
            let entity_members = entity.members()?;
            let text = |name| entity_members.get(name).and_then(|raw| entity.member(name, raw).text().ok());
            let arn = text(list.arn).map(Cow::into_owned).unwrap_or_default();
            if list.section == section::RESOURCES && text("type").is_some_and(|kind| CREDENTIAL_TYPES.contains(&kind.as_ref())) {
                credentials.push((arn, json));
            } else {
                entities.push((arn, json));
            }
        }
        let mut section = self.section(&list_node, source, SectionKind::Entitlements, joined(&mut entities))?;
        if let Some(reason) = partial {
            section.status = SectionStatus::Partial;
            section.reason = Some(reason.to_owned());
        }
        self.put(list.section, section);
        if list.section == section::RESOURCES {
            let section = self.section(&list_node, source, SectionKind::Usage, joined(&mut credentials))?;
            self.put(section::CREDENTIALS, section);
        }
        self.arns.insert(list.section, entities.into_iter().map(|(arn, _)| arn).collect());
        Ok(())
    }

    /// Settings of the account, and what the file holds beyond that is known here.
    fn settings(&mut self, node: &Node<'_>, members: &Members<'_>) -> Result<(), ReadError> {
        let known: Vec<&str> = DETAILS
            .iter()
            .chain([&RESOURCES])
            .map(|list| list.member)
            .chain(PAGING)
            .chain(["AccountId"])
            .collect();
        let mut settings = Vec::new();
        let mut unused = Vec::new();
        for (name, raw) in members.0.iter().filter(|(name, _)| !known.contains(&name.as_ref())) {
            let value = node.member(name, raw).canonical()?;
            let list = if SETTINGS.contains(&name.as_ref()) {
                &mut settings
            } else {
                &mut unused
            };
            list.push((Cow::Borrowed(name.as_ref()), value));
        }
        if settings.is_empty() {
            let reason = "the file holds no setting of the account".to_owned();
            self.put(
                section::ACCOUNT,
                Section::unread("account file", SectionStatus::NotAttempted, reason, SectionKind::Entitlements),
            );
        } else {
            let section = self.section(node, "account file", SectionKind::Entitlements, object(node, settings)?)?;
            self.put(section::ACCOUNT, section);
        }
        if !unused.is_empty() {
            let section = self.section(node, "account file", SectionKind::Usage, object(node, unused)?)?;
            self.put(section::UNUSED, section);
        }
        Ok(())
    }

    /// Last use, where the lists say it. A role without the member is not known to be unused.
    fn usage(&mut self, node: &Node<'_>) -> Result<(), ReadError> {
        let source = self.origin.source.clone();
        for (name, values) in std::mem::take(&mut self.usage) {
            let silent = if name == section::ROLE_LAST_USED {
                self.arns
                    .get(section::ROLES)
                    .into_iter()
                    .flatten()
                    .filter(|arn| !values.contains_key(*arn))
                    .collect::<BTreeSet<_>>()
                    .len()
            } else {
                0
            };
            let content = object(
                node,
                values
                    .iter()
                    .map(|(arn, value)| (Cow::Borrowed(arn.as_str()), value.clone()))
                    .collect(),
            )?;
            let mut section = self.section(node, &source, SectionKind::Usage, content)?;
            if silent > 0 {
                section.status = SectionStatus::Partial;
                section.reason = Some(format!("{silent} roles have no member 'RoleLastUsed'"));
            }
            self.put(name, section);
        }
        if !self.sections.contains_key(section::ROLE_LAST_USED) {
            let reason = "no role of the file has the member 'RoleLastUsed'".to_owned();
            self.put(
                section::ROLE_LAST_USED,
                Section::unread(source, SectionStatus::NotAttempted, reason, SectionKind::Usage),
            );
        }
        Ok(())
    }

    fn section(&self, node: &Node<'_>, source: &str, kind: SectionKind, content: String) -> Result<Section, ReadError> {
        Section::of_canonical(source, self.origin.at, kind, content).map_err(|error| node.error(error.to_string()))
    }

    fn put(&mut self, name: &str, section: Section) {
        self.sections.insert(name.to_owned(), section);
    }
}

fn joined(entities: &mut [(String, String)]) -> String {
    entities.sort_unstable();
    canonical::list(entities.iter().map(|(_, json)| json.as_str()))
}

fn object(node: &Node<'_>, members: Vec<(Cow<'_, str>, String)>) -> Result<String, ReadError> {
    canonical::object(members).map_err(|error| node.error(error.to_string()))
}

/// Why the lists are one page of several, where they are.
fn partial(node: &Node<'_>, members: &Members<'_>) -> Result<Option<String>, ReadError> {
    for name in PAGING {
        let Some(raw) = members.get(name) else { continue };
        match raw.get() {
            "false" | "\"\"" => {}
            "true" => {
                return Ok(Some(format!(
                    "the file holds one page of several ('{name}' is true): collect all pages"
                )));
            }
            _ if raw.get().starts_with('"') => {
                return Ok(Some(format!(
                    "the file holds one page of several (it has '{name}'): collect all pages"
                )));
            }
            _ => return Err(node.member(name, raw).unexpected("true, false or text")),
        }
    }
    Ok(None)
}

/// `AccountId`, else the account that most ARNs name.
fn account_id<'a>(node: &Node<'_>, members: &Members<'_>, arns: impl Iterator<Item = &'a String>) -> Result<String, ReadError> {
    if let Some(raw) = members.get("AccountId") {
        let id_node = node.member("AccountId", raw);
        if id_node.kind() == "a number" {
            return Err(id_node.error("expected text: quote the account's 12 digits, a number loses leading zeros"));
        }
        let id = id_node.text()?;
        if id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(id_node.error(format!("'{id}' is no AWS account: expected 12 digits")));
        }
        return Ok(id.into_owned());
    }
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for account in arns.filter_map(|arn| account_of_arn(arn)) {
        *votes.entry(account).or_default() += 1;
    }
    let most = votes.values().copied().max().unwrap_or_default();
    let mut candidates = votes.into_iter().filter(|(_, count)| *count == most).map(|(account, _)| account);
    match (candidates.next(), candidates.next()) {
        (Some(account), None) => Ok(account.to_owned()),
        (Some(first), Some(second)) => Err(node.error(format!(
            "which account this is cannot be told: equally many ARNs name {first} and {second}; add the member 'AccountId'"
        ))),
        (None, _) => Err(node.error("which account this is cannot be told: it names no ARN of an account; add the member 'AccountId'")),
    }
}
