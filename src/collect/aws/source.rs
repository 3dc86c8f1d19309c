//! What to read, with which credentials, where and how much of it.

use std::collections::BTreeMap;

use crate::collect::{Budget, CollectError, Secret};

/// Everything that a collection needs to know. Made in memory for one collection and never serialised: its credentials may be secrets.
#[derive(Debug, Clone)]
pub struct Source {
    /// What to read.
    pub target: Target,
    /// How to obtain credentials.
    pub credentials: CredentialSource,
    /// Where to ask instead of AWS. From trusted configuration only, never from what a tenant wrote.
    pub endpoints: Endpoints,
    /// How much of the API may be used.
    pub budget: Budget,
    /// Product and version, as it stands in the user agent that AWS records: letters, digits, `-`, `.`, `_`.
    pub user_agent: String,
}

impl Source {
    /// A source with the default budget, AWS's own endpoints and this build's name.
    pub fn new(target: Target, credentials: CredentialSource) -> Self {
        Self {
            target,
            credentials,
            endpoints: Endpoints::default(),
            budget: Budget::default(),
            user_agent: concat!("ciem-", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// The account to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// 12 digits.
    pub account: String,
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// Regions to read, for what is regional. The first is where STS is asked; none: the partition's own.
    pub regions: Vec<String>,
}

/// The partitions with the region that signs for their global services (IAM); the names of the SDK's endpoint rules.
const PARTITIONS: [(&str, &str); 8] = [
    ("aws", "us-east-1"),
    ("aws-cn", "cn-north-1"),
    ("aws-us-gov", "us-gov-west-1"),
    ("aws-eusc", "eusc-de-east-1"),
    ("aws-iso", "us-iso-east-1"),
    ("aws-iso-b", "us-isob-east-1"),
    ("aws-iso-e", "eu-isoe-west-1"),
    ("aws-iso-f", "us-isof-south-1"),
];

impl Target {
    /// Refuses what can't be an account, partition or region; a region becomes part of a host name.
    pub(super) fn check(&self) -> Result<(), CollectError> {
        let wrong = |what| Err(CollectError::InvalidSource { what });
        if self.account.len() != 12 || !self.account.bytes().all(|byte| byte.is_ascii_digit()) {
            return wrong(format!("'{}' is no account id: write its 12 digits", self.account));
        }
        if self.home_region().is_none() {
            let known: Vec<&str> = PARTITIONS.iter().map(|(name, _)| *name).collect();
            return wrong(format!("'{}' is no partition: use one of {}", self.partition, known.join(", ")));
        }
        let is_region = |name: &str| {
            name.contains('-')
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        match self.regions.iter().find(|region| !is_region(region)) {
            Some(region) => wrong(format!("'{region}' is no region: write it like eu-central-1")),
            None => Ok(()),
        }
    }

    /// Where the partition's global services are signed for; `None` for a partition that is not known.
    pub(super) fn home_region(&self) -> Option<&'static str> {
        PARTITIONS
            .iter()
            .find(|(name, _)| *name == self.partition)
            .map(|(_, region)| *region)
    }
}

/// Says how to obtain credentials. Only what was handed over in memory is held, behind a type that can't be printed or serialised.
#[derive(Debug, Clone)]
pub enum CredentialSource {
    /// What the process finds around it: environment, profile, web identity token file, container or instance metadata. The only
    /// variant for which any of these is read.
    Ambient,
    /// Keys handed over in memory, e.g. out of a Secret that the operator read.
    Static(StaticKeys),
}

/// A key pair, with a session token where the keys are temporary.
#[derive(Clone)]
pub struct StaticKeys {
    pub(super) access_key_id: Secret,
    pub(super) secret_access_key: Secret,
    pub(super) session_token: Option<Secret>,
}

impl StaticKeys {
    /// # Errors
    /// A part is empty or holds blanks, line ends or other characters that no key has: `InvalidSource`, naming the part and not its text.
    pub fn new(access_key_id: Secret, secret_access_key: Secret, session_token: Option<Secret>) -> Result<Self, CollectError> {
        let parts = [
            ("access key id", Some(&access_key_id)),
            ("secret access key", Some(&secret_access_key)),
            ("session token", session_token.as_ref()),
        ];
        for (name, part) in parts {
            let Some(text) = part.map(Secret::expose) else { continue };
            let what = if text.is_empty() {
                format!("the {name} is empty: write it, or leave it out where it is optional")
            } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                format!(
                    "the {name} holds blanks, a line end or other characters that no key has: write it without them (`printf`, not `echo`)"
                )
            } else {
                continue;
            };
            return Err(CollectError::InvalidSource { what });
        }
        Ok(Self {
            access_key_id,
            secret_access_key,
            session_token,
        })
    }
}

impl std::fmt::Debug for StaticKeys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("StaticKeys([redacted])")
    }
}

/// A service that the collector asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Security Token Service.
    Sts,
    /// Identity and Access Management.
    Iam,
}

/// Where services are asked instead of at AWS. Empty: AWS's own endpoints of the partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    every: Option<String>,
    service: BTreeMap<Service, String>,
}

impl Endpoints {
    /// One URL for all services.
    ///
    /// # Errors
    /// As [`Endpoints::with`].
    pub fn every(url: &str) -> Result<Self, CollectError> {
        check_url(url)?;
        Ok(Self {
            every: Some(url.to_owned()),
            service: BTreeMap::new(),
        })
    }

    /// Another URL for one service.
    ///
    /// # Errors
    /// It is no `https` URL (`http` is for this machine only: session tokens would cross the network in the clear), or it holds a user
    /// name, a query or a fragment.
    pub fn with(mut self, service: Service, url: &str) -> Result<Self, CollectError> {
        check_url(url)?;
        self.service.insert(service, url.to_owned());
        Ok(self)
    }

    pub(super) fn of(&self, service: Service) -> Option<&str> {
        self.service.get(&service).or(self.every.as_ref()).map(String::as_str)
    }
}

fn check_url(url: &str) -> Result<(), CollectError> {
    let wrong = |why: &str| {
        Err(CollectError::InvalidSource {
            what: format!("endpoint '{url}' {why}"),
        })
    };
    let Some((scheme, rest)) = url.split_once("://") else {
        return wrong("is no URL: write it like https://iam.example.com");
    };
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.is_empty() || rest.contains(['@', '?', '#']) || !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
        return wrong("must be scheme, host, port and path alone");
    }
    match scheme {
        "https" => Ok(()),
        "http" if is_loopback(authority) => Ok(()),
        "http" => wrong("is not encrypted: use https, or a loopback address"),
        _ => wrong("must begin with https://"),
    }
}

/// Whether `host[:port]` is this machine.
fn is_loopback(authority: &str) -> bool {
    if let Some(address) = authority.strip_prefix('[') {
        return address
            .split(']')
            .next()
            .is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok_and(|ip| ip.is_loopback()));
    }
    let host = authority.split(':').next().unwrap_or_default();
    host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests;
