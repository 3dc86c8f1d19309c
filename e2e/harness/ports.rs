//! Ports on loopback.

use std::fs::File;
use std::io::Read as _;
use std::net::TcpListener;

use anyhow::{Result, bail};

/// The first port and how many. They lie below the range that the kernel takes for outgoing connections: in that range a
/// client that reconnects while its server restarts could be given the server's very port.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// A port of 127.0.0.1 that nobody listens on now. Somebody may be faster than the caller to take it.
pub fn free_port() -> Result<u16> {
    let start = u16::from_le_bytes(random()?) % COUNT;
    for offset in (start..COUNT).chain(0..start) {
        if TcpListener::bind(("127.0.0.1", FIRST + offset)).is_ok() {
            return Ok(FIRST + offset);
        }
    }
    bail!("no free port between {FIRST} and {} on 127.0.0.1", FIRST + COUNT)
}

/// Bytes that nobody can guess.
pub fn random<const LENGTH: usize>() -> Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
