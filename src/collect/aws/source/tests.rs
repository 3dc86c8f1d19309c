use super::*;

fn target(account: &str, partition: &str, regions: &[&str]) -> Target {
    Target {
        account: account.to_owned(),
        partition: partition.to_owned(),
        regions: regions.iter().map(|&region| region.to_owned()).collect(),
    }
}

#[test]
fn targets_are_checked_at_their_place() {
    for (target, text) in [
        (
            target("12345678901", "aws", &[]),
            "'12345678901' is no account id: write its 12 digits",
        ),
        (
            target("12345678901a", "aws", &[]),
            "'12345678901a' is no account id: write its 12 digits",
        ),
        (
            target("111122223333", "aws-mars", &[]),
            "'aws-mars' is no partition: use one of aws, aws-cn, aws-us-gov, aws-eusc, aws-iso, aws-iso-b, aws-iso-e, aws-iso-f",
        ),
        (
            target("111122223333", "aws", &["eu-west-1", "evil.example.com/x"]),
            "'evil.example.com/x' is no region: write it like eu-central-1",
        ),
        (
            target("111122223333", "aws", &["Europe"]),
            "'Europe' is no region: write it like eu-central-1",
        ),
    ] {
        let error = target.check().unwrap_err();
        assert_eq!((error.reason(), error.to_string().as_str()), ("InvalidSource", text));
        assert!(error.is_user_error());
    }
    target("012345678901", "aws-us-gov", &["us-gov-east-1"]).check().unwrap();
    assert_eq!(target("012345678901", "aws-cn", &[]).home_region(), Some("cn-north-1"));
}

#[test]
fn endpoints_are_encrypted_or_of_this_machine() {
    for url in [
        "https://iam.example.com",
        "https://iam.example.com:8443/path",
        "http://127.0.0.1:5000",
        "http://[::1]:5000/",
        "http://localhost:1",
    ] {
        assert_eq!(Endpoints::every(url).unwrap().of(Service::Iam), Some(url));
    }
    for (url, why) in [
        ("iam.example.com", "is no URL: write it like https://iam.example.com"),
        ("ftp://127.0.0.1", "must begin with https://"),
        ("http://iam.example.com", "is not encrypted: use https, or a loopback address"),
        ("http://127.0.0.1.example.com", "is not encrypted: use https, or a loopback address"),
        ("http://127.0.0.1@example.com", "must be scheme, host, port and path alone"),
        ("https://", "must be scheme, host, port and path alone"),
        ("https://example.com?x", "must be scheme, host, port and path alone"),
        ("https://example.com x", "must be scheme, host, port and path alone"),
    ] {
        assert_eq!(Endpoints::every(url).unwrap_err().to_string(), format!("endpoint '{url}' {why}"));
    }
}

#[test]
fn one_service_may_have_an_endpoint_of_its_own() {
    let endpoints = Endpoints::every("https://a.example.com")
        .unwrap()
        .with(Service::Sts, "https://b.example.com")
        .unwrap();
    assert_eq!(endpoints.of(Service::Iam), Some("https://a.example.com"));
    assert_eq!(endpoints.of(Service::Sts), Some("https://b.example.com"));
    assert_eq!(Endpoints::default().of(Service::Sts), None);
    Endpoints::default().with(Service::Iam, "http://example.com").unwrap_err();
}

const CANARY: &str = "canary-0f3a";

#[test]
fn keys_that_no_key_looks_like_are_refused_without_being_shown() {
    let secret = |text: &str| Secret::new(format!("{CANARY}{text}"));
    for (keys, part) in [
        (StaticKeys::new(secret("\n"), secret(""), None), "access key id"),
        (StaticKeys::new(secret(""), secret(" "), None), "secret access key"),
        (StaticKeys::new(secret(""), secret(""), Some(secret("ü"))), "session token"),
        (StaticKeys::new(secret(""), Secret::new(""), None), "secret access key"),
    ] {
        let error = keys.unwrap_err();
        assert!(error.to_string().starts_with(&format!("the {part} ")), "{error}");
        assert!(!format!("{error} {error:?}").contains(CANARY));
    }
}

#[test]
fn debug_output_of_a_source_holds_no_secret() {
    let keys = StaticKeys::new(
        Secret::new(format!("{CANARY}1")),
        Secret::new(format!("{CANARY}2")),
        Some(Secret::new(format!("{CANARY}3"))),
    )
    .unwrap();
    assert_eq!(keys.secret_access_key.expose(), format!("{CANARY}2"));
    let source = Source::new(target("111122223333", "aws", &[]), CredentialSource::Static(keys.clone()));
    for text in [
        format!("{source:?}"),
        format!("{source:#?}"),
        format!("{keys:?}"),
        format!("{:?}", keys.session_token),
    ] {
        assert!(!text.contains(CANARY), "{text}");
        assert!(text.contains("[redacted]"), "{text}");
    }
}
