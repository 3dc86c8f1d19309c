//! The accounts as read, compiled and indexed: every distinct document once, however many identities share it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::action::Action;
use super::arn::account_of;
use super::coverage::{Faults, Sections};
use super::document::Document;
use super::request::Place;
use super::statement::{Effect, Role, Scope};
use super::subject::{Attached, Subject};
use crate::model::{CoverageEntry, IdentityKind};
use crate::snapshot::Snapshot;
use crate::snapshot::aws::{self as native, section};

/// Everything that was read of AWS.
#[derive(Debug, Default)]
pub struct Organization {
    /// Sorted by number.
    pub(super) accounts: Vec<Account>,
    /// Sorted by ARN.
    pub(super) subjects: Vec<Subject>,
    /// Sorted by ARN.
    pub(super) resources: Vec<Owned>,
    by_arn: HashMap<Arc<str>, usize>,
    /// Account number and name of role or user → subject.
    by_name: HashMap<(Arc<str>, IdentityKind, String), usize>,
    resource_by_arn: HashMap<Arc<str>, usize>,
    account_by_id: HashMap<Arc<str>, usize>,
    pub(super) faults: Faults,
}

/// One account.
#[derive(Debug)]
pub struct Account {
    /// Its number.
    pub id: Arc<str>,
    pub(super) sections: Sections,
    /// Whether the list of what it owns was read.
    pub resources_read: bool,
    /// Service control policies from the root down; none where they were not read, empty where the account has no such layer.
    pub service_control: Option<Vec<Level>>,
    /// Resource control policies from the root down.
    pub resource_control: Option<Vec<Level>>,
    /// Organization and path, where the account is a member of one that was read.
    pub(super) place: Option<(Arc<str>, Arc<str>)>,
    /// Ids of all accounts of that organization.
    pub(super) members: Vec<String>,
    /// The management account, which control policies do not bind (W2, W3).
    pub management: bool,
}

/// What is attached to one node on an account's path.
#[derive(Debug)]
pub struct Level {
    /// All its policies.
    pub policies: Vec<Attached>,
}

/// Something that an account owns.
#[derive(Debug)]
pub struct Owned {
    /// Its ARN.
    pub arn: Arc<str>,
    /// The account: index in the organization.
    pub account: usize,
    /// CloudFormation type name.
    pub kind: String,
    /// Tags; none where they were not read.
    pub tags: Option<BTreeMap<String, String>>,
    /// Its policy; none where it has none or it was not read.
    pub policy: Option<Attached>,
    /// Grants of a KMS key; none where they were not read.
    pub grants: Option<Vec<native::KeyGrant>>,
    /// Something of it decides who is let in from outside, and is not evaluated: an ACL that names others, or Block Public Access that
    /// closes buckets with a public policy (W8).
    pub outsiders_open: bool,
}

/// Compiles each distinct text once.
#[derive(Default)]
struct Interner {
    documents: HashMap<Arc<str>, Arc<Document>>,
}

impl Interner {
    fn compile(&mut self, document: &native::PolicyDocument) -> Arc<Document> {
        if let Some(known) = self.documents.get(document.text()) {
            return Arc::clone(known);
        }
        let compiled = Arc::new(Document::compile(document.text()));
        self.documents.insert(Arc::clone(&document.0), Arc::clone(&compiled));
        compiled
    }
}

impl Organization {
    /// Compiles snapshots of AWS accounts. What cannot be used is in the coverage.
    pub fn build(snapshots: &[&Snapshot]) -> Self {
        let mut organization = Self::default();
        let mut builder = Builder::default();
        let mut sorted: Vec<&&Snapshot> = snapshots.iter().collect();
        sorted.sort_by(|a, b| a.scope.cmp(&b.scope));
        for snapshot in sorted {
            match native::Account::decode(snapshot) {
                Ok((account, coverage)) => {
                    organization.faults.read.extend(coverage);
                    builder.account(&mut organization, account, Sections::of(snapshot));
                }
                Err(error) => organization.faults.read.push(CoverageEntry {
                    source: error.section.clone(),
                    entity: error.scope.clone(),
                    place: String::new(),
                    reason: error.to_string(),
                }),
            }
        }
        organization.index();
        organization
    }

