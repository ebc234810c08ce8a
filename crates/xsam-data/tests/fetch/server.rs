//! A server of HTTP on the loopback address that misbehaves as it is told to.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub path: String,
    /// The first byte of `Range`.
    pub from: Option<usize>,
    pub if_range: Option<String>,
}

/// What is answered.
#[derive(Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Close the connection after so many bytes of the body.
    pub cut: Option<usize>,
    /// Say nothing more after so many bytes of the body.
    pub stall: Option<usize>,
    /// Send the body as chunks, without its length.
    pub chunked: bool,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        let body = b"not the file".to_vec();
        Self {
            status,
            body,
            ..Self::default()
        }
    }

    pub fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub fn cut(self, bytes: usize) -> Self {
        Self {
            cut: Some(bytes),
            ..self
        }
    }

    pub fn stall(self, bytes: usize) -> Self {
        Self {
            stall: Some(bytes),
            ..self
        }
    }

    pub fn chunked(self) -> Self {
        Self {
            chunked: true,
            ..self
        }
    }
}

/// All of `body`, as a server that knows no ranges sends it.
pub fn whole(body: &[u8]) -> Reply {
    Reply {
        status: 200,
        body: body.to_vec(),
        ..Reply::default()
    }
}

/// What a sound server answers that has `body` as the version `tag`.
pub fn sound(body: &[u8], tag: &str, request: &Request) -> Reply {
    let tag = format!("\"{tag}\"");
    let same = request.if_range.as_ref() == Some(&tag);
    let reply = match request.from {
        Some(from) if same && from >= body.len() => {
            Reply::status(416).header("Content-Range", format!("bytes */{}", body.len()))
        }
        Some(from) if same => {
            let range = format!("bytes {from}-{}/{}", body.len() - 1, body.len());
            Reply {
                status: 206,
                ..whole(&body[from..])
            }
            .header("Content-Range", range)
        }
        _ => whole(body),
    };
    reply.header("ETag", tag)
}

pub struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    requests: Arc<Mutex<Vec<Request>>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// `answer` gets the number of the request, from 0, and the request.
    pub fn new(answer: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (stopped, log, answer) = (stop.clone(), requests.clone(), Arc::new(answer));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (stopped, log, answer) = (stopped.clone(), log.clone(), answer.clone());
                thread::spawn(move || {
                    let stream = stream.unwrap();
                    let Some(request) = read(&stream) else { return };
                    let number = {
                        let mut log = log.lock().unwrap();
                        log.push(request.clone());
                        log.len() - 1
                    };
                    // The client may have gone.
                    let _ = send(stream, &answer(number, &request), &stopped);
                });
            }
        });
        let thread = Some(thread);
        Self {
            address,
            stop,
            requests,
            thread,
        }
    }

    /// Gives every request the next of `replies`, and the last one ever after.
    pub fn script(replies: Vec<Reply>) -> Self {
        Self::new(move |number, _| replies[number.min(replies.len() - 1)].clone())
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// From which byte on each request asked.
    pub fn starts(&self) -> Vec<Option<usize>> {
        let requests = self.requests().into_iter();
        requests.map(|request| request.from).collect()
    }

    pub fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let (mut from, mut if_range) = (None, None);
    for line in lines {
        let line = line.ok()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap();
        match &name.to_ascii_lowercase()[..] {
            "range" => {
                let first = value.trim_start_matches("bytes=").trim_end_matches('-');
                from = Some(first.parse().unwrap());
            }
            "if-range" => if_range = Some(value.to_owned()),
            "accept-encoding" => assert_eq!(value, "identity"),
            _ => {}
        }
    }
    Some(Request {
        path,
        from,
        if_range,
    })
}

fn send(mut stream: TcpStream, reply: &Reply, stop: &AtomicBool) -> std::io::Result<()> {
    let status = reply.status;
    write!(stream, "HTTP/1.1 {status} Words\r\nConnection: close\r\n")?;
    for (name, value) in &reply.headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    if reply.chunked {
        write!(stream, "Transfer-Encoding: chunked\r\n\r\n")?;
    } else {
        write!(stream, "Content-Length: {}\r\n\r\n", reply.body.len())?;
    }
    let end = reply.cut.or(reply.stall).unwrap_or(reply.body.len());
    // Pieces of an odd size, so that the client's reads end anywhere.
    for piece in reply.body[..end.min(reply.body.len())].chunks(4999) {
        if reply.chunked {
            write!(stream, "{:x}\r\n", piece.len())?;
        }
        stream.write_all(piece)?;
        if reply.chunked {
            write!(stream, "\r\n")?;
        }
    }
    if reply.stall.is_some() {
        // Far longer than any client of these tests waits.
        for _ in 0..1000 {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
    if reply.chunked && reply.cut.is_none() && reply.stall.is_none() {
        write!(stream, "0\r\n\r\n")?;
    }
    Ok(())
}
