use aws_smithy_types::error::metadata::ErrorMetadata;

use super::*;

fn place(budget: &Budget) -> Place<'_> {
    Place {
        call: "iam:GetAccountAuthorizationDetails",
        endpoint: "IAM",
        budget,
    }
}

fn answer(code: &str, message: &str, status: u16) -> CollectError {
    let error = ErrorMetadata::builder().code(code).message(message).build();
    refused(&error, status, &place(&Budget::default()))
}

#[test]
fn codes_have_their_names() {
    for (code, message, status, reason) in [
        (
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
            403,
            "CredentialsInvalid",
        ),
        (
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match",
            403,
            "CredentialsInvalid",
        ),
        (
            "SignatureDoesNotMatch",
            "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z",
            403,
            "ClockSkew",
        ),
        (
            "InvalidSignatureException",
            "Signature not yet current: 20260101T000000Z is still later",
            400,
            "ClockSkew",
        ),
        ("RequestTimeTooSkewed", "", 403, "ClockSkew"),
        ("UnrecognizedClientException", "", 400, "CredentialsInvalid"),
        (
            "ExpiredToken",
            "The security token included in the request is expired",
            403,
            "CredentialsExpired",
        ),
        ("AccessDenied", "", 403, "AccessDenied"),
        ("Throttling", "Rate exceeded", 400, "Throttled"),
        ("RequestLimitExceeded", "", 503, "Throttled"),
        ("ServiceFailure", "", 500, "ServiceFailed"),
        ("ServiceUnavailable", "", 503, "ServiceFailed"),
        ("ValidationError", "", 400, "Rejected"),
    ] {
        assert_eq!(answer(code, message, status).reason(), reason, "{code}");
    }
}

#[test]
fn a_denial_says_which_layer_stopped_it_and_not_whose_session() {
    let denied = "User: arn:aws:sts::111122223333:assumed-role/ciem/session-17 is not authorized to perform: X on resource: *";
    for (rest, why) in [
        (
            " because no identity-based policy allows the X action",
            "no identity-based policy allows it",
        ),
        (
            " because no permissions boundary allows the X action",
            "no permissions boundary allows it",
        ),
        (
            " with an explicit deny in a service control policy",
            "explicit deny: service control policy",
        ),
        (" with an explicit deny", "explicit deny"),
        ("", "AWS does not say which policy stops it"),
    ] {
        let error = answer("AccessDenied", &format!("{denied}{rest}"), 403);
        assert_eq!(
            error.to_string(),
            format!("the caller may not call iam:GetAccountAuthorizationDetails ({why}): allow it on all resources")
        );
        assert_eq!(error.missing_permission(), Some("iam:GetAccountAuthorizationDetails"));
    }
}

#[test]
fn texts_of_the_provider_are_not_passed_on() {
    let canary = "canary-0f3a";
    for code in [
        "SignatureDoesNotMatch",
        "AccessDenied",
        "ExpiredToken",
        "Throttling",
        "ValidationError",
        "InternalFailure",
    ] {
        let message = format!("explicit deny in a session policy; x-amz-security-token:{canary}\n{canary}");
        let error = answer(code, &message, 400);
        assert!(!format!("{error} {error:?}").contains(canary), "{error}");
    }
    // Nor does a code that is no code get through as it is.
    let error = answer("A code?\nwith <b>text</b>", "", 400);
    assert!(error.to_string().contains("(Acodewithbtextb)"), "{error}");
}

#[test]
fn credentials_that_can_not_be_fetched() {
    let budget = Budget::default();
    let name = |error| no_credentials(&error, &place(&budget));
    assert_eq!(name(CredentialsError::not_loaded_no_source()).reason(), "CredentialsNotFound");
    assert_eq!(
        name(CredentialsError::provider_timed_out(std::time::Duration::from_secs(5))).reason(),
        "Unreachable"
    );
    let no_file = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
    let error = name(CredentialsError::invalid_configuration(no_file));
    assert_eq!(
        error,
        CollectError::CredentialsNotFound {
            detail: "no such file".to_owned()
        }
    );
    let denied = AssumeRoleWithWebIdentityError::generic(ErrorMetadata::builder().code("AccessDenied").build());
    assert_eq!(name(CredentialsError::provider_error(denied)).reason(), "AccessDenied");
    let expired = AssumeRoleError::generic(ErrorMetadata::builder().code("ExpiredTokenException").build());
    assert_eq!(name(CredentialsError::provider_error(expired)).reason(), "CredentialsExpired");
}

#[test]
fn causes_are_one_bounded_line() {
    let error = std::io::Error::other(format!("first\nsecond {}", "x".repeat(1000)));
    let text = cause(&error);
    assert!(text.starts_with("first second x") && text.chars().count() == DETAIL_LIMIT, "{text}");
}
