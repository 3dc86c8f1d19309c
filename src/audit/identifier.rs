//! Stable ids of findings (design §3.3).

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::model::{Finding, FindingId, Provider};

/// Version of the encoding. A change gives every finding a new id, which loses its `firstSeen`.
const SCHEMA: &str = "ciem.dev/finding/v1";

/// What makes a finding the same one from run to run. Time, order, texts and the way of the grant are not in it.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// Which provider.
    pub provider: Provider,
    /// The account, subscription, project or cluster that the finding belongs to.
    pub scope: &'a str,
    /// Rule id.
    pub rule: &'a str,
    /// Native id of the identity, where there is one.
    pub identity: Option<&'a str>,
    /// Native id of the resource, where there is one.
    pub resource: Option<&'a str>,
    /// What tells apart two findings of one rule on the same identity and resource.
    pub discriminator: &'a str,
}

impl<'a> Key<'a> {
    /// The key that a finding has if it belongs to an account.
    fn of(finding: &'a Finding, provider: Provider, scope: &'a str) -> Self {
        Self {
            provider,
            scope,
            rule: &finding.rule,
            identity: finding.identity.as_ref().map(|identity| identity.id.as_str()),
            resource: finding.resource.as_ref().map(|resource| resource.id.as_str()),
            discriminator: &finding.discriminator,
        }
    }

    /// Whether a finding belongs to an account: its id says so, also where it has neither identity nor resource.
    pub fn is_of(finding: &'a Finding, provider: Provider, scope: &'a str) -> bool {
        Self::of(finding, provider, scope).id() == finding.id
    }

    /// The first 128 bits of SHA-256 over the members, each with its length before it, so that no two keys read alike.
    pub fn id(&self) -> FindingId {
        let mut hash = Sha256::new();
        let members = [
            Some(SCHEMA),
            Some(self.provider.as_str()),
            Some(self.scope),
            Some(self.rule),
            self.identity,
            self.resource,
            Some(self.discriminator),
        ];
        for member in members {
            // A length that no text has marks what is absent.
            let length = member.map_or(u64::MAX, |text| text.len() as u64);
            hash.update(length.to_be_bytes());
            hash.update(member.unwrap_or_default());
        }
        let mut hexadecimal = String::with_capacity(32);
        for byte in hash.finalize().iter().take(16) {
            // Writing to a string does not fail.
            let _ = write!(hexadecimal, "{byte:02x}");
        }
        FindingId(hexadecimal)
    }
}