    fn index(&mut self) {
        self.accounts.sort_by(|a, b| a.id.cmp(&b.id));
        self.subjects.sort_by(|a, b| a.arn.cmp(&b.arn));
        self.resources.sort_by(|a, b| a.arn.cmp(&b.arn));
        for (at, account) in self.accounts.iter().enumerate() {
            self.account_by_id.entry(Arc::clone(&account.id)).or_insert(at);
        }
        for (at, subject) in self.subjects.iter().enumerate() {
            self.by_arn.entry(Arc::clone(&subject.arn)).or_insert(at);
            self.by_name
                .entry((Arc::clone(&subject.owner), subject.kind, subject.name.clone()))
                .or_insert(at);
        }
        for (at, resource) in self.resources.iter().enumerate() {
            self.resource_by_arn.entry(Arc::clone(&resource.arn)).or_insert(at);
        }
        self.faults.settle();
    }

    /// The identity of an ARN.
    pub fn subject(&self, arn: &str) -> Option<&Subject> {
        self.by_arn.get(arn).and_then(|at| self.subjects.get(*at))
    }

    /// An identity of an account by name, as session ARNs have it.
    pub(super) fn subject_named(&self, account: &str, kind: IdentityKind, name: &str) -> Option<&Subject> {
        self.by_name
            .get(&(Arc::from(account), kind, name.to_owned()))
            .and_then(|at| self.subjects.get(*at))
    }

    /// An account that was read.
    pub fn account(&self, id: &str) -> Option<&Account> {
        self.account_by_id.get(id).and_then(|at| self.accounts.get(*at))
    }

    /// Whether the roles of every account were read whole.
    pub(super) fn all_roles_read(&self) -> bool {
        self.accounts.iter().all(|account| account.sections.state(section::ROLES).is_ok())
    }

    /// An account's place in its organization.
    pub(super) fn place_of(&self, account: &str) -> Option<Place<'_>> {
        let (organization, path) = self.account(account)?.place.as_ref()?;
        Some(Place { organization, path })
    }

    /// The resource of an ARN, or the nearest one that contains it (a bucket for its objects).
    pub(super) fn owned(&self, arn: &str) -> Option<&Owned> {
        let mut asked = arn;
        loop {
            if let Some(found) = self.resource_by_arn.get(asked).and_then(|at| self.resources.get(*at)) {
                return Some(found);
            }
            asked = asked.rsplit_once('/')?.0;
        }
    }
}

#[derive(Default)]
struct Builder {
    interner: Interner,
}

/// The members that users, groups and roles share.
struct Policies<'a> {
    source: &'static str,
    owner: &'a Arc<str>,
    inline: &'a [native::InlinePolicy],
    attached: &'a [native::AttachedPolicy],
}

