//! One entry for every form of file, told apart by content (cases-format.md, last section).

use std::borrow::Cow;
use std::io::Read as _;

use super::aws::{self, Origin};
use super::node::{Members, Node, Source, end_of};
use super::{Place, ReadError, Snapshot, envelope};
use crate::model::Provider;

/// First bytes of a zstd frame.
const ZSTD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// No file unpacks to more: an account's policy text may reach 245 MB, so that this leaves room and still stops a bomb.
const MAX_BYTES: u64 = 2 << 30;

/// Reads the snapshots in a file: one that the collector wrote, the JSON of `aws iam get-account-authorization-details`, an account
/// file, or an `input` object with several accounts. `name` is what errors call the file.
pub fn read(bytes: &[u8], name: &str) -> Result<Vec<Snapshot>, ReadError> {
    let whole = |reason: String| ReadError {
        file: name.to_owned(),
        place: Place::default(),
        reason,
    };
    let bytes = if bytes.starts_with(&ZSTD) {
        Cow::Owned(unpack(bytes).map_err(whole)?)
    } else {
        Cow::Borrowed(bytes)
    };
    let text = text(&bytes, name)?;
    if text.trim().is_empty() {
        return Err(whole("the file is empty: expected a snapshot or an account as JSON".to_owned()));
    }
    let source = Source { name, text };
    let root = source.root()?;
    forms(&root)
}

/// Snapshots of one organization in one file, as [`write_all`](super::write_all) writes them.
fn several(root: &Node<'_>) -> Result<Vec<Snapshot>, ReadError> {
    let mut snapshots = Vec::new();
    for (index, raw) in root.items()?.into_iter().enumerate() {
        let node = root.item(index, raw);
        let members = node.members()?;
        if !envelope::recognises(&node, &members) {
            return Err(node.error("a list must hold snapshots that the collector wrote"));
        }
        snapshots.push(envelope::read(&node, &members)?);
    }
    if snapshots.is_empty() {
        return Err(root.error("the list is empty: expected a snapshot or an account as JSON"));
    }
    Ok(snapshots)
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut unpacked = Vec::new();
    let decoder = zstd::Decoder::new(bytes).map_err(|error| format!("zstd: {error}"))?;
    let size = decoder
        .take(MAX_BYTES + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| format!("zstd: {error}: the file is cut off or damaged"))?;
    if size as u64 > MAX_BYTES {
        Err(format!("unpacks to more than {MAX_BYTES} bytes"))
    } else {
        Ok(unpacked)
    }
}

/// UTF-8, with or without a byte order mark.
fn text<'b>(bytes: &'b [u8], name: &str) -> Result<&'b str, ReadError> {
    let error = |place, reason: &str| ReadError {
        file: name.to_owned(),
        place,
        reason: reason.to_owned(),
    };
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(error(Place::default(), "the file is UTF-16: save it as UTF-8"));
    }
    let bytes = bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|invalid| {
        let before = bytes
            .get(..invalid.valid_up_to())
            .and_then(|before| std::str::from_utf8(before).ok())
            .unwrap_or_default();
        let (line, column) = end_of(before);
        error(
            Place {
                path: String::new(),
                line,
                column,
            },
            "the file is not UTF-8 text",
        )
    })
}

/// Members that only one provider's `input` has. The first match decides.
const OTHER_PROVIDERS: [(Provider, &[&str]); 2] = [
    (
        Provider::Gcp,
        &["allowPolicies", "denyPolicies", "serviceAccounts", "directoryCustomers"],
    ),
    (
        Provider::Azure,
        &["roleAssignments", "denyAssignments", "directoryRoleAssignments", "principals"],
    ),
];

fn forms(root: &Node<'_>) -> Result<Vec<Snapshot>, ReadError> {
    if root.json().starts_with('[') {
        return several(root);
    }
    let members = root.members()?;
    let origin = |form: &str| Origin {
        collector: form.to_owned(),
        source: "iam:GetAccountAuthorizationDetails".to_owned(),
        at: None,
    };
    if envelope::recognises(root, &members) {
        return Ok(vec![envelope::read(root, &members)?]);
    }
    if aws::account::recognises(&members) {
        let form = if members.has("AccountId") {
            "account file"
        } else {
            "aws iam get-account-authorization-details"
        };
        return Ok(vec![aws::account::read(root, origin(form))?]);
    }
    if aws::input::recognises(&members) {
        return aws::input::read(root, &origin("input"));
    }
    Err(root.error(foreign(&members)))
}

/// Why an object is none of the forms, with what it looks like.
fn foreign(members: &Members<'_>) -> String {
    for (provider, names) in OTHER_PROVIDERS {
        if names.iter().any(|name| members.has(name)) {
            return format!(
                "this looks like an input of {0}: snapshots of {0} are not supported yet",
                provider.as_str()
            );
        }
    }
    if members.has("format") && members.has("cases") {
        return "this is a file of access tests: run it with `ciem test`".to_owned();
    }
    let names: Vec<&str> = members.0.iter().take(5).map(|(name, _)| name.as_ref()).collect();
    let found = if names.is_empty() {
        "no member".to_owned()
    } else {
        format!("the members {}", names.join(", "))
    };
    format!(
        "no form that ciem reads: expected a snapshot of `ciem collect`, the JSON of `aws iam get-account-authorization-details`, \
         an account file with 'AccountId', or an input with 'accounts'; found {found}"
    )
}
