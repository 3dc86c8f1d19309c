//! Snapshots in, compiled accounts out: every distinct document once, however many identities share it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::action::Action;
use super::arn::account_of;
use super::coverage::{Faults, Sections};
use super::document::Document;
use super::organization::{Account, Level, Organization, Owned};
use super::statement::{Effect, Role, Scope};
use super::subject::{Attached, Subject};
use crate::model::{CoverageEntry, IdentityKind};
use crate::snapshot::Snapshot;
use crate::snapshot::aws::{self as native, section};

/// Gathers what all snapshots hold.
#[derive(Default)]
pub(super) struct Builder {
    accounts: Vec<Account>,
    subjects: Vec<Subject>,
    resources: Vec<Owned>,
    faults: Faults,
    /// By text.
    documents: HashMap<Arc<str>, Arc<Document>>,
}

/// What the objects of one account refer to.
struct Shared {
    account: Arc<str>,
    /// Managed policies by ARN.
    managed: HashMap<String, Attached>,
    /// Groups by name: ARN and policies.
    groups: HashMap<String, (Arc<str>, Vec<Attached>)>,
}

/// Whose documents are compiled, for faults.
#[derive(Clone, Copy)]
struct Owner<'a> {
    source: &'static str,
    arn: &'a Arc<str>,
}

/// Place of a role's trust policy in answers and coverage: its member of the API.
const TRUST_POLICY: &str = "AssumeRolePolicyDocument";

impl Builder {
    /// Everything gathered.
    pub fn finish(self) -> Organization {
        Organization::of(self.accounts, self.subjects, self.resources, self.faults)
    }

    /// Adds a snapshot; one that cannot be decoded is in the coverage.
    pub fn snapshot(&mut self, snapshot: &Snapshot) {
        match native::Account::decode(snapshot) {
            Ok((account, coverage)) => {
                self.faults.read.extend(coverage);
                self.account(account, Sections::of(snapshot));
            }
            Err(error) => self.faults.read.push(CoverageEntry {
                source: error.section.clone(),
                entity: error.scope.clone(),
                place: String::new(),
                reason: error.to_string(),
            }),
        }
    }

    fn account(&mut self, account: native::Account, sections: Sections) {
        let id: Arc<str> = account.id.as_str().into();
        let managed = self.managed(account.policies.as_deref().unwrap_or_default());
        let mut shared = Shared {
            account: Arc::clone(&id),
            managed,
            groups: HashMap::new(),
        };
        for group in account.groups.into_iter().flatten() {
            self.group(group, &mut shared);
        }
        for user in account.users.into_iter().flatten() {
            self.user(user, &shared);
        }
        for role in account.roles.into_iter().flatten() {
            self.role(role, &shared);
        }
        let resources_read = account.resources.is_some();
        for resource in account.resources.into_iter().flatten() {
            self.resource(resource);
        }
        let organized = account.organization.as_ref();
        let member = organized.and_then(|organized| organized.accounts.iter().find(|member| member.id == *id));
        let service = account.service_control_policies;
        let resource = account.resource_control_policies;
        let service_control = service.map(|policies| self.levels(section::SERVICE_CONTROL_POLICIES, &id, &policies, Role::Identity));
        let resource_control = resource.map(|policies| self.levels(section::RESOURCE_CONTROL_POLICIES, &id, &policies, Role::Resource));
        self.accounts.push(Account {
            sections,
            resources_read,
            service_control,
            resource_control,
            member: organized
                .zip(member)
                .map(|(organized, member)| (organized.id.as_str().into(), member.path.as_str().into())),
            members: organized.map_or_else(Vec::new, |organized| {
                organized.accounts.iter().map(|member| member.id.clone()).collect()
            }),
            management: organized.is_some_and(|organized| organized.management_account == *id),
            id,
        });
    }

    fn group(&mut self, group: native::Group, shared: &mut Shared) {
        let arn: Arc<str> = group.arn.as_str().into();
        let owner = Owner {
            source: section::GROUPS,
            arn: &arn,
        };
        let policies = self.policies(owner, &group.group_policy_list, &group.attached_managed_policies, shared);
        shared.groups.insert(group.group_name.clone(), (Arc::clone(&arn), policies.clone()));
        self.subjects.push(Subject {
            kind: IdentityKind::Group,
            name: group.group_name,
            id: group.group_id,
            path: group.path,
            created: group.create_date,
            policies,
            ..Subject::new(arn, &shared.account)
        });
    }