impl Builder {
    fn account(&mut self, organization: &mut Organization, account: native::Account, sections: Sections) {
        let id: Arc<str> = account.id.as_str().into();
        let managed = self.managed(organization, account.policies.as_deref().unwrap_or_default());
        let mut groups: BTreeMap<String, (Arc<str>, Vec<Attached>)> = BTreeMap::new();
        for group in account.groups.into_iter().flatten() {
            let arn: Arc<str> = group.arn.as_str().into();
            let policies = self.policies(
                organization,
                &managed,
                &Policies {
                    source: section::GROUPS,
                    owner: &arn,
                    inline: &group.group_policy_list,
                    attached: &group.attached_managed_policies,
                },
            );
            groups.insert(group.group_name.clone(), (Arc::clone(&arn), policies.clone()));
            organization.subjects.push(Subject {
                kind: IdentityKind::Group,
                name: group.group_name,
                id: group.group_id,
                path: group.path,
                created: group.create_date,
                policies,
                ..Subject::new(arn, &id)
            });
        }
        for user in account.users.into_iter().flatten() {
            let arn: Arc<str> = user.arn.as_str().into();
            let mut policies = self.policies(
                organization,
                &managed,
                &Policies {
                    source: section::USERS,
                    owner: &arn,
                    inline: &user.user_policy_list,
                    attached: &user.attached_managed_policies,
                },
            );
            let mut missing = Vec::new();
            for name in &user.group_list {
                if let Some((group, inherited)) = groups.get(name) {
                    policies.extend(inherited.iter().map(|policy| Attached {
                        via: Some(Arc::clone(group)),
                        ..policy.clone()
                    }));
                } else {
                    organization
                        .faults
                        .add(section::USERS, &arn, name, "group was not read: what it gives is not known");
                    missing.push(name.clone());
                }
            }
            let boundary = self.boundary(organization, &managed, section::USERS, &arn, user.permissions_boundary.as_ref());
            organization.subjects.push(Subject {
                kind: IdentityKind::User,
                name: user.user_name,
                id: user.user_id,
                path: user.path,
                created: user.create_date,
                tags: tags(user.tags),
                policies,
                missing_groups: missing,
                boundary,
                ..Subject::new(arn, &id)
            });
        }
        for role in account.roles.into_iter().flatten() {
            let arn: Arc<str> = role.arn.as_str().into();
            let policies = self.policies(
                organization,
                &managed,
                &Policies {
                    source: section::ROLES,
                    owner: &arn,
                    inline: &role.role_policy_list,
                    attached: &role.attached_managed_policies,
                },
            );
            let boundary = self.boundary(organization, &managed, section::ROLES, &arn, role.permissions_boundary.as_ref());
            let document = role.assume_role_policy_document.as_ref().map(|document| {
                let compiled = self.interner.compile(document);
                organization
                    .faults
                    .document(section::ROLES, &arn, "AssumeRolePolicyDocument", &compiled, Role::Trust);
                compiled
            });
            if document.is_none() {
                organization.faults.add(
                    section::ROLES,
                    &arn,
                    "AssumeRolePolicyDocument",
                    "was not read: who may assume the role is not known",
                );
            }
            let session_tags = document.as_deref().is_none_or(passes_tags);
            organization.subjects.push(Subject {
                kind: IdentityKind::Role,
                name: role.role_name,
                id: role.role_id,
                path: role.path,
                created: role.create_date,
                tags: tags(role.tags),
                policies,
                boundary,
                trust: Some(Attached {
                    name: format!("{arn}#AssumeRolePolicyDocument").into(),
                    form: "trust",
                    via: None,
                    document,
                }),
                session_tags,
                instance_profiles: role.instance_profile_list.into_iter().map(|profile| profile.arn).collect(),
                ..Subject::new(arn, &id)
            });
        }
        let at = organization.accounts.len();
        let resources_read = account.resources.is_some();
        for mut resource in account.resources.into_iter().flatten() {
            let arn: Arc<str> = resource.arn.as_str().into();
            let policy = resource.policy.as_ref().map(|document| {
                let compiled = self.interner.compile(document);
                organization
                    .faults
                    .document(section::RESOURCES, &arn, "policy", &compiled, Role::Resource);
                Attached {
                    name: format!("{arn}#policy").into(),
                    form: "resource",
                    via: None,
                    document: Some(compiled),
                }
            });
            let tags = (!resource.tags.is_empty()).then(|| tags(std::mem::take(&mut resource.tags)));
            organization.resources.push(Owned {
                outsiders_open: outsiders_open(&resource),
                grants: resource.grants,
                kind: resource.kind,
                account: at,
                arn,
                tags,
                policy,
            });
        }
        let organized = account.organization.as_ref();
        let member = organized.and_then(|organized| organized.accounts.iter().find(|member| member.id == *id));
        let place = organized
            .zip(member)
            .map(|(organized, member)| (Arc::from(organized.id.as_str()), Arc::from(member.path.as_str())));
        let members = organized.map_or_else(Vec::new, |organized| {
            organized.accounts.iter().map(|member| member.id.clone()).collect()
        });
        let management = organized.is_some_and(|organized| organized.management_account == *id);
        let service_control = account
            .service_control_policies
            .map(|policies| self.levels(organization, section::SERVICE_CONTROL_POLICIES, &id, &policies, Role::Identity));
        let resource_control = account
            .resource_control_policies
            .map(|policies| self.levels(organization, section::RESOURCE_CONTROL_POLICIES, &id, &policies, Role::Resource));
        organization.accounts.push(Account {
            id,
            sections,
            resources_read,
            service_control,
            resource_control,
            place,
            members,
            management,
        });
    }

