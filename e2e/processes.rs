//! What a test starts ends with it, and nothing else does.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::harness::process::{ProcessIdentity, Program, Supervisor};
use crate::harness::suite::repository;
use crate::harness::wait::eventually;

/// Writes a script that can be executed at once. By another process: while this one holds the file open for writing, another
/// test's fork may inherit that, and then the kernel refuses to execute it ("text file busy").
pub fn write_script(path: &Path, text: &str) -> Result<()> {
    let status = Command::new("sh")
        .args(["-c", r#"printf '%s' "$2" >"$1" && chmod +x "$1""#, "sh"])
        .arg(path)
        .arg(text)
        .status()?;
    anyhow::ensure!(status.success(), "cannot write {}", path.display());
    Ok(())
}

fn shell(name: &str, script: &str) -> Program {
    Program {
        name: name.to_owned(),
        binary: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        environment: vec![("GIVEN".to_owned(), "yes".into())],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_supervisor_ends_its_processes_and_removes_its_folder() -> Result<()> {
    let mut supervisor = Supervisor::new()?;
    let folder = supervisor.directory().to_owned();
    let obedient = supervisor.spawn(&shell("obedient", "exec sleep 1000"))?;
    let stubborn = supervisor.spawn(&shell("stubborn", "trap '' TERM; echo deaf; while :; do sleep 1; done"))?;
    eventually(Duration::from_secs(10), "the stubborn process", async || {
        Ok(stubborn.log()?.contains("deaf").then_some(()))
    })
    .await?;
    let processes = supervisor.processes();
    assert_eq!(processes.len(), 3);
    assert!(processes.contains(&obedient.identity()) && processes.iter().all(|process| process.lives()));
    tokio::task::spawn_blocking(move || drop(supervisor)).await?;
    assert_eq!(processes.iter().filter(|process| process.lives()).count(), 0);
    assert!(!folder.exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_them_too() -> Result<()> {
    let (tell, told) = std::sync::mpsc::channel();
    let panicked = std::thread::spawn(move || {
        let mut supervisor = Supervisor::new().unwrap();
        let process = supervisor.spawn(&shell("sleeper", "exec sleep 1000")).unwrap();
        tell.send(process.identity()).unwrap();
        panic!("on purpose");
    })
    .join();
    assert!(panicked.is_err());
    assert!(!told.recv()?.lives());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_running_ends_by_its_script() -> Result<()> {
    let mut supervisor = Supervisor::new()?;
    let folder = supervisor.directory().to_owned();
    let process = supervisor.spawn(&shell("sleeper", "exec sleep 1000"))?;
    let identity = process.identity();
    let script = supervisor.leave_running()?;
    drop(supervisor);
    assert!(identity.lives() && folder.exists());
    assert!(Command::new("sh").arg(script).status()?.success());
    assert!(!identity.lives() && !folder.exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_used_again_is_not_signalled() -> Result<()> {
    let mut stranger = Command::new("sleep").arg("1000").spawn()?;
    let folder = tempfile::tempdir()?;
    let gone = folder.path().join("gone");
    std::fs::create_dir(&gone)?;
    let mut watchdog = Command::new("sh")
        .arg(repository().join("e2e/harness/watchdog.sh"))
        .arg(&gone)
        .stdin(Stdio::piped())
        .spawn()?;
    let mut pipe = watchdog.stdin.take().context("no pipe")?;
    writeln!(pipe, "{} 1", stranger.id())?;
    drop(pipe);
    assert!(watchdog.wait()?.success());
    assert!(!gone.exists());
    assert!(stranger.try_wait()?.is_none());
    stranger.kill()?;
    stranger.wait()?;
    assert_eq!(ProcessIdentity::of(stranger.id()), None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_sees_a_clean_environment() -> Result<()> {
    let mut supervisor = Supervisor::new()?;
    let mut process = supervisor.spawn(&shell("environment", "env; pwd; cat"))?;
    assert!(process.wait(Duration::from_secs(10)).await?.success());
    let log = process.log()?;
    let mut names: Vec<_> = log.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    // Some shells add these themselves.
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    names.sort_unstable();
    assert_eq!(names, ["GIVEN", "HOME", "PATH"]);
    assert_eq!(log.lines().last().map(Path::new), Some(supervisor.directory()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_program_is_told_with_its_last_words() -> Result<()> {
    let mut supervisor = Supervisor::new()?;
    let mut process = supervisor.spawn(&shell("failing", "echo first; echo last words >&2; exit 3"))?;
    assert_eq!(process.wait(Duration::from_secs(10)).await?.code(), Some(3));
    let error = process.check_running().unwrap_err().to_string();
    assert!(
        error.contains("failing has ended (exit status: 3)") && error.contains("last words"),
        "{error}"
    );
    assert_eq!(process.last_lines(1), "    last words\n");
    assert!(process.signal("TERM").is_err());
    assert_eq!(process.kill()?.code(), Some(3));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_stop_and_go_on_and_end_by_signal() -> Result<()> {
    use std::os::unix::process::ExitStatusExt as _;
    let mut supervisor = Supervisor::new()?;
    let mut process = supervisor.spawn(&shell("counting", "while :; do echo tick; sleep 0.05; done"))?;
    eventually(Duration::from_secs(10), "a tick", async || {
        Ok(process.log()?.contains("tick").then_some(()))
    })
    .await?;
    process.signal("STOP")?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let stopped = process.log()?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(process.log()?, stopped);
    process.signal("CONT")?;
    eventually(Duration::from_secs(10), "another tick", async || {
        Ok((process.log()?.len() > stopped.len()).then_some(()))
    })
    .await?;
    assert_eq!(process.kill()?.signal(), Some(9));
    let mut another = supervisor.spawn(&shell("sleeper", "exec sleep 1000"))?;
    another.signal("TERM")?;
    assert_eq!(another.wait(Duration::from_secs(10)).await?.signal(), Some(15));
    Ok(())
}

#[tokio::test]
async fn waiting_in_vain_says_for_what_and_the_last_error() {
    let error = eventually(Duration::from_millis(50), "rain", async || Ok(None::<()>))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "not within 50ms: rain");
    let error = eventually::<()>(Duration::from_millis(50), "rain", async || anyhow::bail!("a clear sky"))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "not within 50ms: rain: a clear sky");
}