    fn user(&mut self, user: native::User, shared: &Shared) {
        let arn: Arc<str> = user.arn.as_str().into();
        let owner = Owner {
            source: section::USERS,
            arn: &arn,
        };
        let mut policies = self.policies(owner, &user.user_policy_list, &user.attached_managed_policies, shared);
        let mut missing_groups = Vec::new();
        for name in user.group_list {
            if let Some((group, inherited)) = shared.groups.get(&name) {
                let via = Some(group);
                policies.extend(inherited.iter().map(|policy| Attached {
                    via: via.cloned(),
                    ..policy.clone()
                }));
            } else {
                self.faults
                    .add(owner.source, &arn, &name, "group was not read: what it gives is not known");
                missing_groups.push(name);
            }
        }
        let boundary = self.boundary(owner, user.permissions_boundary.as_ref(), shared);
        self.subjects.push(Subject {
            kind: IdentityKind::User,
            name: user.user_name,
            id: user.user_id,
            path: user.path,
            created: user.create_date,
            tags: tags(user.tags),
            policies,
            missing_groups,
            boundary,
            ..Subject::new(arn, &shared.account)
        });
    }

    fn role(&mut self, role: native::Role, shared: &Shared) {
        let arn: Arc<str> = role.arn.as_str().into();
        let owner = Owner {
            source: section::ROLES,
            arn: &arn,
        };
        let policies = self.policies(owner, &role.role_policy_list, &role.attached_managed_policies, shared);
        let boundary = self.boundary(owner, role.permissions_boundary.as_ref(), shared);
        let document = role
            .assume_role_policy_document
            .as_ref()
            .map(|document| self.compile(document, owner, TRUST_POLICY, Role::Trust));
        if document.is_none() {
            self.faults.add(
                owner.source,
                &arn,
                TRUST_POLICY,
                "was not read: who may assume the role is not known",
            );
        }
        self.subjects.push(Subject {
            kind: IdentityKind::Role,
            name: role.role_name,
            id: role.role_id,
            path: role.path,
            created: role.create_date,
            tags: tags(role.tags),
            policies,
            boundary,
            session_tags: document.as_deref().is_none_or(passes_tags),
            trust: Some(attached(&arn, TRUST_POLICY, "trust", document)),
            instance_profiles: role.instance_profile_list.into_iter().map(|profile| profile.arn).collect(),
            ..Subject::new(arn, &shared.account)
        });
    }

    fn resource(&mut self, resource: native::Resource) {
        let arn: Arc<str> = resource.arn.as_str().into();
        let owner = Owner {
            source: section::RESOURCES,
            arn: &arn,
        };
        let document = resource
            .policy
            .as_ref()
            .map(|document| self.compile(document, owner, "policy", Role::Resource));
        self.resources.push(Owned {
            outsiders_open: outsiders_open(&resource),
            policy: document.map(|document| attached(&arn, "policy", "resource", Some(document))),
            grants: resource.grants,
            kind: resource.kind,
            account: self.accounts.len(),
            tags: (!resource.tags.is_empty()).then(|| tags(resource.tags)),
            arn,
        });
    }

    fn levels(&mut self, source: &'static str, account: &Arc<str>, policies: &native::ControlPolicies, role: Role) -> Vec<Level> {
        let owner = Owner { source, arn: account };
        let mut levels = Vec::with_capacity(policies.levels.len());
        for level in &policies.levels {
            let mut attached = Vec::with_capacity(level.policies.len());
            for (at, document) in level.policies.iter().enumerate() {
                let name = format!("{}[{at}]", level.id);
                let document = Some(self.compile(document, owner, &name, role));
                attached.push(Attached {
                    name: name.into(),
                    form: "control",
                    via: None,
                    document,
                });
            }
            levels.push(Level { policies: attached });
        }
        levels
    }

    fn managed(&mut self, policies: &[native::ManagedPolicy]) -> HashMap<String, Attached> {
        let mut managed = HashMap::with_capacity(policies.len());
        for policy in policies {
            let versions = &policy.policy_version_list;
            let default = versions.iter().find(|version| version.is_default_version);
            let version = default.or_else(|| versions.iter().find(|version| version.version_id == policy.default_version_id));
            let arn: Arc<str> = policy.arn.as_str().into();
            let owner = Owner {
                source: section::POLICIES,
                arn: &arn,
            };
            let document = version
                .and_then(|version| version.document.as_ref())
                .map(|document| self.compile(document, owner, "", Role::Identity));
            if document.is_none() {
                self.faults.add(
                    owner.source,
                    &arn,
                    "",
                    "the version in force was not read: what it gives is not known",
                );
            }
            managed.insert(
                policy.arn.clone(),
                Attached {
                    name: arn,
                    form: "managed",
                    via: None,
                    document,
                },
            );
        }
        managed
    }