    fn levels(
        &mut self,
        organization: &mut Organization,
        source: &'static str,
        account: &str,
        policies: &native::ControlPolicies,
        role: Role,
    ) -> Vec<Level> {
        let mut levels = Vec::with_capacity(policies.levels.len());
        for level in &policies.levels {
            let mut attached = Vec::with_capacity(level.policies.len());
            for (at, document) in level.policies.iter().enumerate() {
                let name = format!("{}[{at}]", level.id);
                let compiled = self.interner.compile(document);
                organization.faults.document(source, account, &name, &compiled, role);
                attached.push(Attached {
                    name: name.into(),
                    form: "control",
                    via: None,
                    document: Some(compiled),
                });
            }
            levels.push(Level { policies: attached });
        }
        levels
    }

    fn managed(&mut self, organization: &mut Organization, policies: &[native::ManagedPolicy]) -> HashMap<String, Attached> {
        let mut managed = HashMap::new();
        for policy in policies {
            let version = policy
                .policy_version_list
                .iter()
                .find(|version| version.is_default_version)
                .or_else(|| {
                    policy
                        .policy_version_list
                        .iter()
                        .find(|version| version.version_id == policy.default_version_id)
                });
            let arn: Arc<str> = policy.arn.as_str().into();
            let document = version.and_then(|version| version.document.as_ref()).map(|document| {
                let compiled = self.interner.compile(document);
                organization.faults.document(section::POLICIES, &arn, "", &compiled, Role::Identity);
                compiled
            });
            if document.is_none() {
                organization.faults.add(
                    section::POLICIES,
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

    fn policies(&mut self, organization: &mut Organization, managed: &HashMap<String, Attached>, of: &Policies<'_>) -> Vec<Attached> {
        let mut result = Vec::with_capacity(of.inline.len() + of.attached.len());
        for policy in of.inline {
            let document = policy.policy_document.as_ref().map(|document| self.interner.compile(document));
            match &document {
                Some(compiled) => organization
                    .faults
                    .document(of.source, of.owner, &policy.policy_name, compiled, Role::Identity),
                None => organization.faults.add(
                    of.source,
                    of.owner,
                    &policy.policy_name,
                    "the document was not read: what it gives is not known",
                ),
            }
            result.push(Attached {
                name: format!("{}#{}", of.owner, policy.policy_name).into(),
                form: "inline",
                via: None,
                document,
            });
        }
        for policy in of.attached {
            result.push(managed.get(&policy.policy_arn).cloned().unwrap_or_else(|| {
                organization.faults.add(
                    of.source,
                    of.owner,
                    &policy.policy_arn,
                    "the attached policy was not read: what it gives is not known",
                );
                Attached {
                    name: policy.policy_arn.as_str().into(),
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
    fn boundary(
        &mut self,
        organization: &mut Organization,
        managed: &HashMap<String, Attached>,
        source: &'static str,
        owner: &Arc<str>,
        boundary: Option<&native::PermissionsBoundary>,
    ) -> Option<Attached> {
        let arn = &boundary?.permissions_boundary_arn;
        let document = managed.get(arn).and_then(|policy| policy.document.clone());
        if document.is_none() {
            organization.faults.add(
                source,
                owner,
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
}

impl Subject {
    fn new(arn: Arc<str>, scope: &Arc<str>) -> Self {
        let owner = account_of(&arn).map_or_else(|| Arc::clone(scope), Arc::from);
        Self {
            arn,
            owner,
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
