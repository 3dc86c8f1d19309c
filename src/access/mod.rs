//! The meaning of policies. This file holds what every provider shares: the question, the decision, and the trait that
//! rules, paths and commands are written against (design §3.1, §3.2). A provider's directory never imports another's.

pub mod aws;
pub mod formula;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{CoverageEntry, IdentityRef, Provider, ReasonCode, Residual, ResourceRef, StatementRef, Verdict};

/// A residual in words: `aws:SourceIp in 10.0.0.0/8 and aws:MultiFactorAuthPresent is true`.
pub fn describe(residual: &Residual) -> String {
    let group = |members: &[Residual], word: &str, empty: &str| match members {
        [] => empty.to_owned(),
        members => members
            .iter()
            .map(|member| match member {
                Residual::And(inner) | Residual::Or(inner) if inner.len() > 1 => format!("({})", describe(member)),
                _ => describe(member),
            })
            .collect::<Vec<_>>()
            .join(word),
    };
    match residual {
        Residual::And(members) => group(members, " and ", "always"),
        Residual::Or(members) => group(members, " or ", "never"),
        Residual::Not(inner) => format!("not ({})", describe(inner)),
        Residual::Atom(atom) => atom.text.clone(),
    }
}

/// "May this principal do this action on this resource?"
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Question {
    /// Native id: an ARN, an object id, a member, `anonymous`, a service name.
    pub principal: String,
    /// The provider's action or permission; may hold wildcards.
    pub action: String,
    /// Azure: the permission is a data action.
    pub data_action: bool,
    /// Native id; may hold wildcards; `*` for actions without resource.
    pub resource: String,
    /// What is known about the request. A key that is not here is unknown, unless `context_complete`.
    pub context: BTreeMap<String, ContextValue>,
    /// Keys that are neither given nor derived are absent from the request.
    pub context_complete: bool,
    /// How wildcards in action and resource are read.
    pub matching: Matching,
    /// An answer that an unread layer could change is `Unknown`.
    pub strict: bool,
    /// When the request is made; unknown where absent.
    pub time: Option<Timestamp>,
    /// What only one provider has (session policies, resource account, subresource, federation claims), by its contract's member names.
    pub provider: serde_json::Map<String, serde_json::Value>,
}

/// The value of a context key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ContextValue {
    /// Known to be absent (`null`).
    Absent,
    /// One value.
    One(String),
    /// Several values.
    Many(Vec<String>),
}

impl ContextValue {
    /// The values; empty where absent.
    pub fn values(&self) -> &[String] {
        match self {
            Self::Absent => &[],
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

/// What a wildcard in action or resource asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Matching {
    /// The best answer over all matches: allowed, conditional, unknown, denied.
    #[default]
    Any,
    /// The worst answer over all matches.
    All,
}

/// The answer with its reasons. Serialises as the JSON of `ciem can`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// One of four.
    pub verdict: Verdict,
    /// Why, for programs.
    pub reason_code: ReasonCode,
    /// Why, for people.
    pub reason: String,
    /// What each layer said, in the order of evaluation.
    pub layers: Vec<LayerAnswer>,
    /// The condition under which it holds; only with `Conditional` (and where known with `Unknown`).
    pub residual: Option<Residual>,
    /// Policy layers that were not read, sorted.
    pub unread_layers: Vec<String>,
}

/// What one statement of one layer said. A layer without a statement says why it has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LayerAnswer {
    /// The provider's name of it: `identity`, `boundary`, `session`, `resource`, `trust`, `service-control-policies`, …
    pub layer: String,
    /// What the layer (or this statement of it) says.
    pub verdict: Verdict,
    /// Name of the policy as in [`StatementRef::policy`].
    pub policy: Option<String>,
    /// Index of the statement, from 0.
    pub statement: Option<u32>,
    /// Its Sid.
    pub sid: Option<String>,
}

/// An identity as read, with what rules select by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its global name.
    pub key: IdentityRef,
    /// The scope whose snapshot holds it, where its findings belong: `key.scope`, but for objects of other accounts in one file.
    pub read_from: String,
    /// Path in the provider's own tree (`/aws-service-role/…`), empty where there is none.
    pub path: String,
    /// Tags or labels.
    pub tags: BTreeMap<String, String>,
    /// When it was created, where known.
    pub created: Option<Timestamp>,
    /// Why nobody can act on it (W10: service-linked, reserved by the provider); such identities raise no excess findings.
    pub not_actionable: Option<&'static str>,
}

/// A resource as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its global name.
    pub key: ResourceRef,
    /// The provider's type name.
    pub kind: String,
    /// Tags or labels.
    pub tags: BTreeMap<String, String>,
}