    fn policies(
        &mut self,
        owner: Owner<'_>,
        inline: &[native::InlinePolicy],
        managed: &[native::AttachedPolicy],
        shared: &Shared,
    ) -> Vec<Attached> {
        let mut result = Vec::with_capacity(inline.len() + managed.len());
        for policy in inline {
            let name = &policy.policy_name;
            let document = policy
                .policy_document
                .as_ref()
                .map(|document| self.compile(document, owner, name, Role::Identity));
            if document.is_none() {
                self.faults.add(
                    owner.source,
                    owner.arn,
                    name,
                    "the document was not read: what it gives is not known",
                );
            }
            result.push(attached(owner.arn, name, "inline", document));
        }
        for policy in managed {
            let arn = &policy.policy_arn;
            result.push(shared.managed.get(arn).cloned().unwrap_or_else(|| {
                self.faults.add(
                    owner.source,
                    owner.arn,
                    arn,
                    "the attached policy was not read: what it gives is not known",
                );
                Attached {
                    name: arn.as_str().into(),
                    form: "managed",
                    via: None,
                    document: None,
                }
            }));
        }
        result.sort_by(|a, b| (a.form, &a.name).cmp(&(b.form, &b.name)));
        result
    }

    /// A boundary that was not found in what was read is unknown, not absent (W11).
    fn boundary(&mut self, owner: Owner<'_>, boundary: Option<&native::PermissionsBoundary>, shared: &Shared) -> Option<Attached> {
        let arn = &boundary?.permissions_boundary_arn;
        let document = shared.managed.get(arn).and_then(|policy| policy.document.clone());
        if document.is_none() {
            self.faults.add(
                owner.source,
                owner.arn,
                arn,
                "the permissions boundary was not read: what it permits is not known",
            );
        }
        Some(Attached {
            name: arn.as_str().into(),
            form: "boundary",
            via: None,
            document,
        })
    }

    /// The compiled form of a document; what of it cannot be evaluated where it stands is noted for its owner.
    fn compile(&mut self, document: &native::PolicyDocument, owner: Owner<'_>, place: &str, role: Role) -> Arc<Document> {
        let compiled = if let Some(known) = self.documents.get(document.text()) {
            Arc::clone(known)
        } else {
            let new = Arc::new(Document::compile(document.text()));
            self.documents.insert(Arc::clone(&document.0), Arc::clone(&new));
            new
        };
        self.faults.document(owner.source, owner.arn, place, &compiled, role);
        compiled
    }
}

impl Subject {
    fn new(arn: Arc<str>, scope: &Arc<str>) -> Self {
        Self {
            owner: account_of(&arn).map_or_else(|| Arc::clone(scope), Arc::from),
            arn,
            home: None,
            scope: Arc::clone(scope),
            kind: IdentityKind::Role,
            name: String::new(),
            id: String::new(),
            path: String::new(),
            created: None,
            tags: BTreeMap::new(),
            policies: Vec::new(),
            missing_groups: Vec::new(),
            boundary: None,
            trust: None,
            session_tags: false,
            instance_profiles: Vec::new(),
        }
    }
}

/// A document that stands on its owner, under a name of the owner's.
fn attached(owner: &str, name: &str, form: &'static str, document: Option<Arc<Document>>) -> Attached {
    Attached {
        name: format!("{owner}#{name}").into(),
        form,
        via: None,
        document,
    }
}

fn tags(tags: Vec<native::Tag>) -> BTreeMap<String, String> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

/// Whether ACL or Block Public Access could decide about callers from outside. An entry by canonical id may be the owner's own.
fn outsiders_open(resource: &native::Resource) -> bool {
    let restricts = resource.public_access_block.is_some_and(|block| block.restrict_public_buckets);
    let others = |acl: &native::Acl| acl.grants.iter().any(|grant| grant.grantee.uri.is_some());
    restricts || resource.acl.as_ref().is_some_and(others)
}

/// Whether a trust policy lets somebody pass session tags.
fn passes_tags(document: &Document) -> bool {
    let action = Action {
        service: "sts".to_owned(),
        name: "tagsession".to_owned(),
    };
    document.unreadable
        || document.statements.iter().any(|statement| {
            statement.effect != Effect::Deny
                && match &statement.actions {
                    Scope::Only(set) => set.matches(&action),
                    Scope::AllBut(set) => !set.matches(&action),
                    Scope::Missing | Scope::Unreadable => true,
                }
        })
}
