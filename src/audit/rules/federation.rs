//! Trust in `OpenID` Connect issuers.

use std::collections::BTreeMap;

use super::trust::{meant, problem};
use super::{Judgement, Setting, Subject};
use crate::access::{Trust, Trusted};
use crate::audit::condition::{Fact, How, requires};
use crate::catalogue::Issuers;

/// AWS-MAP-04: tokens of an issuer are accepted without a condition that fixes whose they are. What fixes it is in
/// `catalogue/issuers.yaml`; one finding for each issuer, as each needs its own condition. SAML providers are not meant: their users
/// are chosen at the provider.
pub fn unscoped(subject: &Subject<'_>, setting: &Setting<'_>) -> Judgement {
    let mut open: BTreeMap<&str, Vec<&Trust>> = BTreeMap::new();
    let (trusts, gaps) = meant(subject, |from| matches!(from, Trusted::Federated { issuer: Some(_), .. }));
    for trust in trusts {
        if let Trusted::Federated { issuer: Some(issuer), .. } = &trust.from
            && !requires(trust.residual.as_ref(), &|fact| fixes_owner(setting.issuers, issuer, fact))
        {
            open.entry(issuer).or_default().push(trust);
        }
    }
    let problems = open.into_iter().map(|(issuer, trusts)| problem(issuer, issuer.to_owned(), &trusts));
    Judgement {
        problems: problems.collect(),
        gaps,
    }
}

/// Whether a comparison of one of the issuer's claims fixes whose token it is. The key is `issuer:claim`; the same claim of another issuer
/// says nothing.
fn fixes_owner(issuers: &Issuers, issuer: &str, fact: Fact<'_>) -> bool {
    let claim_of = |key: &str| {
        let (own, claim) = key.split_at_checked(issuer.len())?;
        own.eq_ignore_ascii_case(issuer)
            .then(|| claim.strip_prefix(':').map(str::to_owned))
            .flatten()
    };
    match fact {
        // Every token has a subject, so a branch for tokens without one is never taken.
        Fact::Absent { key } => claim_of(key).is_some_and(|claim| claim.eq_ignore_ascii_case("sub")),
        Fact::Is { key, how, values } => claim_of(key).is_some_and(|claim| {
            values
                .iter()
                .all(|value| !value.contains("${") && issuers.fixes_owner(issuer, &claim, value, how == How::Literal))
        }),
    }
}
