//! The endpoint, asked by the same SDK that the product collects with.

use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_iam::error::ProvideErrorMetadata;

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// An account with 250 roles and a user who may read it and assume the roles.
fn account(id: &str, key: &str) -> Value {
    let trust = json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": id}, "Action": "sts:AssumeRole"}});
    let roles: Vec<_> = (0..250)
        .map(|n| {
            json!({
                "Arn": format!("arn:aws:iam::{id}:role/team/r{n:03}"),
                "AssumeRolePolicyDocument": trust,
                "CreateDate": "2020-02-03T04:05:06Z",
                "AttachedManagedPolicies": [{"PolicyArn": "arn:aws:iam::aws:policy/SecurityAudit"}],
            })
        })
        .collect();
    let actions = ["iam:GetAccountAuthorizationDetails", "sts:AssumeRole"];
    let policy = json!({"Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"}});
    json!({
        "AccountId": id,
        "RoleDetailList": roles,
        "UserDetailList": [{
            "Arn": format!("arn:aws:iam::{id}:user/auditor"),
            "UserPolicyList": [{"PolicyName": "read", "PolicyDocument": policy}],
        }],
        "accessKeys": [{"UserName": "auditor", "AccessKeyId": key, "SecretAccessKey": SECRET}],
    })
}

async fn clients(endpoint: &AwsEndpoint, credentials: Credentials, retry: RetryConfig) -> (aws_sdk_sts::Client, aws_sdk_iam::Client) {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint.url())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
        .retry_config(retry)
        .load()
        .await;
    (aws_sdk_sts::Client::new(&config), aws_sdk_iam::Client::new(&config))
}

fn credentials(key: &str, secret: &str) -> Credentials {
    Credentials::new(key, secret, None, None, "test")
}

