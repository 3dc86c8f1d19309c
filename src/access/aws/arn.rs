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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_part_holds_the_rest() {
        let arn = Arn::parse("arn:aws:logs:eu-west-1:111111111111:log-group:a:b").unwrap();
        assert_eq!(
            (arn.service, arn.region, arn.account, arn.resource),
            ("logs", "eu-west-1", "111111111111", "log-group:a:b")
        );
        for text in ["", "arn", "arn:aws:s3::", "x:aws:s3:::b", "*"] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn accounts_are_twelve_digits() {
        assert_eq!(account_of("111111111111"), Some("111111111111"));
        assert_eq!(account_of("arn:aws:iam::111111111111:root"), Some("111111111111"));
        assert_eq!(account_of("arn:aws:iam::aws:policy/X"), None);
        assert_eq!(account_of("AIDAXXXXXXXX"), None);
    }
}
