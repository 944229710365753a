//! A server whose answers are written by hand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

/// A request as it arrived: the first line, the headers, the body.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    fn read(line: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut next = || {
            let mut text = String::new();
            line.read_line(&mut text).ok().filter(|read| *read > 0)?;
            Some(text.trim_end().to_owned())
        };
        let first = next()?;
        let mut headers = Vec::new();
        loop {
            match next()? {
                text if text.is_empty() => break,
                text => headers.push(text.to_ascii_lowercase()),
            }
        }
        let length = headers.iter().find_map(|text| text.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        line.read_exact(&mut body).ok()?;
        Some(Self { line: first, headers, body })
    }
}

/// A server whose answers are written by hand. Each connection is closed after one answer.
pub(crate) struct Fake {
    pub(crate) port: u16,
    pub(crate) asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    /// Starts one that answers what `answer` returns; nothing closes the connection.
    pub(crate) fn start(
        answer: impl Fn(&Asked, usize, &mut TcpStream) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (asked.clone(), Arc::new(answer));
        thread::spawn(move || {
            for line in listener.incoming() {
                let (mut line, seen, answer) = (line.unwrap(), seen.clone(), answer.clone());
                thread::spawn(move || {
                    let mut reader = BufReader::new(line.try_clone().unwrap());
                    let Some(request) = Asked::read(&mut reader) else { return };
                    let count = {
                        let mut seen: MutexGuard<'_, Vec<Asked>> = seen.lock().unwrap();
                        seen.push(request.clone());
                        seen.len()
                    };
                    answer(&request, count, &mut line);
                });
            }
        });
        Self { port, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

pub(crate) fn say(line: &mut TcpStream, status: &str, headers: &str, body: &[u8]) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n"
    );
    let _ = line.write_all(head.as_bytes());
    let _ = line.write_all(body);
}
