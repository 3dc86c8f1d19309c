//! Collection from the local AWS endpoint: what was put into an account comes out of it, and each thing that goes wrong has its name.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ciem::collect::aws::{CredentialSource, Endpoints, Source, StaticKeys, Target, collect};
use ciem::collect::{Budget, CollectError, Collection, Secret, missing_permissions};
use ciem::snapshot::aws::{Origin, section, snapshot_of};
use ciem::snapshot::{SectionKind, SectionStatus, Snapshot};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::harness::aws::{AwsEndpoint, Fault, FaultKind, shared};

const DETAILS: &str = "GetAccountAuthorizationDetails";
const CANARY: &str = "canary0f3a";

/// What the parts of an account give: a reader that may do what collection needs, and its key.
struct Account {
    id: &'static str,
    key: String,
    secret: String,
}

impl Account {
    /// Each test has an account of its own in the shared endpoint.
    fn new(id: &'static str) -> Self {
        Self {
            id,
            key: format!("AKIA{id}READ"),
            secret: format!("{CANARY}{id}"),
        }
    }

    /// The lists of an account file, with the reader, who may do `action`.
    fn seed(&self, action: &str, lists: &Value) -> Value {
        let mut seed = lists.clone();
        let reader = json!({
            "Arn": format!("arn:aws:iam::{}:user/reader", self.id), "UserName": "reader", "UserId": "AIDAREADER", "Path": "/",
            "CreateDate": "2026-01-01T00:00:00Z", "GroupList": [], "AttachedManagedPolicies": [], "Tags": [],
            "UserPolicyList": [{"PolicyName": "read", "PolicyDocument": {
                "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}}]
        });
        match seed["UserDetailList"].as_array_mut() {
            Some(users) => users.push(reader),
            None => seed["UserDetailList"] = json!([reader]),
        }
        seed["AccountId"] = json!(self.id);
        seed
    }

    /// The same with the reader's key, which is in no list.
    fn seed_with_key(&self, action: &str, lists: &Value) -> Value {
        let mut seed = self.seed(action, lists);
        seed["accessKeys"] = json!([{"UserName": "reader", "AccessKeyId": self.key, "SecretAccessKey": self.secret}]);
        seed["administratorKeys"] = json!([{"AccessKeyId": format!("AKIA{}ROOT", self.id), "SecretAccessKey": "administrator"}]);
        seed
    }

    fn source(&self, endpoint: &AwsEndpoint) -> Source {
        self.source_with(endpoint, &self.key, &self.secret)
    }

    fn source_with(&self, endpoint: &AwsEndpoint, key: &str, secret: &str) -> Source {
        let keys = StaticKeys::new(Secret::new(key), Secret::new(secret), None).unwrap();
        let target = Target {
            account: self.id.to_owned(),
            partition: "aws".to_owned(),
            regions: vec!["eu-central-1".to_owned()],
        };
        let mut source = Source::new(target, CredentialSource::Static(keys));
        source.endpoints = Endpoints::every(endpoint.url()).unwrap();
        source.budget = Budget {
            attempts: 3,
            first_pause: Duration::from_millis(10),
            longest_pause: Duration::from_millis(50),
            call_timeout: Duration::from_secs(20),
            ..Budget::default()
        };
        source
    }
}

/// What reading an account needs.
const ENOUGH: &str = "iam:GetAccountAuthorizationDetails";

fn now() -> Timestamp {
    "2026-11-25T00:00:00Z".parse().unwrap()
}

/// A seeded account of its own for a test.
async fn account(id: &'static str, action: &str, lists: &Value) -> Result<(&'static AwsEndpoint, Account)> {
    let endpoint = shared().await?;
    let account = Account::new(id);
    endpoint.seed(&account.seed_with_key(action, lists)).await?;
    Ok((endpoint, account))
}

fn reasons(collection: &Collection) -> Vec<(&'static str, &'static str)> {
    collection
        .failures
        .iter()
        .map(|failure| (failure.section, failure.error.reason()))
        .collect()
}

fn digests(snapshot: &Snapshot) -> (String, String) {
    (snapshot.digest(SectionKind::Entitlements), snapshot.digest(SectionKind::Usage))
}

fn role(id: &str, name: &str) -> Value {
    json!({
        "Arn": format!("arn:aws:iam::{id}:role/{name}"), "RoleName": name, "Path": "/", "CreateDate": "2026-01-01T00:00:00Z",
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{id}:root")}, "Action": "sts:AssumeRole"}]}
    })
}

fn roles(id: &str, count: usize) -> Value {
    json!({"RoleDetailList": (0..count).map(|number| role(id, &format!("r{number:05}"))).collect::<Vec<_>>()})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_an_account_is_what_is_collected() -> Result<()> {
    let id = "210000000001";
    let policy = format!("arn:aws:iam::{id}:policy/team/own");
    let edge = format!("arn:aws:iam::{id}:policy/edge");
    let lists = json!({
        "UserDetailList": [{
            "Arn": format!("arn:aws:iam::{id}:user/people/ann"), "UserName": "ann", "UserId": "AIDAANN", "Path": "/people/",
            "CreateDate": "2024-02-29T12:34:56Z", "GroupList": ["ops", "devs"],
            "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement":
                [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::grüße/${aws:username}/a+b%20c/*"}]}}],
            "AttachedManagedPolicies": [{"PolicyName": "own", "PolicyArn": policy}],
            "PermissionsBoundary": {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": edge},
            "Tags": [{"Key": "team", "Value": "a & <b>"}, {"Key": "cost", "Value": ""}]
        }],
        "GroupDetailList": [
            {"Arn": format!("arn:aws:iam::{id}:group/ops"), "GroupName": "ops", "GroupId": "AGPAOPS", "Path": "/", "CreateDate": "2024-01-01T00:00:00Z",
             "GroupPolicyList": [], "AttachedManagedPolicies": [{"PolicyName": "own", "PolicyArn": policy}]},
            {"Arn": format!("arn:aws:iam::{id}:group/devs"), "GroupName": "devs", "GroupId": "AGPADEVS", "Path": "/", "CreateDate": "2024-01-01T00:00:00Z",
             "GroupPolicyList": [{"PolicyName": "odd", "PolicyDocument": "this is no JSON: {"}], "AttachedManagedPolicies": []}
        ],
        "RoleDetailList": [{
            "Arn": format!("arn:aws:iam::{id}:role/app"), "RoleName": "app", "RoleId": "AROAAPP", "Path": "/", "CreateDate": "2025-01-01T00:00:00Z",
            "AssumeRolePolicyDocument": {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]},
            "RolePolicyList": [], "AttachedManagedPolicies": [], "Tags": [{"Key": "k", "Value": "v"}],
            "PermissionsBoundary": {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": edge},
            "InstanceProfileList": [{
                "Arn": format!("arn:aws:iam::{id}:instance-profile/app"), "InstanceProfileName": "app", "InstanceProfileId": "AIPAAPP", "Path": "/",
                "CreateDate": "2025-01-01T00:00:00Z",
                "Roles": [{"Arn": format!("arn:aws:iam::{id}:role/app"), "RoleName": "app", "RoleId": "AROAAPP", "Path": "/", "CreateDate": "2025-01-01T00:00:00Z",
                    "AssumeRolePolicyDocument": {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}]
            }],
            "RoleLastUsed": {"LastUsedDate": "2026-11-01T02:03:04Z", "Region": "eu-west-1"}
        }],
        "Policies": [{
            "Arn": policy, "PolicyName": "own", "PolicyId": "ANPAOWN", "Path": "/team/", "DefaultVersionId": "v10", "AttachmentCount": 2,
            "PermissionsBoundaryUsageCount": 0, "IsAttachable": true, "CreateDate": "2023-01-01T00:00:00Z", "UpdateDate": "2023-06-01T00:00:00Z",
            "PolicyVersionList": [
                {"VersionId": "v10", "IsDefaultVersion": true, "CreateDate": "2023-06-01T00:00:00Z", "Document": {"Statement": {"Effect": "Deny", "NotAction": "*", "Resource": "*"}}},
                {"VersionId": "v9", "IsDefaultVersion": false, "CreateDate": "2023-01-01T00:00:00Z", "Document": {"Statement": []}}
            ]
        }]
    });
    let (endpoint, account) = account(id, ENOUGH, &lists).await?;
    let collection = collect(&account.source(endpoint), now()).await?;
    assert_eq!(reasons(&collection), []);
    assert_eq!(collection.identity.id, format!("arn:aws:iam::{id}:user/reader"));
    assert_eq!(
        (collection.identity.scope.as_str(), collection.identity.unique_id.as_str()),
        (id, "AIDAREADER")
    );

    // The same account as a file: section by section the same text.
    let origin = Origin {
        collector: String::new(),
        source: String::new(),
        at: None,
    };
    let file = snapshot_of(&account.seed(ENOUGH, &lists).to_string(), "seed", origin)?;
    for name in [
        section::USERS,
        section::GROUPS,
        section::ROLES,
        section::POLICIES,
        section::ROLE_LAST_USED,
    ] {
        let (read, given) = (&collection.snapshot.sections[name], &file.sections[name]);
        assert_eq!(read.content.get(), given.content.get(), "{name}");
        assert_eq!(
            (read.status, read.source.as_str(), read.at),
            (SectionStatus::Read, "iam:GetAccountAuthorizationDetails", Some(now()))
        );
    }
    for name in [section::RESOURCES, section::ORGANIZATION, section::CREDENTIAL_REPORT] {
        assert_eq!(collection.snapshot.sections[name].status, SectionStatus::NotAttempted, "{name}");
    }
    assert_eq!(missing_permissions(&collection.snapshot), [""; 0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_roles_come_in_pages_and_an_unchanged_account_has_the_same_digest() -> Result<()> {
    let id = "210000000002";
    let (endpoint, account) = account(id, ENOUGH, &roles(id, 2000)).await?;
    let begin = Instant::now();
    let first = collect(&account.source(endpoint), now()).await?;
    println!("2,000 roles: {:.1} s, {} requests", begin.elapsed().as_secs_f64(), first.calls);
    assert_eq!(reasons(&first), []);
    // Who am I, four pages of roles, one page of each other kind.
    let calls = endpoint.calls_of(id).await?;
    assert_eq!((first.calls, calls.len()), (8, 8));
    let names: std::collections::BTreeMap<&str, usize> = calls.iter().fold(std::collections::BTreeMap::new(), |mut counts, call| {
        *counts.entry(call.action.as_str()).or_default() += 1;
        counts
    });
    assert_eq!(names, [("GetCallerIdentity", 1), (DETAILS, 7)].into());
    let read: Vec<Value> = serde_json::from_str(first.snapshot.sections[section::ROLES].content.get())?;
    assert_eq!(read.len(), 2000);

    // Later, in pages of another size, one call after the other: the same account.
    let mut source = account.source(endpoint);
    source.budget.page_size = 130;
    source.budget.concurrency = 1;
    let second = collect(&source, "2026-11-26T00:00:00Z".parse()?).await?;
    assert_eq!(second.calls, 1 + 16 + 3);
    assert_eq!(digests(&second.snapshot), digests(&first.snapshot));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_rights_and_a_use_of_them_are_told_apart() -> Result<()> {
    let id = "210000000003";
    let (endpoint, account) = account(id, ENOUGH, &roles(id, 3)).await?;
    let source = account.source(endpoint);
    let before = digests(&collect(&source, now()).await?.snapshot);

    let mut used = account.seed_with_key(ENOUGH, &roles(id, 3));
    used["RoleDetailList"][1]["RoleLastUsed"] = json!({"LastUsedDate": "2026-11-24T00:00:00Z", "Region": "us-east-1"});
    endpoint.seed(&used).await?;
    let after_use = digests(&collect(&source, now()).await?.snapshot);
    assert_eq!(after_use.0, before.0);
    assert_ne!(after_use.1, before.1);

    used["RoleDetailList"][1]["Tags"] = json!([{"Key": "k", "Value": "v"}]);
    endpoint.seed(&used).await?;
    let after_change = digests(&collect(&source, now()).await?.snapshot);
    assert_ne!(after_change.0, after_use.0);
    assert_eq!(after_change.1, after_use.1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_not_good_enough() -> Result<()> {
    let id = "210000000004";
    let (endpoint, account) = account(id, ENOUGH, &json!({})).await?;
    let failure = async |key: &str, secret: &str| collect(&account.source_with(endpoint, key, secret), now()).await.unwrap_err();
    for error in [
        failure("AKIANOBODYSKEY000000", &account.secret).await,
        failure(&account.key, "canary0f3awrong").await,
    ] {
        assert!(
            matches!(
                error,
                CollectError::CredentialsInvalid {
                    call: "sts:GetCallerIdentity",
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(error.is_user_error() && error.is_credential_error());
        assert!(!format!("{error} {error:?}").contains(CANARY), "{error}");
    }
    // Right keys of somebody else: nothing but the question who that is was asked.
    let mut source = account.source(endpoint);
    source.target.account = "210000000099".to_owned();
    let asked = endpoint.calls_of(id).await?.len();
    let error = collect(&source, now()).await.unwrap_err();
    assert_eq!(
        error,
        CollectError::AccountMismatch {
            expected: "210000000099".to_owned(),
            actual: id.to_owned(),
            caller: format!("arn:aws:iam::{id}:user/reader")
        }
    );
    assert_eq!(endpoint.calls_of(id).await?.len(), asked + 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_coverage() -> Result<()> {
    let id = "210000000005";
    let (endpoint, account) = account(id, "iam:ListUsers", &roles(id, 3)).await?;
    let collection = collect(&account.source(endpoint), now()).await?;
    for name in [
        section::USERS,
        section::GROUPS,
        section::ROLES,
        section::POLICIES,
        section::ROLE_LAST_USED,
    ] {
        let section = &collection.snapshot.sections[name];
        assert_eq!((section.status, section.content.get()), (SectionStatus::Denied, "null"), "{name}");
        let reason = section.reason.as_deref().context("no reason")?;
        assert!(
            reason.starts_with("AccessDenied: the caller may not call iam:GetAccountAuthorizationDetails (no identity-based policy"),
            "{reason}"
        );
    }
    assert_eq!(missing_permissions(&collection.snapshot), ["iam:GetAccountAuthorizationDetails"]);
    assert!(collection.failures.iter().all(|failure| failure.error.is_user_error()));
    assert_eq!(collection.failures.len(), 4);
    // With the permission it is whole again, without anything else being done.
    endpoint.seed(&account.seed_with_key(ENOUGH, &roles(id, 3))).await?;
    assert_eq!(reasons(&collect(&account.source(endpoint), now()).await?), []);
    Ok(())
}

/// Spoils calls of an account's reader.
fn fault(kind: FaultKind, action: &str, account: &Account, skip: u32, count: u32) -> Fault {
    Fault {
        account: Some(account.id.to_owned()),
        skip,
        count,
        ..Fault::new(kind, action)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_by_itself_is_waited_for() -> Result<()> {
    let id = "210000000006";
    let (endpoint, account) = account(id, ENOUGH, &roles(id, 3)).await?;
    let source = account.source(endpoint);
    let whole = digests(&collect(&source, now()).await?.snapshot);
    for kind in [
        FaultKind::Throttling,
        FaultKind::ServiceUnavailable,
        FaultKind::ServiceFailure,
        FaultKind::Cut,
        FaultKind::HalfAnswer,
    ] {
        endpoint.inject(&fault(kind, DETAILS, &account, 1, 2)).await?;
        let collection = collect(&source, now()).await?;
        assert_eq!(reasons(&collection), [], "{kind:?}");
        assert_eq!(collection.calls, 7, "{kind:?}: five requests and two repetitions");
        assert_eq!(digests(&collection.snapshot), whole, "{kind:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_pass_has_its_name() -> Result<()> {
    let id = "210000000007";
    let (endpoint, account) = account(id, ENOUGH, &roles(id, 3)).await?;
    let mut source = account.source(endpoint);
    source.budget.call_timeout = Duration::from_millis(700);
    for (kind, message, reason) in [
        (FaultKind::Throttling, None, "Throttled"),
        (FaultKind::ExpiredToken, None, "CredentialsExpired"),
        (FaultKind::InvalidClientTokenId, None, "CredentialsInvalid"),
        (
            FaultKind::InvalidClientTokenId,
            Some("Signature expired: 20261125T000000Z is now earlier than 20261125T010000Z"),
            "ClockSkew",
        ),
        (FaultKind::ServiceFailure, None, "ServiceFailed"),
        (FaultKind::Cut, None, "ConnectionCut"),
        (FaultKind::HalfAnswer, None, "IncompleteAnswer"),
        (FaultKind::Slow, None, "Timeout"),
    ] {
        for action in ["GetCallerIdentity", DETAILS] {
            let mut fault = fault(kind, action, &account, 0, 1000);
            fault.message = message.map(str::to_owned);
            fault.delay_milliseconds = if kind == FaultKind::Slow { 3000 } else { 0 };
            endpoint.inject(&fault).await?;
            let error = collect(&source, now()).await.unwrap_err();
            assert_eq!(error.reason(), reason, "{kind:?} of {action}");
            assert!(error.to_string().contains(action), "{error}");
            assert!(!format!("{error} {error:?}").contains(CANARY), "{error}");
            endpoint.clear_faults(id).await?;
        }
    }
    // And nothing of it stays.
    source.budget.call_timeout = Duration::from_secs(20);
    assert_eq!(reasons(&collect(&source, now()).await?), []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_fails_midway_leaves_what_was_read() -> Result<()> {
    let id = "210000000008";
    let (endpoint, account) = account(id, ENOUGH, &roles(id, 250)).await?;
    let mut source = account.source(endpoint);
    source.budget.page_size = 100;
    source.budget.concurrency = 1;
    for (kind, reason) in [
        (FaultKind::Throttling, "Throttled"),
        (FaultKind::Cut, "ConnectionCut"),
        (FaultKind::HalfAnswer, "IncompleteAnswer"),
        (FaultKind::ExpiredToken, "CredentialsExpired"),
        (FaultKind::AccessDenied, "AccessDenied"),
    ] {
        // One request at a time, and every kind's first page before the second page of roles: the fifth call.
        endpoint.inject(&fault(kind, DETAILS, &account, 4, 1000)).await?;
        let collection = collect(&source, now()).await?;
        endpoint.clear_faults(id).await?;
        assert_eq!(reasons(&collection), [("roles", reason)]);
        let section = &collection.snapshot.sections[section::ROLES];
        let read: Vec<Value> = serde_json::from_str(section.content.get())?;
        assert_eq!((section.status, read.len()), (SectionStatus::Partial, 100), "{kind:?}");
        assert!(
            section.reason.as_deref().unwrap_or_default().starts_with(&format!("{reason}: ")),
            "{:?}",
            section.reason
        );
        assert_eq!(collection.snapshot.sections[section::ROLE_LAST_USED].status, SectionStatus::Partial);
        assert_eq!(collection.snapshot.sections[section::USERS].status, SectionStatus::Read);
        assert_eq!(
            missing_permissions(&collection.snapshot).len(),
            usize::from(reason == "AccessDenied")
        );
    }
    Ok(())
}

/// How a child process learns what to do: `static` or `ambient`, URL, account, key id, secret; one a line.
const CHILD: &str = "CIEM_E2E_COLLECT";

/// Collects in an environment that the test below chose, and prints what came of it.
#[tokio::test]
async fn child() -> Result<()> {
    let Some(orders) = std::env::var_os(CHILD) else {
        return Ok(());
    };
    let orders = orders.into_string().unwrap();
    let [mode, url, account, key, secret] = orders.lines().collect::<Vec<_>>()[..] else {
        anyhow::bail!("orders: {orders}");
    };
    let credentials = match mode {
        "ambient" => CredentialSource::Ambient,
        _ => CredentialSource::Static(StaticKeys::new(Secret::new(key), Secret::new(secret), None)?),
    };
    let target = Target {
        account: account.to_owned(),
        partition: "aws".to_owned(),
        regions: Vec::new(),
    };
    let mut source = Source::new(target, credentials);
    source.endpoints = Endpoints::every(url)?;
    match collect(&source, now()).await {
        Ok(collection) => println!("collected as {}, failures {:?}", collection.identity.id, reasons(&collection)),
        Err(error) => println!("failed: {}", error.reason()),
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_counts_for_ambient_credentials_alone() -> Result<()> {
    let id = "210000000009";
    let (endpoint, account) = account(id, ENOUGH, &roles(id, 3)).await?;
    let run = async |mode: &str, environment: Vec<(&'static str, String)>| {
        let orders = [mode, endpoint.url(), id, &account.key, &account.secret].join("\n");
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--exact", "collect::child", "--nocapture"]);
        command
            .env_clear()
            .env(CHILD, orders)
            .envs(environment)
            .env("AWS_EC2_METADATA_DISABLED", "true");
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        anyhow::Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let good = format!("collected as arn:aws:iam::{id}:user/reader, failures []");
    let keys = vec![
        ("AWS_ACCESS_KEY_ID", account.key.clone()),
        ("AWS_SECRET_ACCESS_KEY", account.secret.clone()),
    ];

    // Keys handed over: whatever else stands in the environment, and whatever it points to.
    let elsewhere = [
        ("AWS_ACCESS_KEY_ID", "AKIANOBODYSKEY000000"),
        ("AWS_SECRET_ACCESS_KEY", "wrong"),
        ("AWS_SESSION_TOKEN", "wrong"),
        ("AWS_PROFILE", "nobody"),
        ("AWS_CONFIG_FILE", "/nonexistent"),
        ("AWS_REGION", "mars-north-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ENDPOINT_URL_IAM", "http://127.0.0.1:9"),
        ("AWS_MAX_ATTEMPTS", "0"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
    ];
    let elsewhere = elsewhere.map(|(name, value)| (name, value.to_owned())).to_vec();
    let output = run("static", elsewhere).await?;
    assert!(output.contains(&good), "{output}");

    // Ambient: the keys of the environment; endpoint and region are still the source's.
    let mut environment = keys;
    environment.push(("AWS_ENDPOINT_URL", "http://127.0.0.1:9".to_owned()));
    let output = run("ambient", environment).await?;
    assert!(output.contains(&good), "{output}");
    let output = run("ambient", vec![]).await?;
    assert!(output.contains("failed: CredentialsNotFound"), "{output}");
    Ok(())
}
