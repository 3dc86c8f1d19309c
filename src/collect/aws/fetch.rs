//! What is asked of AWS: which calls, in which order, page by page.

use aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput;
use aws_sdk_iam::types::EntityType;

use super::client::Session;
use super::decode::{self, Entities};
use super::source::Service;
use crate::collect::{CollectError, Identity};

/// The call, and the permission that it needs (none: everybody may ask who they are).
const CALLER: &str = "sts:GetCallerIdentity";

/// The call, and the permission that it needs.
pub(super) const DETAILS: &str = "iam:GetAccountAuthorizationDetails";

/// Who is asking.
pub(super) async fn caller(session: &Session) -> Result<Identity, CollectError> {
    let answer = session
        .call(Service::Sts, CALLER, Box::pin(session.sts.get_caller_identity().send()))
        .await?;
    match (answer.arn, answer.account, answer.user_id) {
        (Some(id), Some(scope), Some(unique_id)) => Ok(Identity { id, scope, unique_id }),
        _ => Err(session.malformed(Service::Sts, CALLER, "it lacks Arn, Account or UserId")),
    }
}

/// One kind of entity, as far as it could be read.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// What was read.
    pub entities: Entities,
    /// What ended the reading too early.
    pub failure: Option<CollectError>,
}

/// What GetAccountAuthorizationDetails tells.
#[derive(Debug)]
pub(super) struct AccountDetails {
    pub users: Listing,
    pub groups: Listing,
    pub roles: Listing,
    pub policies: Listing,
}

impl AccountDetails {
    /// The failure that kept everything from being read. A denial is none: it is a fact about the caller's rights, and coverage.
    pub fn hopeless(&self) -> Option<&CollectError> {
        let listings = [&self.users, &self.groups, &self.roles, &self.policies];
        let nothing_read = listings
            .iter()
            .all(|listing| listing.failure.is_some() && listing.entities.by_arn.is_empty());
        let mut failures = listings.iter().filter_map(|listing| listing.failure.as_ref());
        if nothing_read {
            failures.find(|failure| failure.missing_permission().is_none())
        } else {
            None
        }
    }
}

/// Reads users, groups, roles and policies, each as a stream of its own: one that breaks leaves the others whole, and they are read at
/// the same time as far as the budget allows.
pub(super) async fn account_details(session: &Session) -> AccountDetails {
    let (users, groups, roles, policies) = tokio::join!(
        listing(session, &[EntityType::User], |page, entities| entities
            .extend(page.user_detail_list, decode::user)),
        listing(session, &[EntityType::Group], |page, entities| entities
            .extend(page.group_detail_list, decode::group)),
        listing(session, &[EntityType::Role], |page, entities| entities
            .extend(page.role_detail_list, decode::role)),
        listing(
            session,
            &[EntityType::LocalManagedPolicy, EntityType::AwsManagedPolicy],
            |page, entities| {
                entities.extend(page.policies, decode::policy);
            }
        ),
    );
    AccountDetails {
        users,
        groups,
        roles,
        policies,
    }
}

async fn listing(session: &Session, kinds: &[EntityType], take: impl Fn(GetAccountAuthorizationDetailsOutput, &mut Entities)) -> Listing {
    let mut entities = Entities::default();
    let failure = pages(session, kinds, |page| take(page, &mut entities)).await.err();
    Listing { entities, failure }
}

/// Gives every page to `take`, in order, until the last one or the first failure.
async fn pages(
    session: &Session,
    kinds: &[EntityType],
    mut take: impl FnMut(GetAccountAuthorizationDetailsOutput),
) -> Result<(), CollectError> {
    let mut marker: Option<String> = None;
    loop {
        let request = session
            .iam
            .get_account_authorization_details()
            .set_filter(Some(kinds.to_vec()))
            .max_items(i32::from(session.budget.page_size.clamp(1, 1000)))
            .set_marker(marker.clone());
        let page = session.call(Service::Iam, DETAILS, Box::pin(request.send())).await?;
        let next = page.is_truncated.then(|| page.marker.clone());
        take(page);
        match next {
            None => return Ok(()),
            Some(Some(next)) if marker.as_ref() != Some(&next) => marker = Some(next),
            Some(_) => return Err(session.malformed(Service::Iam, DETAILS, "more pages follow, but it does not say how to ask for them")),
        }
    }
}
