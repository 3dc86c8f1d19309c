//! Builds AWS accounts as `aws iam get-account-authorization-details` prints them, with `AccountId`: for tests, benches and the demo.
//! The same calls give the same bytes: ids and dates are derived, nothing is random.

use serde_json::{Map, Value, json};

/// When everything was made, unless said otherwise.
pub const CREATED: &str = "2024-03-01T08:00:00Z";

/// An account on its way.
#[derive(Debug, Clone)]
pub struct AccountBuilder {
    id: String,
    name: Option<String>,
    users: Vec<Value>,
    groups: Vec<Value>,
    roles: Vec<Value>,
    policies: Vec<Value>,
    resources: Option<Vec<Value>>,
    left_out: Vec<&'static str>,
}

impl AccountBuilder {
    /// An empty account: its lists were read and hold nothing; its resources were not read.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: None,
            users: Vec::new(),
            groups: Vec::new(),
            roles: Vec::new(),
            policies: Vec::new(),
            resources: None,
            left_out: Vec::new(),
        }
    }

    /// Gives the account a name.
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Adds a user.
    pub fn user(mut self, name: &str, fill: impl FnOnce(Principal) -> Principal) -> Self {
        self.users.push(fill(Principal::new(&self.id, "user", "/", name)).entity);
        self
    }

    /// Adds a group.
    pub fn group(mut self, name: &str, fill: impl FnOnce(Principal) -> Principal) -> Self {
        self.groups.push(fill(Principal::new(&self.id, "group", "/", name)).entity);
        self
    }

    /// Adds a role with its trust policy.
    pub fn role(self, name: &str, trust: Value, fill: impl FnOnce(Principal) -> Principal) -> Self {
        self.role_at("/", name, trust, fill)
    }

    /// Adds a role with a path, such as `/aws-service-role/ecs.amazonaws.com/`.
    pub fn role_at(mut self, path: &str, name: &str, trust: Value, fill: impl FnOnce(Principal) -> Principal) -> Self {
        let role = Principal::new(&self.id, "role", path, name).with("AssumeRolePolicyDocument", trust);
        self.roles.push(fill(role).entity);
        self
    }

    /// Adds a customer managed policy. Attach it by its name.
    pub fn policy(mut self, name: &str, document: Value) -> Self {
        let arn = format!("arn:aws:iam::{}:policy/{name}", self.id);
        self.policies.push(managed(&arn, name, "/", &[document]));
        self
    }

    /// Adds a customer managed policy with versions v1, v2, …; the last is in force.
    pub fn policy_versions(mut self, name: &str, documents: &[Value]) -> Self {
        let arn = format!("arn:aws:iam::{}:policy/{name}", self.id);
        self.policies.push(managed(&arn, name, "/", documents));
        self
    }

    /// Adds the AWS managed policy `AdministratorAccess`, as the API does where it is in use. Attach it as [`ADMINISTRATOR_ACCESS`].
    pub fn administrator_access(mut self) -> Self {
        self.policies
            .push(managed(ADMINISTRATOR_ACCESS, "AdministratorAccess", "/", &[allow(&["*"], &["*"])]));
        self
    }

    /// Adds something that the account owns, in the form of cases-format.md; from now on resources count as read.
    pub fn resource(mut self, resource: Value) -> Self {
        self.resources.get_or_insert_default().push(resource);
        self
    }

    /// Leaves a list out, as if it had not been read.
    pub fn without(mut self, list: &'static str) -> Self {
        self.left_out.push(list);
        self
    }

    /// The account file.
    pub fn build(self) -> Value {
        let lists = [
            ("UserDetailList", self.users),
            ("GroupDetailList", self.groups),
            ("RoleDetailList", self.roles),
            ("Policies", self.policies),
        ];
        let mut account = Map::new();
        account.insert("AccountId".to_owned(), Value::from(self.id));
        account.extend(self.name.map(|name| ("AccountName".to_owned(), Value::from(name))));
        account.extend(lists.into_iter().map(|(name, items)| (name.to_owned(), Value::from(items))));
        account.extend(self.resources.map(|resources| ("resources".to_owned(), Value::from(resources))));
        account.retain(|name, _| !self.left_out.contains(&name.as_str()));
        Value::Object(account)
    }

    /// The account file's bytes.
    pub fn bytes(self) -> Vec<u8> {
        self.build().to_string().into_bytes()
    }
}

/// ARN of the AWS managed policy that allows everything.
pub const ADMINISTRATOR_ACCESS: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// A user, group or role on its way.
#[derive(Debug, Clone)]
pub struct Principal {
    account: String,
    inline_list: &'static str,
    entity: Value,
}

