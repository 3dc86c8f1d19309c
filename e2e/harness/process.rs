//! Processes that a test or the demo starts, and the certainty that they end with it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::wait::eventually;

const WATCHDOG: &str = include_str!("watchdog.sh");

/// A temporary folder, closed to other users, and the processes that work in it. When it is dropped, and also when this program is killed, a
/// small watchdog shell ends exactly these processes (TERM, after 1 s KILL) and removes the folder.
pub struct Supervisor {
    directory: PathBuf,
    watchdog: Child,
    /// Its end is the signal; what is written tells which processes there are.
    pipe: Option<ChildStdin>,
    started: Vec<ProcessIdentity>,
}

/// A program to start. It sees this environment, PATH and HOME (the supervisor's folder), nothing else: no cloud
/// credentials and no kubeconfig of the person who runs the tests.
pub struct Program {
    /// Names the log file.
    pub name: String,
    pub binary: PathBuf,
    pub arguments: Vec<OsString>,
    pub environment: Vec<(String, OsString)>,
}

/// A process, told from later ones that get the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessIdentity {
    pub pid: u32,
    /// Clock ticks from the machine's start to the process's (field 22 of `/proc/PID/stat`).
    start: u64,
}

/// A running program of a [`Supervisor`].
pub struct Process {
    name: String,
    child: Child,
    identity: ProcessIdentity,
    log: PathBuf,
}

impl Supervisor {
    pub fn new() -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("ciem-e2e-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()?
            .keep();
        // A group of its own: an interrupt from the terminal must not reach the watchdog before its work is done.
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "ciem-e2e-watchdog"])
            .arg(&directory)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start sh")?;
        let pipe = watchdog.stdin.take();
        Ok(Self {
            directory,
            watchdog,
            pipe,
            started: Vec::new(),
        })
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts a program; its output goes to `NAME.log` in the folder, after what is there already.
    pub fn spawn(&mut self, program: &Program) -> Result<Process> {
        let log = self.directory.join(format!("{}.log", program.name));
        let output = OpenOptions::new().create(true).append(true).open(&log)?;
        // The program begins only after the watchdog knows it: a kill of ours in between ends the waiting shell.
        let mut child = Command::new("sh")
            .args(["-c", r#"read -r _ && exec "$@" </dev/null"#, &program.name])
            .arg(&program.binary)
            .args(&program.arguments)
            .current_dir(&self.directory)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.directory)
            .envs(program.environment.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", program.name))?;
        let identity = ProcessIdentity::of(child.id()).context("the new process cannot be seen in /proc")?;
        let pipe = self.pipe.as_mut().context("the supervisor has ended")?;
        writeln!(pipe, "{} {}", identity.pid, identity.start).context("the watchdog is gone")?;
        self.started.push(identity);
        let mut gate = child.stdin.take().context("the new process has no input")?;
        writeln!(gate, "go")?;
        Ok(Process {
            name: program.name.clone(),
            child,
            identity,
            log,
        })
    }

    /// Every process started here, ended ones too, and the watchdog.
    pub fn processes(&self) -> Vec<ProcessIdentity> {
        self.started
            .iter()
            .copied()
            .chain(ProcessIdentity::of(self.watchdog.id()))
            .collect()
    }

    /// Lets everything run on after this program and returns the script that ends it and removes the folder.
    pub fn leave_running(&mut self) -> Result<PathBuf> {
        let watchdog = self.directory.join("watchdog.sh");
        fs::write(&watchdog, WATCHDOG)?;
        let list = self.directory.join("processes");
        let mut lines = File::create(&list)?;
        for process in &self.started {
            writeln!(lines, "{} {}", process.pid, process.start)?;
        }
        let stop = self.directory.join("stop");
        fs::write(
            &stop,
            format!(
                "exec sh '{}' '{}' <'{}'\n",
                watchdog.display(),
                self.directory.display(),
                list.display()
            ),
        )?;
        let mut pipe = self.pipe.take().context("the supervisor has ended")?;
        writeln!(pipe, "leave").context("the watchdog is gone")?;
        Ok(stop)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.pipe = None;
        // Only waits: the watchdog itself bounds how long the ends take.
        if let Err(error) = self.watchdog.wait() {
            eprintln!("the watchdog of {} cannot be waited for: {error}", self.directory.display());
        }
    }
}

impl ProcessIdentity {
    /// Nothing when there is no such process, or only its remains (a zombie).
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may hold anything, so count from behind it: state is field 3, the start time field 22.
        let (_, fields) = stat.rsplit_once(") ")?;
        let mut fields = fields.split(' ');
        if fields.next()? == "Z" {
            return None;
        }
        Some(Self {
            pid,
            start: fields.nth(18)?.parse().ok()?,
        })
    }

    /// Whether this very process still runs.
    pub fn lives(self) -> bool {
        Self::of(self.pid) == Some(self)
    }
}

impl Process {
    pub fn identity(&self) -> ProcessIdentity {
        self.identity
    }

    /// Everything it has printed so far (and earlier processes of the same name in the same folder).
    pub fn log(&self) -> Result<String> {
        let bytes = fs::read(&self.log).with_context(|| format!("cannot read {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The end of its log, for error messages.
    pub fn last_lines(&self, count: usize) -> String {
        let log = self.log().unwrap_or_else(|error| format!("{error:#}"));
        let lines: Vec<_> = log.lines().collect();
        let last = lines.split_at(lines.len().saturating_sub(count)).1;
        format!(
            "    {}
",
            last.join(
                "
    "
            )
        )
    }

    /// The status, once it has exited.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// An error with the end of the log, once it has exited.
    pub fn check_running(&mut self) -> Result<()> {
        match self.exited()? {
            None => Ok(()),
            Some(status) => bail!("{} has ended ({status}):\n{}", self.name, self.last_lines(20)),
        }
    }

    pub async fn wait(&mut self, timeout: Duration) -> Result<ExitStatus> {
        eventually(timeout, &format!("the end of {}", self.name), async || self.exited()).await
    }

    /// `kill -9`; returns when it is over.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        if self.exited()?.is_none() {
            self.child.kill()?;
        }
        Ok(self.child.wait()?)
    }

    /// Sends a signal by name (`TERM`, `STOP`, `CONT`). An error when the process has ended.
    pub fn signal(&mut self, name: &str) -> Result<()> {
        // Not waited for, so the number is still its own.
        self.check_running()?;
        let status = Command::new("sh")
            .args(["-c", r#"kill -s "$1" "$2""#, "kill", name, &self.identity.pid.to_string()])
            .status()?;
        if status.success() {
            Ok(())
        } else {
            bail!("cannot send {name} to {}", self.name)
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The supervisor ends it; here its remains are collected where it is over already.
        drop(self.child.try_wait());
    }
}
