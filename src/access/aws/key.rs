//! Condition keys: names ignore case (W19). The keys that follow from principal, resource and accounts are told apart once, when a
//! policy is compiled.

use std::sync::Arc;

/// A condition key as written, and what it is.
#[derive(Debug, Clone)]
pub struct Key {
    spelled: Arc<str>,
    lower: Arc<str>,
    /// What it is.
    pub kind: KeyKind,
}

/// What a key is, as far as its value can follow from what was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyKind {
    /// `aws:PrincipalArn`
    PrincipalArn,
    /// `aws:PrincipalAccount`
    PrincipalAccount,
    /// `aws:PrincipalType`
    PrincipalType,
    /// `aws:PrincipalOrgID`
    PrincipalOrgId,
    /// `aws:PrincipalOrgPaths`
    PrincipalOrgPaths,
    /// `aws:PrincipalIsAWSService`
    PrincipalIsService,
    /// `aws:PrincipalServiceName`
    PrincipalServiceName,
    /// `aws:PrincipalServiceNamesList`
    PrincipalServiceNames,
    /// `aws:PrincipalTag/…`; holds the tag's key in lower case.
    PrincipalTag(Box<str>),
    /// `aws:username`
    UserName,
    /// `aws:userid`
    UserId,
    /// `aws:FederatedProvider`
    FederatedProvider,
    /// `aws:ResourceAccount`
    ResourceAccount,
    /// `aws:ResourceOrgID`
    ResourceOrgId,
    /// `aws:ResourceOrgPaths`
    ResourceOrgPaths,
    /// `aws:ResourceTag/…` and the services' own forms (`iam:ResourceTag/…`); holds the tag's key in lower case.
    ResourceTag(Box<str>),
    /// `aws:RequestedRegion`
    RequestedRegion,
    /// Sent only on direct calls of service principals: `aws:SourceArn`, `aws:SourceAccount`, `aws:SourceOrgID`, `aws:SourceOrgPaths`.
    OfServices,
    /// In every request, with a value that depends on it.
    AlwaysPresent,
    /// `aws:TokenIssueTime`: there with temporary credentials only.
    TokenIssueTime,
    /// Anything else.
    Other,
}

/// Keys by their lower-case name.
const KNOWN: &[(&str, KeyKind)] = &[
    ("aws:principalarn", KeyKind::PrincipalArn),
    ("aws:principalaccount", KeyKind::PrincipalAccount),
    ("aws:principaltype", KeyKind::PrincipalType),
    ("aws:principalorgid", KeyKind::PrincipalOrgId),
    ("aws:principalorgpaths", KeyKind::PrincipalOrgPaths),
    ("aws:principalisawsservice", KeyKind::PrincipalIsService),
    ("aws:principalservicename", KeyKind::PrincipalServiceName),
    ("aws:principalservicenameslist", KeyKind::PrincipalServiceNames),
    ("aws:username", KeyKind::UserName),
    ("aws:userid", KeyKind::UserId),
    ("aws:federatedprovider", KeyKind::FederatedProvider),
    ("aws:resourceaccount", KeyKind::ResourceAccount),
    ("aws:resourceorgid", KeyKind::ResourceOrgId),
    ("aws:resourceorgpaths", KeyKind::ResourceOrgPaths),
    ("aws:requestedregion", KeyKind::RequestedRegion),
    ("aws:sourcearn", KeyKind::OfServices),
    ("aws:sourceaccount", KeyKind::OfServices),
    ("aws:sourceorgid", KeyKind::OfServices),
    ("aws:sourceorgpaths", KeyKind::OfServices),
    ("aws:securetransport", KeyKind::AlwaysPresent),
    ("aws:currenttime", KeyKind::AlwaysPresent),
    ("aws:epochtime", KeyKind::AlwaysPresent),
    ("aws:tokenissuetime", KeyKind::TokenIssueTime),
];

/// Keys whose value the caller chooses (W23): such a condition keeps nobody from an Allow.
const CALLER_CHOOSES: &[&str] = &[
    "aws:tagkeys",
    "aws:useragent",
    "aws:referer",
    "sts:rolesessionname",
    "sts:transitivetagkeys",
];

impl Key {
    /// A key as written.
    pub fn new(spelled: &str) -> Self {
        let lower = spelled.to_ascii_lowercase();
        let kind = if let Some(tag) = lower.strip_prefix("aws:principaltag/") {
            KeyKind::PrincipalTag(tag.into())
        } else if let Some((_, tag)) = lower.split_once(":resourcetag/") {
            KeyKind::ResourceTag(tag.into())
        } else {
            KNOWN
                .iter()
                .find(|(name, _)| *name == lower)
                .map_or(KeyKind::Other, |(_, kind)| kind.clone())
        };
        Self {
            spelled: spelled.into(),
            lower: lower.into(),
            kind,
        }
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.spelled
    }

    /// In lower case.
    pub fn lower(&self) -> &str {
        &self.lower
    }

    /// Whether the caller chooses the value (W23).
    pub fn caller_controlled(&self) -> bool {
        self.lower.starts_with("aws:requesttag/") || CALLER_CHOOSES.contains(&&*self.lower)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.lower == other.lower
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.lower.cmp(&other.lower)
    }
}