impl Principal {
    fn new(account: &str, kind: &str, path: &str, name: &str) -> Self {
        let arn = format!("arn:aws:iam::{account}:{kind}{path}{name}");
        let base = |prefix: &str| (derived_id(prefix, &arn), arn.clone());
        let (inline_list, entity) = match kind {
            "user" => {
                let (id, arn) = base("AIDA");
                let lists = json!({"UserPolicyList": [], "GroupList": [], "AttachedManagedPolicies": [], "Tags": []});
                (
                    "UserPolicyList",
                    merged(
                        json!({"Arn": arn, "UserName": name, "UserId": id, "Path": path, "CreateDate": CREATED}),
                        lists,
                    ),
                )
            }
            "group" => {
                let (id, arn) = base("AGPA");
                let lists = json!({"GroupPolicyList": [], "AttachedManagedPolicies": []});
                (
                    "GroupPolicyList",
                    merged(
                        json!({"Arn": arn, "GroupName": name, "GroupId": id, "Path": path, "CreateDate": CREATED}),
                        lists,
                    ),
                )
            }
            _ => {
                let (id, arn) = base("AROA");
                let lists =
                    json!({"RolePolicyList": [], "InstanceProfileList": [], "AttachedManagedPolicies": [], "Tags": [], "RoleLastUsed": {}});
                (
                    "RolePolicyList",
                    merged(
                        json!({"Arn": arn, "RoleName": name, "RoleId": id, "Path": path, "CreateDate": CREATED}),
                        lists,
                    ),
                )
            }
        };
        Self {
            account: account.to_owned(),
            inline_list,
            entity,
        }
    }

    /// Sets any member.
    pub fn with(mut self, member: &str, value: Value) -> Self {
        if let Some(members) = self.entity.as_object_mut() {
            members.insert(member.to_owned(), value);
        }
        self
    }

    /// Adds an inline policy; the document may be text.
    pub fn inline(self, name: &str, document: Value) -> Self {
        let list = self.inline_list;
        self.push(list, object([("PolicyName", name.into()), ("PolicyDocument", document)]))
    }

    /// Attaches a managed policy: a customer policy by its name, any by its ARN.
    pub fn attach(self, policy: &str) -> Self {
        let arn = self.policy_arn(policy);
        let name = arn.rsplit('/').next().unwrap_or(policy).to_owned();
        self.push("AttachedManagedPolicies", json!({"PolicyArn": arn, "PolicyName": name}))
    }

    /// Sets the permissions boundary, named as in [`Principal::attach`].
    pub fn boundary(self, policy: &str) -> Self {
        let arn = self.policy_arn(policy);
        self.with(
            "PermissionsBoundary",
            json!({"PermissionsBoundaryArn": arn, "PermissionsBoundaryType": "Policy"}),
        )
    }

    /// Puts a user into a group.
    pub fn member_of(self, group: &str) -> Self {
        self.push("GroupList", Value::from(group))
    }

    /// Adds a tag.
    pub fn tag(self, key: &str, value: &str) -> Self {
        self.push("Tags", json!({"Key": key, "Value": value}))
    }

    /// When it was created, RFC 3339.
    pub fn created(self, time: &str) -> Self {
        self.with("CreateDate", Value::from(time))
    }

    /// When and where a role was last used.
    pub fn last_used(self, time: &str, region: &str) -> Self {
        self.with("RoleLastUsed", json!({"LastUsedDate": time, "Region": region}))
    }

    /// Puts a role into an instance profile of the same name.
    pub fn instance_profile(self, name: &str) -> Self {
        let arn = format!("arn:aws:iam::{}:instance-profile/{name}", self.account);
        let id = derived_id("AIPA", &arn);
        let profile =
            json!({"Arn": arn, "InstanceProfileName": name, "InstanceProfileId": id, "Path": "/", "CreateDate": CREATED, "Roles": []});
        self.push("InstanceProfileList", profile)
    }

    fn push(mut self, list: &str, item: Value) -> Self {
        if let Some(items) = self.entity.get_mut(list).and_then(Value::as_array_mut) {
            items.push(item);
        }
        self
    }

    fn policy_arn(&self, policy: &str) -> String {
        if policy.starts_with("arn:") {
            policy.to_owned()
        } else {
            format!("arn:aws:iam::{}:policy/{policy}", self.account)
        }
    }
}