/// How wide a pattern is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breadth {
    /// Everything: `*`, `*:*`.
    Everything,
    /// All of one service: `s3:*`; holds the service's name.
    Service(String),
    /// All but a list (`NotAction`, `NotResource`, `notActions`).
    AllBut(Vec<String>),
    /// Anything narrower, as written.
    Some(String),
}

/// One allow statement that reaches an identity, as written and as it works out. A statement that names several services whole is one
/// grant for each of them, and one for the rest, as other layers may take away the one and not the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Where it stands.
    pub statement: StatementRef,
    /// True where the statement stands on the identity itself: an inline or directly attached policy; false through a group.
    pub direct: bool,
    /// Each action pattern; shared by all identities that have the statement.
    pub actions: Arc<[Breadth]>,
    /// Each resource pattern.
    pub resources: Arc<[Breadth]>,
    /// What it grants after boundary, denies and the other layers read, asked for an action and a resource that no list can name
    /// inside the widest pattern: `Denied` means that other layers take the breadth away.
    pub effective: Verdict,
    /// The condition under which it holds.
    pub residual: Option<Residual>,
}

/// A policy that is attached to an identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attachment {
    /// Name as in [`StatementRef::policy`].
    pub policy: String,
    /// `inline`, `managed` or `boundary`.
    pub form: &'static str,
    /// Through which group; none: directly.
    pub via: Option<String>,
}

/// Who may become an identity, by one statement of its trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Where it stands.
    pub statement: StatementRef,
    /// Who is trusted.
    pub from: Trusted,
    /// Whether the statement holds: `Allowed`, `Conditional`, or `Unknown` where its condition could not be evaluated.
    pub verdict: Verdict,
    /// The condition under which it holds, with the provider's keys; none: always, or not known.
    pub residual: Option<Residual>,
}

/// One trusted principal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trusted {
    /// Anybody.
    Everyone,
    /// A whole account, subscription or project that owns the identity itself.
    OwnScope,
    /// Somebody of another account: the account's id, and the principal as written.
    External {
        /// The other account.
        scope: String,
        /// As written.
        principal: String,
    },
    /// An identity of the same account, by native id.
    Internal(String),
    /// A service of the provider.
    Service(String),
    /// Holders of tokens of an identity provider: issuer (host and path, without scheme) or SAML provider.
    Federated {
        /// Native id of the identity provider.
        provider: String,
        /// OIDC issuer without scheme; none for SAML.
        issuer: Option<String>,
    },
    /// Something that names nobody that is known (a deleted principal's unique id, an unreadable value).
    Unresolved(String),
}

/// The organization of a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Its native id: `o-…`.
    pub id: String,
    /// All its accounts (subscriptions, projects), the scope's own among them, read or not.
    pub scopes: Vec<String>,
}

/// Boxed iterator: listings are streamed, never collected for the caller.
pub type Listing<'a, T> = Box<dyn Iterator<Item = T> + 'a>;

/// What rules and questions are written against, over one or several snapshots that form an organization. One implementation for each provider.
pub trait Entitlements: Send + Sync {
    /// Which provider.
    fn provider(&self) -> Provider;

    /// The accounts (subscriptions, projects, clusters) that were read, sorted.
    fn scopes(&self) -> Vec<String>;

    /// The organization that a scope is a member of; none where that was not read, or where it is in none.
    fn organization(&self, scope: &str) -> Option<Membership>;

    /// All identities, sorted by native id.
    fn identities(&self) -> Listing<'_, Identity>;

    /// All resources that were read, sorted by native id.
    fn resources(&self) -> Listing<'_, Resource>;

    /// One answer. Never panics; what cannot be known is `Unknown`.
    fn decide(&self, question: &Question) -> Decision;

    /// The allow statements that reach an identity (native id), in a stable order.
    fn grants<'a>(&'a self, identity: &str) -> Listing<'a, Grant>;

    /// The policies attached to an identity, in a stable order.
    fn attachments<'a>(&'a self, identity: &str) -> Listing<'a, Attachment>;

    /// Who may become an identity, in a stable order.
    fn trusts<'a>(&'a self, identity: &str) -> Listing<'a, Trust>;

    /// Whether a source (a snapshot section, e.g. `roles`) of a scope was read whole: `Ok`, or why not.
    fn source(&self, scope: &str, source: &str) -> Result<(), String>;

    /// Whether everything that concerns one identity could be used; else the reasons.
    fn unusable(&self, identity: &str) -> Vec<CoverageEntry>;

    /// What was not read or could not be used, over all scopes, sorted.
    fn coverage(&self) -> Vec<CoverageEntry>;
}
