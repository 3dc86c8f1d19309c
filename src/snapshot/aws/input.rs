//! An `input` object of cases-format.md → one snapshot for each account, with the control policies and the organization that concern it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::account::{self, Origin};
use super::normalise::{Usage, normalise};
use super::section;
use super::shape::{LEVELS, ORGANIZATION, Shape};
use crate::snapshot::node::{Members, Node};
use crate::snapshot::{ReadError, Section, SectionKind, Snapshot, canonical};

const ACCOUNTS: &str = "accounts";
const CONTROL_POLICIES: [&str; 2] = [section::SERVICE_CONTROL_POLICIES, section::RESOURCE_CONTROL_POLICIES];

/// Whether an object has what only this form has.
pub(in crate::snapshot) fn recognises(members: &Members<'_>) -> bool {
    members.has(ACCOUNTS)
}

/// Reads the object: sorted by account.
pub(in crate::snapshot) fn read(node: &Node<'_>, origin: &Origin) -> Result<Vec<Snapshot>, ReadError> {
    let members = node.members()?;
    let mut snapshots = accounts(node, &members, origin)?;
    let mut unused = Vec::new();
    for (name, raw) in &members.0 {
        let child = node.member(name, raw);
        match name.as_ref() {
            ACCOUNTS => {}
            // A layer was read when its key is there; `null` is no key.
            _ if child.is_null() => {}
            name if CONTROL_POLICIES.contains(&name) => unused.extend(control_policies(&child, name, &mut snapshots)?),
            section::ORGANIZATION => organization(&child, &mut snapshots)?,
            other => unused.push((other.to_owned(), child.canonical()?)),
        }
    }
    let mut snapshots: Vec<Snapshot> = snapshots.into_values().collect();
    if let (Some(first), false) = (snapshots.first_mut(), unused.is_empty()) {
        set_aside(node, first, unused)?;
    }
    Ok(snapshots)
}

fn accounts(node: &Node<'_>, members: &Members<'_>, origin: &Origin) -> Result<BTreeMap<String, Snapshot>, ReadError> {
    let Some(raw) = members.get(ACCOUNTS) else {
        return Err(node.error(format!("the member '{ACCOUNTS}' is missing")));
    };
    let list = node.member(ACCOUNTS, raw);
    let mut snapshots = BTreeMap::new();
    for (index, raw) in list.items()?.into_iter().enumerate() {
        let item = list.item(index, raw);
        let snapshot = account::read(&item, origin.clone())?;
        if let Some(twice) = snapshots.insert(snapshot.scope.clone(), snapshot) {
            return Err(item.error(format!(
                "account {} is there already: put what belongs to one account into one item",
                twice.scope
            )));
        }
    }
    if snapshots.is_empty() {
        Err(list.error("there is no account in it"))
    } else {
        Ok(snapshots)
    }
}

/// Gives each account its levels; an account that the list does not name has no such layer. What concerns no account of the file is returned.
fn control_policies(list: &Node<'_>, name: &str, snapshots: &mut BTreeMap<String, Snapshot>) -> Result<Vec<(String, String)>, ReadError> {
    let mut levels: BTreeMap<String, String> = BTreeMap::new();
    for (index, raw) in list.items()?.into_iter().enumerate() {
        let item = list.item(index, raw);
        let members = item.members()?;
        let member = |name: &'static str| {
            members
                .get(name)
                .ok_or_else(|| item.error(format!("the member '{name}' is missing")))
        };
        let account = item.member("account", member("account")?).text()?.into_owned();
        let value = normalised(&item.member("levels", member("levels")?), &LEVELS)?;
        if levels.insert(account.clone(), value).is_some() {
            return Err(item.error(format!("account {account} is there already")));
        }
    }
    for (account, snapshot) in snapshots.iter_mut() {
        let levels = levels.remove(account).unwrap_or_else(|| "[]".to_owned());
        put(
            list,
            snapshot,
            name,
            SectionKind::Entitlements,
            vec![(Cow::Borrowed("levels"), levels)],
        )?;
    }
    Ok(levels
        .into_iter()
        .map(|(account, levels)| (format!("{name} of account {account}"), levels))
        .collect())
}

fn organization(node: &Node<'_>, snapshots: &mut BTreeMap<String, Snapshot>) -> Result<(), ReadError> {
    let content = normalised(node, &ORGANIZATION)?;
    for snapshot in snapshots.values_mut() {
        let section = Section::of_canonical("input", snapshot.collected_at, SectionKind::Entitlements, content.clone());
        snapshot.sections.insert(
            section::ORGANIZATION.to_owned(),
            section.map_err(|error| node.error(error.to_string()))?,
        );
    }
    Ok(())
}

/// Adds to what the first account's file holds and nothing uses.
fn set_aside(node: &Node<'_>, snapshot: &mut Snapshot, more: Vec<(String, String)>) -> Result<(), ReadError> {
    let own = snapshot.sections.remove(section::UNUSED);
    let own: Members<'_> = match &own {
        Some(section) => serde_json::from_str(section.content.get()).map_err(|error| node.error(error.to_string()))?,
        None => Members(Vec::new()),
    };
    let own = own
        .0
        .iter()
        .map(|(name, value)| (Cow::Owned(format!("accounts[].{name}")), value.get().to_owned()));
    let members = own.chain(more.into_iter().map(|(name, value)| (Cow::Owned(name), value))).collect();
    put(node, snapshot, section::UNUSED, SectionKind::Usage, members)
}

fn put(
    node: &Node<'_>,
    snapshot: &mut Snapshot,
    name: &str,
    kind: SectionKind,
    members: Vec<(Cow<'_, str>, String)>,
) -> Result<(), ReadError> {
    let section = canonical::object(members).and_then(|content| Section::of_canonical("input", snapshot.collected_at, kind, content));
    snapshot
        .sections
        .insert(name.to_owned(), section.map_err(|error| node.error(error.to_string()))?);
    Ok(())
}

/// None of these shapes holds usage.
fn normalised(node: &Node<'_>, shape: &Shape) -> Result<String, ReadError> {
    normalise(node, shape, &mut Usage::new())
}
