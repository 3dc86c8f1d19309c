//! AWS: policy documents compiled once, evaluated over all layers that were read. Rules W1–W24 are those of the project's statement of AWS
//! semantics, taken from the IAM User Guide and the services' own guides; each module names those that it implements.

mod action;
mod answer;
mod arn;
mod build;
mod condition;
mod coverage;
mod decide;
mod document;
mod grants;
mod json;
mod key;
mod offer;
mod organization;
mod pattern;
mod principal;
mod question;
mod request;
mod resource;
mod services;
mod statement;
mod subject;
mod trusts;
mod variables;
mod wildcard;

pub use organization::Organization;

use super::{Attachment, Decision, Entitlements, Grant, Identity, Listing, Membership, Question, Resource, Trust};
use crate::model::{CoverageEntry, IdentityRef, Provider, ResourceRef};

impl Entitlements for Organization {
    fn provider(&self) -> Provider {
        Provider::Aws
    }

    fn scopes(&self) -> Vec<String> {
        self.accounts.iter().map(|account| account.id.to_string()).collect()
    }

    fn organization(&self, scope: &str) -> Option<Membership> {
        let account = self.account(scope)?;
        let place = account.place()?;
        Some(Membership {
            id: place.organization.to_string(),
            scopes: account.members.clone(),
        })
    }

    fn identities(&self) -> Listing<'_, Identity> {
        Box::new(self.subjects.iter().map(|subject| Identity {
            key: IdentityRef {
                provider: Provider::Aws,
                scope: subject.owner.to_string(),
                id: subject.arn.to_string(),
                kind: subject.kind,
                name: subject.name.clone(),
            },
            read_from: subject.scope.to_string(),
            path: subject.path.clone(),
            tags: subject.tags.clone(),
            created: subject.created,
            not_actionable: subject.not_actionable(),
        }))
    }

    fn resources(&self) -> Listing<'_, Resource> {
        Box::new(self.resources.iter().map(|owned| {
            Resource {
                key: ResourceRef {
                    provider: Provider::Aws,
                    scope: self
                        .accounts
                        .get(owned.account)
                        .map(|account| account.id.to_string())
                        .unwrap_or_default(),
                    id: owned.arn.to_string(),
                },
                kind: owned.kind.clone(),
                tags: owned.tags.clone().unwrap_or_default(),
            }
        }))
    }

    fn decide(&self, question: &Question) -> Decision {
        self.answer(question)
    }

    fn grants<'a>(&'a self, identity: &str) -> Listing<'a, Grant> {
        Box::new(self.grants_of(identity))
    }

    fn attachments<'a>(&'a self, identity: &str) -> Listing<'a, Attachment> {
        let subject = self.subject(identity);
        Box::new(subject.into_iter().flat_map(|subject| {
            subject.policies.iter().chain(&subject.boundary).map(|policy| Attachment {
                policy: policy.name.to_string(),
                form: policy.form,
                via: policy.via.as_deref().map(str::to_owned),
            })
        }))
    }

    fn trusts<'a>(&'a self, identity: &str) -> Listing<'a, Trust> {
        Box::new(self.trusts_of(identity).into_iter())
    }

    fn source(&self, scope: &str, source: &str) -> Result<(), String> {
        self.account(scope)
            .ok_or_else(|| format!("account {scope} was not read"))?
            .sections
            .state(source)
    }

    fn unusable(&self, identity: &str) -> Vec<CoverageEntry> {
        self.unusable_of(identity)
    }

    fn coverage(&self) -> Vec<CoverageEntry> {
        self.all_coverage()
    }
}