fn managed(arn: &str, name: &str, path: &str, documents: &[Value]) -> Value {
    let versions: Vec<Value> = documents
        .iter()
        .enumerate()
        .map(|(index, document)| {
            let default = index + 1 == documents.len();
            json!({"VersionId": format!("v{}", index + 1), "IsDefaultVersion": default, "CreateDate": CREATED, "Document": document})
        })
        .collect();
    json!({
        "Arn": arn, "PolicyName": name, "PolicyId": derived_id("ANPA", arn), "Path": path, "DefaultVersionId": format!("v{}", documents.len()),
        "IsAttachable": true, "CreateDate": CREATED, "UpdateDate": CREATED, "PolicyVersionList": versions,
    })
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn merged(mut base: Value, more: Value) -> Value {
    if let (Some(base), Value::Object(more)) = (base.as_object_mut(), more) {
        base.extend(more);
    }
    base
}

/// A unique id as IAM gives them, derived from the ARN (64-bit FNV-1a, then base 32).
fn derived_id(prefix: &str, arn: &str) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut hash = arn.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let mut id = prefix.to_owned();
    for _ in 0..17 {
        let letter = LETTERS.get(usize::from(hash.to_le_bytes()[0] & 31)).copied().unwrap_or(b'A');
        id.push(char::from(letter));
        hash = hash.rotate_right(5).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    id
}

// --- policy documents

/// A document of statements.
pub fn document(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// One statement that allows actions on resources.
pub fn allow_statement(actions: &[&str], resources: &[&str]) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resources})
}

/// One statement that denies actions on resources.
pub fn deny_statement(actions: &[&str], resources: &[&str]) -> Value {
    json!({"Effect": "Deny", "Action": actions, "Resource": resources})
}

/// A document of one allow statement.
pub fn allow(actions: &[&str], resources: &[&str]) -> Value {
    document(&[allow_statement(actions, resources)])
}

/// Puts the same condition on every statement of a document.
pub fn with_condition(mut document: Value, condition: &Value) -> Value {
    for statement in document.get_mut("Statement").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(statement) = statement.as_object_mut() {
            statement.insert("Condition".to_owned(), condition.clone());
        }
    }
    document
}

// --- trust policies

/// Trusts principals as written in a policy, e.g. `{"AWS": "…"}` or `"*"`, for one action of STS.
pub fn trust(principal: Value, action: &str) -> Value {
    document(&[object([
        ("Effect", "Allow".into()),
        ("Principal", principal),
        ("Action", action.into()),
    ])])
}

/// Trusts a service of AWS, e.g. `lambda.amazonaws.com`.
pub fn trust_service(service: &str) -> Value {
    trust(json!({"Service": service}), "sts:AssumeRole")
}

/// Trusts an account (12 digits) or an ARN.
pub fn trust_aws(principal: &str) -> Value {
    let principal = if principal.starts_with("arn:") {
        principal.to_owned()
    } else {
        format!("arn:aws:iam::{principal}:root")
    };
    trust(json!({"AWS": principal}), "sts:AssumeRole")
}

/// Trusts an account or ARN that must give an external id.
pub fn trust_aws_with_external_id(principal: &str, external_id: &str) -> Value {
    with_condition(trust_aws(principal), &json!({"StringEquals": {"sts:ExternalId": external_id}}))
}

/// Trusts everybody.
pub fn trust_everyone() -> Value {
    trust(json!({"AWS": "*"}), "sts:AssumeRole")
}

/// Trusts tokens of an OIDC issuer (host and path, without scheme) under conditions: operator → claim → value, claims without the issuer.
pub fn trust_oidc(account: &str, issuer: &str, conditions: &[(&str, &str, &str)]) -> Value {
    let mut operators = Map::new();
    for (operator, claim, value) in conditions {
        if let Some(claims) = operators.entry((*operator).to_owned()).or_insert_with(|| json!({})).as_object_mut() {
            claims.insert(format!("{issuer}:{claim}"), Value::from(*value));
        }
    }
    let federated = json!({"Federated": format!("arn:aws:iam::{account}:oidc-provider/{issuer}")});
    let document = trust(federated, "sts:AssumeRoleWithWebIdentity");
    if operators.is_empty() {
        document
    } else {
        with_condition(document, &Value::Object(operators))
    }
}

/// Trusts assertions of a SAML provider, for the AWS console.
pub fn trust_saml(account: &str, provider: &str) -> Value {
    let federated = json!({"Federated": format!("arn:aws:iam::{account}:saml-provider/{provider}")});
    let audience = json!({"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}});
    with_condition(trust(federated, "sts:AssumeRoleWithSAML"), &audience)
}
