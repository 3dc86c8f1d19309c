//! Amazon resource names: `arn:partition:service:region:account:resource`.

/// The six parts of an ARN. The last holds everything after the fifth colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: &'a str,
    /// `s3`, `iam`.
    pub service: &'a str,
    /// `eu-west-1`; empty for global services.
    pub region: &'a str,
    /// 12 digits; empty where the service leaves it out; `aws` for what AWS owns.
    pub account: &'a str,
    /// What stands after the fifth colon.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits an ARN; none where the text is no ARN.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next() != Some("arn") {
            return None;
        }
        Some(Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        })
    }
}

/// Whether a text is an account number.
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Account of a principal that is written as account number or as an IAM or STS ARN.
pub fn account_of(text: &str) -> Option<&str> {
    if is_account_id(text) {
        return Some(text);
    }
    Arn::parse(text).map(|arn| arn.account).filter(|account| is_account_id(account))
}
