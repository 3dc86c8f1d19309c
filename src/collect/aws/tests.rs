//! What happens at the wire, against a server on loopback that answers as told: faults below HTTP that no AWS endpoint can be asked for.
//! Collection from an endpoint that evaluates requests is tested in `e2e/collect.rs`.

mod server;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use self::server::{Reply, Request, ok, refusal, send, serve};
use super::*;
use crate::collect::{Budget, Failure, Secret, missing_permissions};
use crate::snapshot::aws::{Account, section};
use crate::snapshot::{SectionKind, SectionStatus};

const ACCOUNT: &str = "111122223333";
const CANARY: &str = "canary-0f3a";

fn caller(account: &str) -> String {
    format!(
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/ciem</Arn><UserId>AIDAX</UserId>\
         <Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
}

/// A page; `rest` follows the end of the lists.
fn page(lists: &str, rest: &str) -> String {
    format!(
        "<GetAccountAuthorizationDetailsResponse><GetAccountAuthorizationDetailsResult>{lists}{rest}\
         </GetAccountAuthorizationDetailsResult></GetAccountAuthorizationDetailsResponse>"
    )
}

fn roles(names: &[&str]) -> String {
    let member =
        |name: &&str| format!("<member><Arn>arn:aws:iam::{ACCOUNT}:role/{name}</Arn><RoleName>{name}</RoleName><RoleLastUsed/></member>");
    format!(
        "<RoleDetailList>{}</RoleDetailList>",
        names.iter().map(member).collect::<Vec<_>>().concat()
    )
}

/// The right answers of an account with three roles on two pages, and nothing else in it.
fn healthy(request: &Request) -> Reply {
    ok(if request.asks("Action=GetCallerIdentity") {
        caller(ACCOUNT)
    } else if !request.asks("Filter.member.1=Role") {
        page("", "<IsTruncated>false</IsTruncated>")
    } else if request.asks("Marker=m1") {
        page(&roles(&["c"]), "<IsTruncated>false</IsTruncated>")
    } else {
        page(&roles(&["b", "a"]), "<IsTruncated>true</IsTruncated><Marker>m1</Marker>")
    })
}

fn source(url: &str) -> Source {
    let keys = StaticKeys::new(
        Secret::new("AKIAIOSFODNN7EXAMPLE"),
        Secret::new(format!("{CANARY}1")),
        Some(Secret::new(format!("{CANARY}2"))),
    );
    let target = Target {
        account: ACCOUNT.to_owned(),
        partition: "aws".to_owned(),
        regions: Vec::new(),
    };
    let mut source = Source::new(target, CredentialSource::Static(keys.unwrap()));
    source.endpoints = Endpoints::every(url).unwrap();
    source.budget = Budget {
        attempts: 2,
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(20),
        ..Budget::default()
    };
    source
}

fn now() -> Timestamp {
    "2026-11-25T00:00:00Z".parse().unwrap()
}

async fn failing(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> CollectError {
    let error = collect(&source(&serve(script).url), now()).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains(CANARY), "{error}");
    error
}

#[tokio::test]
async fn an_account_over_several_pages() {
    let server = serve(healthy);
    let collection = collect(&source(&server.url), now()).await.unwrap();
    assert_eq!(collection.identity.id, format!("arn:aws:iam::{ACCOUNT}:user/ciem"));
    assert_eq!(
        (collection.identity.scope.as_str(), collection.identity.unique_id.as_str()),
        (ACCOUNT, "AIDAX")
    );
    assert_eq!(collection.failures, []);
    assert_eq!(collection.calls, 6);
    let snapshot = &collection.snapshot;
    assert_eq!((snapshot.scope.as_str(), snapshot.collected_at), (ACCOUNT, Some(now())));
    assert_eq!(snapshot.collector, concat!("ciem ", env!("CARGO_PKG_VERSION")));
    let (account, _) = Account::decode(snapshot).unwrap();
    let names: Vec<String> = account.roles.unwrap().into_iter().map(|role| role.role_name).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(account.users.unwrap().len(), 0);
    for name in section::ALL {
        let section = &snapshot.sections[name];
        let collected = [
            section::USERS,
            section::GROUPS,
            section::ROLES,
            section::POLICIES,
            section::ROLE_LAST_USED,
        ]
        .contains(&name);
        let expected = if collected {
            SectionStatus::Read
        } else {
            SectionStatus::NotAttempted
        };
        assert_eq!((section.status, section.reason.is_none()), (expected, collected), "{name}");
    }
    let last_used = snapshot.sections[section::ROLE_LAST_USED].content.get();
    assert!(
        last_used.starts_with(&format!("{{\"arn:aws:iam::{ACCOUNT}:role/a\":{{}},")),
        "{last_used}"
    );

    // Everything that was sent: signed for the right region and service, the pages asked for as planned, our name in the user agent.
    let requests = server.requests.lock().unwrap();
    assert!(requests.iter().all(|request| request.head.contains("/us-east-1/")), "{requests:?}");
    assert!(
        requests
            .iter()
            .all(|request| request.head.contains(concat!("app/ciem-", env!("CARGO_PKG_VERSION")))),
        "{requests:?}"
    );
    assert!(requests.iter().skip(1).all(|request| request.asks("MaxItems=500")));
}

#[tokio::test]
async fn the_digest_does_not_follow_the_order_of_pages() {
    let turned = |request: &Request| {
        if !request.asks("Filter.member.1=Role") {
            healthy(request)
        } else if request.asks("Marker=m1") {
            ok(page(&roles(&["a", "b"]), "<IsTruncated>false</IsTruncated>"))
        } else {
            ok(page(&roles(&["b", "c"]), "<IsTruncated>true</IsTruncated><Marker>m1</Marker>"))
        }
    };
    let first = collect(&source(&serve(healthy).url), now()).await.unwrap();
    let second = collect(&source(&serve(turned).url), "2026-12-01T00:00:00Z".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(first.snapshot.reference(), second.snapshot.reference());
}

#[tokio::test]
async fn an_empty_account_is_read_and_not_unknown() {
    let empty = |request: &Request| {
        if request.asks("Filter") {
            ok(page("", "<IsTruncated>false</IsTruncated>"))
        } else {
            healthy(request)
        }
    };
    let collection = collect(&source(&serve(empty).url), now()).await.unwrap();
    let last_used = &collection.snapshot.sections[section::ROLE_LAST_USED];
    assert_eq!((last_used.status, last_used.content.get()), (SectionStatus::Read, "{}"));
    assert_eq!(collection.snapshot.sections[section::ROLES].content.get(), "[]");
}

#[tokio::test]
async fn credentials_of_another_account_read_nothing() {
    let server = serve(|_| ok(caller("444455556666")));
    let error = collect(&source(&server.url), now()).await.unwrap_err();
    assert_eq!(
        error,
        CollectError::AccountMismatch {
            expected: ACCOUNT.to_owned(),
            actual: "444455556666".to_owned(),
            caller: "arn:aws:iam::444455556666:user/ciem".to_owned()
        }
    );
    assert_eq!(server.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn faults_of_the_first_call_have_their_names() {
    assert_eq!(
        failing(|_| refusal("InvalidClientTokenId", "invalid")).await.reason(),
        "CredentialsInvalid"
    );
    let echo = format!("The Canonical String for this request should have been 'x-amz-security-token:{CANARY}2'");
    assert_eq!(
        failing(move |_| refusal("SignatureDoesNotMatch", &echo)).await.reason(),
        "CredentialsInvalid"
    );
    assert_eq!(failing(|_| refusal("ExpiredToken", "expired")).await.reason(), "CredentialsExpired");
    assert_eq!(
        failing(|_| refusal("SignatureDoesNotMatch", "Signature expired: then is now earlier than later"))
            .await
            .reason(),
        "ClockSkew"
    );
    assert_eq!(failing(|_| refusal("Throttling", "Rate exceeded")).await.reason(), "Throttled");
    assert_eq!(failing(|_| Reply::Answer(503, "busy".to_owned())).await.reason(), "ServiceFailed");
    assert_eq!(
        failing(|_| Reply::Answer(407, "<html>log in</html>".to_owned())).await.reason(),
        "MalformedAnswer"
    );
    assert_eq!(failing(|_| ok("<html>welcome</html>Response>")).await.reason(), "MalformedAnswer");
    assert_eq!(
        failing(|_| ok("<GetCallerIdentityResponse><GetCallerIdentityResult/></GetCallerIdentityResponse>"))
            .await
            .reason(),
        "MalformedAnswer"
    );
    assert_eq!(failing(|_| Reply::Bytes(Vec::new())).await.reason(), "ConnectionCut");
    assert_eq!(
        failing(|_| Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-".to_vec())).await.reason(),
        "ConnectionCut"
    );
    assert_eq!(
        failing(|_| Reply::Bytes(b"SSH-2.0-x\r\n\r\n".to_vec())).await.reason(),
        "MalformedAnswer"
    );
}

#[tokio::test]
async fn half_an_answer_is_never_taken_for_a_whole_one() {
    let half = || {
        let mut text = page(&roles(&["a", "b"]), "<IsTruncated>false</IsTruncated>");
        text.truncate(text.find("role/b").unwrap());
        text
    };
    for head in ["Content-Length: 100000", "Transfer-Encoding: chunked", "Connection: close"] {
        let server = serve(move |request| {
            if !request.asks("Filter.member.1=Role") {
                return healthy(request);
            }
            let body = if head.contains("chunked") {
                format!("{:x}\r\n{}\r\n", half().len(), half())
            } else {
                half()
            };
            Reply::Bytes(format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n{head}\r\n\r\n{body}").into_bytes())
        });
        let collection = collect(&source(&server.url), now()).await.unwrap();
        let reasons: Vec<_> = collection
            .failures
            .iter()
            .map(|failure| (failure.section, failure.error.reason()))
            .collect();
        assert_eq!(reasons, [("roles", "IncompleteAnswer")], "{head}");
        assert_eq!(collection.snapshot.sections[section::ROLES].content.get(), "[]", "{head}");
        let asked = server
            .requests
            .lock()
            .unwrap()
            .iter()
            .filter(|request| request.asks("Filter.member.1=Role"))
            .count();
        assert_eq!(asked, 2, "{head}: it is asked for again");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_keeps_what_was_read_and_leaves_the_others_whole() {
    let breaking = |request: &Request| {
        if request.asks("Marker=m1") {
            Reply::Bytes(Vec::new())
        } else {
            healthy(request)
        }
    };
    let collection = collect(&source(&serve(breaking).url), now()).await.unwrap();
    let snapshot = &collection.snapshot;
    let status = |name: &str| snapshot.sections[name].status;
    assert_eq!(
        [section::USERS, section::GROUPS, section::POLICIES].map(status),
        [SectionStatus::Read; 3]
    );
    assert_eq!([section::ROLES, section::ROLE_LAST_USED].map(status), [SectionStatus::Partial; 2]);
    assert_eq!(Account::decode(snapshot).unwrap().0.roles.unwrap().len(), 2);
    let reason = snapshot.sections[section::ROLES].reason.clone().unwrap();
    assert!(
        reason.starts_with("ConnectionCut: iam:GetAccountAuthorizationDetails: the connection to http://127.0.0.1:"),
        "{reason}"
    );
    assert_eq!(missing_permissions(snapshot), [""; 0]);
    let whole = collect(&source(&serve(healthy).url), now()).await.unwrap();
    assert_ne!(
        snapshot.digest(SectionKind::Entitlements),
        whole.snapshot.digest(SectionKind::Entitlements)
    );
}

#[tokio::test]
async fn a_denied_call_is_coverage_and_no_failure_of_the_collection() {
    let message = "User: arn:aws:iam::111122223333:user/ciem is not authorized to perform: iam:GetAccountAuthorizationDetails on resource: * \
                   because no identity-based policy allows the iam:GetAccountAuthorizationDetails action";
    let denying = |request: &Request| {
        if request.asks("Filter") {
            refusal("AccessDenied", message)
        } else {
            healthy(request)
        }
    };
    let collection = collect(&source(&serve(denying).url), now()).await.unwrap();
    for name in [
        section::USERS,
        section::GROUPS,
        section::ROLES,
        section::POLICIES,
        section::ROLE_LAST_USED,
    ] {
        let section = &collection.snapshot.sections[name];
        assert_eq!((section.status, section.content.get()), (SectionStatus::Denied, "null"), "{name}");
        assert_eq!(
            section.reason.as_deref(),
            Some(
                "AccessDenied: the caller may not call iam:GetAccountAuthorizationDetails (no identity-based policy allows it): allow it on all resources"
            )
        );
    }
    assert_eq!(missing_permissions(&collection.snapshot), ["iam:GetAccountAuthorizationDetails"]);
    assert_eq!(collection.failures.len(), 4);
    // A denial in the middle keeps what was read and still names the permission.
    let later = |request: &Request| {
        if request.asks("Marker=m1") {
            refusal("AccessDenied", "")
        } else {
            healthy(request)
        }
    };
    let collection = collect(&source(&serve(later).url), now()).await.unwrap();
    assert_eq!(collection.snapshot.sections[section::ROLES].status, SectionStatus::Partial);
    assert_eq!(missing_permissions(&collection.snapshot), ["iam:GetAccountAuthorizationDetails"]);
}

#[tokio::test]
async fn where_nothing_could_be_read_the_collection_fails_with_the_cause() {
    assert_eq!(
        failing(|request| if request.asks("Filter") {
            refusal("ExpiredToken", "")
        } else {
            healthy(request)
        })
        .await
        .reason(),
        "CredentialsExpired"
    );
    assert_eq!(
        failing(|request| if request.asks("Filter") {
            Reply::Answer(500, String::new())
        } else {
            healthy(request)
        })
        .await
        .reason(),
        "ServiceFailed"
    );
}

#[tokio::test]
async fn pages_that_lead_nowhere_are_malformed_and_end() {
    for rest in [
        "<IsTruncated>true</IsTruncated>",
        "<IsTruncated>true</IsTruncated><Marker>m1</Marker>",
    ] {
        let endless = move |request: &Request| {
            if request.asks("Filter.member.1=Role") {
                ok(page(&roles(&["a"]), rest))
            } else {
                healthy(request)
            }
        };
        let collection = collect(&source(&serve(endless).url), now()).await.unwrap();
        assert!(
            matches!(
                collection.failures.as_slice(),
                [Failure {
                    section: "roles",
                    error: CollectError::MalformedAnswer { .. }
                }]
            ),
            "{:?}",
            collection.failures
        );
        assert_eq!(Account::decode(&collection.snapshot).unwrap().0.roles.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_entity_without_an_arn_is_said() {
    let nameless = |request: &Request| {
        if request.asks("Filter.member.1=Group") {
            let list = "<GroupDetailList><member><GroupName>x</GroupName></member></GroupDetailList>";
            ok(page(list, "<IsTruncated>false</IsTruncated>"))
        } else {
            healthy(request)
        }
    };
    let collection = collect(&source(&serve(nameless).url), now()).await.unwrap();
    let section = &collection.snapshot.sections[section::GROUPS];
    assert_eq!((section.status, section.content.get()), (SectionStatus::Partial, "[]"));
    assert!(section.reason.as_deref().unwrap().contains("entities without an ARN: 1"));
    assert_eq!(collection.failures.len(), 1);
}

#[tokio::test]
async fn throttling_that_ends_is_waited_for() {
    let times = AtomicUsize::new(0);
    let server = serve(move |request| {
        let is_last = request.asks("Marker=m1");
        if is_last && times.fetch_add(1, Ordering::SeqCst) < 2 {
            refusal("Throttling", "Rate exceeded")
        } else {
            healthy(request)
        }
    });
    let mut source = source(&server.url);
    source.budget.attempts = 3;
    let collection = collect(&source, now()).await.unwrap();
    assert_eq!(collection.failures, []);
    assert_eq!((collection.calls, server.requests.lock().unwrap().len()), (8, 8));
}

#[tokio::test]
async fn slow_answers_end_at_the_limits() {
    // No answer at all, and one that begins in time and does not end.
    for begun in ["", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n<"] {
        let server = serve(|_| Reply::Stall(begun.as_bytes().to_vec()));
        let mut slow = source(&server.url);
        slow.budget.call_timeout = Duration::from_millis(200);
        let begin = Instant::now();
        let error = collect(&slow, now()).await.unwrap_err();
        assert!(
            matches!(
                error,
                CollectError::Timeout {
                    call: "sts:GetCallerIdentity",
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(begin.elapsed() < Duration::from_secs(3));
    }
    let late = |request: &Request| {
        if request.asks("Filter.member.1=Role") {
            Reply::Stall(Vec::new())
        } else {
            healthy(request)
        }
    };
    let mut source = source(&serve(late).url);
    source.budget.deadline = Duration::from_secs(1);
    let collection = collect(&source, now()).await.unwrap();
    let reasons: Vec<_> = collection
        .failures
        .iter()
        .map(|failure| (failure.section, failure.error.reason()))
        .collect();
    assert_eq!(reasons, [("roles", "DeadlineExceeded")]);
}

#[tokio::test]
async fn the_budget_bounds_requests_and_how_many_run_at_once() {
    let server = serve(healthy);
    let mut few = source(&server.url);
    few.budget.max_calls = 3;
    let collection = collect(&few, now()).await.unwrap();
    assert_eq!(collection.calls, 3);
    assert_eq!(server.requests.lock().unwrap().len(), 3);
    assert!(!collection.failures.is_empty());
    assert!(
        collection
            .failures
            .iter()
            .all(|failure| failure.error.reason() == "BudgetExhausted"),
        "{:?}",
        collection.failures
    );

    for concurrency in [1, 3] {
        let server = serve(|request| Reply::After(Duration::from_millis(50), Box::new(healthy(request))));
        let mut source = source(&server.url);
        source.budget.concurrency = concurrency;
        collect(&source, now()).await.unwrap();
        assert_eq!(server.most_at_once.load(Ordering::SeqCst), concurrency as usize);
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_there() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = collect(&source(&format!("http://127.0.0.1:{port}")), now()).await.unwrap_err();
    assert!(
        matches!(&error, CollectError::Unreachable { detail, .. } if detail.contains("refused")),
        "{error:?}"
    );
    // A server that speaks no TLS.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            send(&mut stream, Reply::Answer(400, "speak HTTP".to_owned()));
        }
    });
    let error = collect(&source(&format!("https://127.0.0.1:{port}")), now()).await.unwrap_err();
    assert!(
        matches!(&error, CollectError::Unreachable { detail, .. } if detail.contains("InvalidContentType")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_source_that_is_wrong_asks_nothing() {
    let server = serve(healthy);
    let mut wrong = source(&server.url);
    wrong.target.account = "12".to_owned();
    assert_eq!(collect(&wrong, now()).await.unwrap_err().reason(), "InvalidSource");
    let mut wrong = source(&server.url);
    wrong.user_agent = "a b".to_owned();
    assert_eq!(collect(&wrong, now()).await.unwrap_err().reason(), "InvalidSource");
    assert_eq!(server.requests.lock().unwrap().len(), 0);
}

/// Lines of a log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_level_shows_a_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // With one subscriber alone, what another test's thread meets first is switched off for all: it asks its own thread's subscriber.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let guard = tracing::subscriber::set_default(subscriber);
    collect(&source(&serve(healthy).url), now()).await.unwrap();
    collect(&source(&serve(|_| refusal("ExpiredToken", "expired")).url), now())
        .await
        .unwrap_err();
    drop(guard);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("GetCallerIdentity"), "nothing was logged");
    assert!(!text.contains(CANARY));
}
