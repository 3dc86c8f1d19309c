use jiff::Timestamp;
use super::fetch::AccountDetails;
use crate::collect::Failure;
use crate::snapshot::Snapshot;
pub(super) fn assemble(account: &str, now: Timestamp, details: AccountDetails) -> (Snapshot, Vec<Failure>) {
    let _ = (account, now, details.users.entities.to_list(), details.users.entities.nameless);
    todo!()
}
