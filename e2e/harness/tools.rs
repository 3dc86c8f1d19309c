//! Where the binaries of the control plane come from.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// A folder with etcd, kube-apiserver, kube-controller-manager and kubectl.
#[derive(Debug, Clone)]
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// The folder that `KUBEBUILDER_ASSETS` names, else the one that `e2e/tools/build` makes (some minutes, once).
    pub async fn locate() -> Result<Self> {
        if let Some(folder) = std::env::var_os("KUBEBUILDER_ASSETS") {
            return Self::in_folder(Path::new(&folder)).context("KUBEBUILDER_ASSETS is set");
        }
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/tools/build"));
        tokio::task::spawn_blocking(move || Self::build(&mut command)).await?
    }

    /// Ready binaries; an error names each that is missing.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let missing: Vec<_> = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"]
            .into_iter()
            .filter(|name| !folder.join(name).is_file())
            .collect();
        if !missing.is_empty() {
            bail!("{} lacks {}", folder.display(), missing.join(", "));
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// Runs the build script; an error is the last line it said.
    pub fn build(command: &mut Command) -> Result<Self> {
        let mut script = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run e2e/tools/build")?;
        let mut said = String::new();
        if let Some(stderr) = script.stderr.take() {
            for line in BufReader::new(stderr).lines() {
                said = line?;
                // Not eprintln, which the test runner would keep to itself: somebody waits here for minutes.
                writeln!(std::io::stderr(), "{said}")?;
            }
        }
        let output = script.wait_with_output()?;
        if !output.status.success() {
            bail!("no control plane to test with ({}): {said}", output.status);
        }
        Self::in_folder(Path::new(String::from_utf8(output.stdout)?.trim()))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}
