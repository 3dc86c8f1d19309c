//! A server on loopback that answers as a script says, also what no HTTP server would.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longer than any limit of a test.
const LONG: Duration = Duration::from_secs(20);

/// One request as far as scripts look at it.
#[derive(Debug, Clone)]
pub struct Request {
    pub head: String,
    pub body: String,
}

impl Request {
    pub fn asks(&self, text: &str) -> bool {
        self.body.contains(text)
    }
}

/// What the server does with a request. It closes the connection afterwards.
pub enum Reply {
    /// Status and body, with the body's length.
    Answer(u16, String),
    /// These bytes and no more.
    Bytes(Vec<u8>),
    /// Nothing for a while, then that.
    After(Duration, Box<Reply>),
    /// These bytes, and then nothing with the connection open.
    Stall(Vec<u8>),
}

pub struct Server {
    pub url: String,
    pub requests: Arc<Mutex<Vec<Request>>>,
    pub most_at_once: Arc<AtomicUsize>,
}

/// The threads end with the test process.
pub fn serve(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let most_at_once = Arc::new(AtomicUsize::new(0));
    let server = Server {
        url,
        requests: Arc::clone(&requests),
        most_at_once: Arc::clone(&most_at_once),
    };
    let script = Arc::new(script);
    let at_once = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (script, requests, at_once, most) = (
                Arc::clone(&script),
                Arc::clone(&requests),
                Arc::clone(&at_once),
                Arc::clone(&most_at_once),
            );
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let Some((head, body)) = receive(&mut stream) else { return };
                most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let request = {
                    let mut requests = requests.lock().unwrap();
                    let request = Request { head, body };
                    requests.push(request.clone());
                    request
                };
                send(&mut stream, script(&request));
                at_once.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    server
}

fn receive(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).ok().filter(|&count| count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
        if body.len() >= length.unwrap_or(0) {
            return Some((head.to_ascii_lowercase(), body.to_owned()));
        }
    }
}

pub fn send(stream: &mut TcpStream, reply: Reply) {
    // The client may be gone already: that is what some tests are about.
    match reply {
        Reply::Answer(status, body) => {
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
        Reply::Bytes(bytes) => {
            let _ = stream.write_all(&bytes);
        }
        Reply::After(pause, reply) => {
            std::thread::sleep(pause);
            send(stream, *reply);
        }
        Reply::Stall(bytes) => {
            let _ = stream.write_all(&bytes);
            std::thread::sleep(LONG);
        }
    }
}

pub fn ok(body: impl Into<String>) -> Reply {
    Reply::Answer(200, body.into())
}

pub fn refusal(code: &str, message: &str) -> Reply {
    Reply::Answer(
        403,
        format!("<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"),
    )
}