fn code<T, E: ProvideErrorMetadata>(answer: Result<T, E>) -> String {
    match answer {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.code().unwrap_or("no answer").to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_read_in_pages_past_throttling() -> Result<()> {
    let (id, key) = ("101010101010", "AKIAPAGESPAGESPAGES0");
    let endpoint = shared().await?;
    let made = endpoint.seed(&account(id, key)).await?;
    assert_eq!(made["accounts"][id], json!({"users": 1, "roles": 250, "accessKeys": 1}));
    let (sts, iam) = clients(endpoint, credentials(key, SECRET), RetryConfig::standard()).await;
    let identity = sts.get_caller_identity().send().await?;
    assert_eq!(identity.account(), Some(id));
    assert_eq!(identity.arn(), Some(format!("arn:aws:iam::{id}:user/auditor").as_str()));

    let action = "GetAccountAuthorizationDetails";
    endpoint
        .inject(&Fault {
            account: Some(id.to_owned()),
            count: 2,
            skip: 1,
            ..Fault::new(FaultKind::Throttling, action)
        })
        .await?;
    let mut pages = iam.get_account_authorization_details().into_paginator().send();
    let (mut sizes, mut roles, mut policies) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(page) = pages.next().await {
        let page = page?;
        sizes.push(page.user_detail_list().len() + page.role_detail_list().len() + page.policies().len());
        roles.extend(page.role_detail_list().to_vec());
        policies.extend(page.policies().to_vec());
    }
    assert_eq!(sizes, [100, 100, 52]);
    assert_eq!((roles.len(), policies.len()), (250, 1));
    assert_eq!(roles[7].role_name(), Some("r007"));
    assert_eq!(roles[7].create_date().unwrap().to_string(), "2020-02-03T04:05:06Z");
    let document = roles[7].assume_role_policy_document().unwrap();
    assert!(document.starts_with("%7B%22Statement%22%3A"), "{document}");
    assert_eq!(
        (policies[0].policy_name(), policies[0].attachment_count()),
        (Some("SecurityAudit"), Some(250))
    );

    let calls = endpoint.calls_of(id).await?;
    let outcomes: Vec<_> = calls
        .iter()
        .filter(|call| call.action == action)
        .map(|call| (call.status, call.error.as_deref()))
        .collect();
    let (right, throttled) = ((Some(200), None), (Some(400), Some("Throttling")));
    assert_eq!(outcomes, [right, throttled, throttled, right, right]);
    assert!(calls.iter().all(|call| call.access_key_id.as_deref() == Some(key)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_checked_and_sessions_work() -> Result<()> {
    let (id, key) = ("202020202020", "AKIACHECKCHECKCHECK0");
    let endpoint = shared().await?;
    endpoint.seed(&account(id, key)).await?;
    let ask = async |credentials: Credentials| clients(endpoint, credentials, RetryConfig::standard()).await;

    let (sts, _) = ask(credentials(key, "wrong")).await;
    assert_eq!(code(sts.get_caller_identity().send().await), "SignatureDoesNotMatch");
    let (sts, _) = ask(credentials("AKIANOBODYNOBODYNOBO", SECRET)).await;
    assert_eq!(code(sts.get_caller_identity().send().await), "InvalidClientTokenId");

    let (sts, iam) = ask(credentials(key, SECRET)).await;
    let denied = iam.list_users().send().await.unwrap_err();
    assert_eq!(denied.code(), Some("AccessDenied"));
    let text = denied.message().unwrap();
    assert!(
        text.contains("is not authorized to perform: iam:ListUsers on resource: * because no identity-based"),
        "{text}"
    );

    let role = format!("arn:aws:iam::{id}:role/team/r000");
    let assumed = sts.assume_role().role_arn(role).role_session_name("audit").send().await?;
    let given = assumed.credentials().unwrap();
    let session = Credentials::new(
        given.access_key_id(),
        given.secret_access_key(),
        Some(given.session_token().to_owned()),
        None,
        "test",
    );
    let (sts, iam) = ask(session).await;
    let arn = format!("arn:aws:sts::{id}:assumed-role/r000/audit");
    assert_eq!(sts.get_caller_identity().send().await?.arn(), Some(arn.as_str()));
    assert_eq!(code(iam.list_users().send().await), "ok");
    assert_eq!(code(iam.create_user().user_name("x").send().await), "AccessDenied");

    endpoint.reset(id).await?;
    assert_eq!(code(sts.get_caller_identity().send().await), "InvalidClientTokenId");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_reaches_the_sdk() -> Result<()> {
    let (id, key) = ("303030303030", "AKIAFAULTFAULTFAULT0");
    let endpoint = shared().await?;
    endpoint.seed(&account(id, key)).await?;
    let (_, iam) = clients(endpoint, credentials(key, SECRET), RetryConfig::disabled()).await;
    let fault = |kind| Fault {
        account: Some(id.to_owned()),
        ..Fault::new(kind, "GetAccountAuthorizationDetails")
    };
    for (kind, expected) in [
        (FaultKind::Throttling, "Throttling"),
        (FaultKind::AccessDenied, "AccessDenied"),
        (FaultKind::ExpiredToken, "ExpiredToken"),
        (FaultKind::InvalidClientTokenId, "InvalidClientTokenId"),
        (FaultKind::ServiceFailure, "ServiceFailure"),
        (FaultKind::ServiceUnavailable, "ServiceUnavailable"),
        (FaultKind::Cut, "no answer"),
        (FaultKind::HalfAnswer, "no answer"),
        (FaultKind::Slow, "ok"),
    ] {
        let delay_milliseconds = if kind == FaultKind::Slow { 700 } else { 0 };
        let fault = Fault {
            delay_milliseconds,
            ..fault(kind)
        };
        endpoint.inject(&fault).await?;
        let begin = std::time::Instant::now();
        let answer = iam.get_account_authorization_details().send().await;
        assert_eq!(code(answer), expected, "{kind:?}");
        assert!(begin.elapsed() >= Duration::from_millis(delay_milliseconds));
        assert_eq!(code(iam.get_account_authorization_details().send().await), "ok", "after {kind:?}");
    }
    endpoint.inject(&fault(FaultKind::AccessDenied)).await?;
    endpoint.clear_faults(id).await?;
    assert_eq!(code(iam.get_account_authorization_details().send().await), "ok");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_refuses_bad_input_and_ends_with_its_owner_or_by_its_script() -> Result<()> {
    let mut endpoint = AwsEndpoint::start().await?;
    let error = endpoint.seed(&json!({"AccountId": "1"})).await.unwrap_err().to_string();
    assert!(error.contains("AccountId: '1' is not twelve digits"), "{error}");
    assert_eq!(endpoint.calls().await?, []);
    assert_eq!(endpoint.process().log()?.trim(), endpoint.url());
    let process = endpoint.process().identity();
    drop(endpoint);
    assert!(!process.lives());

    let mut endpoint = AwsEndpoint::start().await?;
    let process = endpoint.process().identity();
    let stop = endpoint.leave_running()?;
    drop(endpoint);
    assert!(process.lives());
    assert!(Command::new("sh").arg(stop).status()?.success());
    assert!(!process.lives());
    Ok(())
}
