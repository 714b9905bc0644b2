//! `serve`: a folder of pages on this machine, and nowhere else.
//!
//! **Idea.** Pages opened from a folder may not load modules or WebAssembly, so they need a server; but a server that others can reach, or that a foreign page can talk to
//! through a name that it points here, is a hole. This one listens on 127.0.0.1 only, answers only requests whose `Host` is that address (or `localhost`), reads only plain files
//! below its folder, and never writes.
//!
//! **Method.** One thread a connection, at most [`MOST_CONNECTIONS`]; a request's head is at most [`MOST_HEAD`] bytes and must arrive within seconds; one request a connection.
//! Paths are decoded, cut into plain parts and resolved; what leaves the folder, links included, is not found.

use std::{
    fs::File,
    io::{BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::{Context, print_json};
use crate::Outcome;

/// Connections answered at once; further ones are told to come back.
const MOST_CONNECTIONS: usize = 64;
/// Bytes of a request's head.
const MOST_HEAD: usize = 16 << 10;
/// How long a client may take for its request, and for each piece of the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What pages may do: load from here, compile WebAssembly, start workers, show pictures they made; nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; \
    connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Debug, Args)]
pub struct Serve {
    /// Folder of the pages.
    #[arg(long, default_value = "dist")]
    dir: PathBuf,
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8017)]
    port: u16,
}

pub fn run(args: &Serve, context: Context) -> Result<Outcome> {
    let root = args.dir.canonicalize().with_context(|| {
        format!("there is no folder {}; build the pages with `trunk build`, or name a folder with --dir", args.dir.display())
    })?;
    if !root.is_dir() {
        bail!("{} is no folder", args.dir.display());
    }
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).with_context(|| format!("cannot listen on 127.0.0.1:{}", args.port))?;
    let address = listener.local_addr()?;
    if context.json {
        print_json(&serde_json::json!({"schema": "vitrine.serve/1", "url": format!("http://{address}/"), "dir": root}))?;
    } else {
        println!("http://{address}/");
    }
    std::io::stdout().flush()?;
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        // A client that is gone before it is greeted is no reason to end.
        let Ok(mut stream) = stream else { continue };
        if open.fetch_add(1, Ordering::Relaxed) >= MOST_CONNECTIONS {
            open.fetch_sub(1, Ordering::Relaxed);
            let _ = stream.set_write_timeout(Some(PATIENCE));
            let _ = refuse(&mut stream, 503, "Service Unavailable", false);
            continue;
        }
        let (root, open) = (root.clone(), Arc::clone(&open));
        std::thread::spawn(move || {
            // Broken connections are the client's business.
            let _ = answer(&mut stream, &root, address);
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
    Ok(Outcome::Fine)
}

/// A request as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    head_only: bool,
    target: String,
    host: Option<String>,
}

fn answer(stream: &mut TcpStream, root: &Path, address: SocketAddr) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = read_head(stream)?;
    let request = match head.as_deref().map(parse) {
        Some(Ok(request)) => request,
        Some(Err((code, words))) => return refuse(stream, code, words, false),
        None => return refuse(stream, 431, "Request Header Fields Too Large", false),
    };
    if !request.host.as_deref().is_some_and(|host| is_own(host, address.port())) {
        return refuse(stream, 403, "Forbidden", request.head_only);
    }
    let Some(path) = resolve(root, &request.target) else { return refuse(stream, 404, "Not Found", request.head_only) };
    let Ok(file) = File::open(&path) else { return refuse(stream, 404, "Not Found", request.head_only) };
    let length = file.metadata()?.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nContent-Length: {length}\r\n{}", kind_of(&path), headers())?;
    if !request.head_only {
        // Not more than announced, should the file grow.
        std::io::copy(&mut BufReader::new(file).take(length), stream)?;
    }
    stream.flush()
}

/// The head of a request, its empty line included; `None` where it is too long.
fn read_head(stream: &mut impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let (mut head, mut piece) = (Vec::new(), [0_u8; 1024]);
    loop {
        let n = stream.read(&mut piece)?;
        head.extend_from_slice(&piece[..n]);
        if n == 0 || head.windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(Some(head));
        }
        if head.len() > MOST_HEAD {
            return Ok(None);
        }
    }
}

fn parse(head: &[u8]) -> Result<Request, (u16, &'static str)> {
    let bad = (400, "Bad Request");
    let text = std::str::from_utf8(head).map_err(|_| bad)?;
    let (text, _) = text.split_once("\r\n\r\n").ok_or(bad)?;
    let mut lines = text.split("\r\n");
    let mut parts = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(bad);
    };
    if !version.starts_with("HTTP/1.") || !target.starts_with('/') {
        return Err(bad);
    }
    let head_only = match method {
        "GET" => false,
        "HEAD" => true,
        _ => return Err((405, "Method Not Allowed")),
    };
    let mut host = None;
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(bad)?;
        if name.eq_ignore_ascii_case("host") && host.replace(value.trim().to_owned()).is_some() {
            return Err(bad);
        }
    }
    Ok(Request { head_only, target: target.to_owned(), host })
}

/// Whether a request was meant for this server: a page of another name that points here is turned away.
fn is_own(host: &str, port: u16) -> bool {
    ["127.0.0.1", "localhost"]
        .iter()
        .any(|name| host.eq_ignore_ascii_case(&format!("{name}:{port}")) || (port == 80 && host.eq_ignore_ascii_case(name)))
}

/// The file of a request's target, or `None`: plain names only, nothing hidden, nothing outside `root`.
fn resolve(root: &Path, target: &str) -> Option<PathBuf> {
    let path = decode(target.split(['?', '#']).next()?)?;
    let mut file = root.to_path_buf();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let plain = !part.starts_with('.') && !part.contains(['\\', ':']) && !part.chars().any(char::is_control);
        if !plain {
            return None;
        }
        file.push(part);
    }
    if path.ends_with('/') {
        file.push("index.html");
    }
    let file = file.canonicalize().ok()?;
    (file.starts_with(root) && file.is_file()).then_some(file)
}

/// Percent signs undone; `None` where they are broken or what comes out is no text.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, after @ ..] = after else { return None };
        let digit = |c: u8| char::from(c).to_digit(16);
        bytes.push(u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

fn kind_of(path: &Path) -> &'static str {
    match path.extension().and_then(|e| e.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// What every answer carries: the policy, and isolation from other origins (which threads and exact clocks in pages need).
fn headers() -> String {
    format!(
        "Content-Security-Policy: {POLICY}\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
         Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Embedder-Policy: require-corp\r\nCross-Origin-Resource-Policy: same-origin\r\n\
         Cache-Control: no-cache\r\nConnection: close\r\n\r\n"
    )
}

fn refuse(stream: &mut impl Write, code: u16, words: &str, head_only: bool) -> std::io::Result<()> {
    let body = if head_only { String::new() } else { format!("{code} {words}\n") };
    let length = format!("{code} {words}\n").len();
    write!(
        stream,
        "HTTP/1.1 {code} {words}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n{}{body}",
        headers()
    )?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("site");
        std::fs::create_dir_all(root.join("js")).unwrap();
        for (name, text) in [("index.html", "<p>home"), ("js/a b.js", "1"), (".secret", "x"), ("../outside.txt", "x")] {
            let mut file = File::create(root.join(name)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
        let root = root.canonicalize().unwrap();
        (folder, root)
    }

    #[test]
    fn only_plain_files_below_the_folder_are_found() {
        let (_folder, root) = site();
        assert_eq!(resolve(&root, "/"), Some(root.join("index.html")));
        assert_eq!(resolve(&root, "/index.html?x=1#y"), Some(root.join("index.html")));
        assert_eq!(resolve(&root, "/js/a%20b.js"), Some(root.join("js/a b.js")));
        for target in [
            "/../outside.txt",
            "/js/../../outside.txt",
            "/%2e%2e/outside.txt",
            "/..%2foutside.txt",
            "/.secret",
            "/js",
            "/js/",
            "/%",
            "/%zz",
            "/%ff",
            "/a%00b",
            "/..\\outside.txt",
            "/C:/x",
            "/nothing",
        ] {
            assert_eq!(resolve(&root, target), None, "{target}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(root.join("../outside.txt"), root.join("link.txt")).unwrap();
            assert_eq!(resolve(&root, "/link.txt"), None, "a link that leaves the folder");
        }
    }

    #[test]
    fn requests_are_read_strictly() {
        let ok = parse(b"GET /a HTTP/1.1\r\nHost: localhost:80\r\nX: y\r\n\r\n").unwrap();
        assert_eq!(ok, Request { head_only: false, target: "/a".into(), host: Some("localhost:80".into()) });
        for (head, code) in [
            (&b"POST / HTTP/1.1\r\n\r\n"[..], 405),
            (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            (b"GET http://elsewhere/ HTTP/1.1\r\n\r\n", 400),
            (b"GET  / HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nbroken\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\n", 400),
            (b"\xff\xfe\r\n\r\n", 400),
            (b"", 400),
        ] {
            assert_eq!(parse(head).unwrap_err().0, code, "{}", String::from_utf8_lossy(head));
        }
        assert_eq!(read_head(&mut std::io::repeat(b'a')).unwrap(), None);
        assert!(is_own("127.0.0.1:8017", 8017) && is_own("LOCALHOST:8017", 8017));
        for host in ["127.0.0.1", "127.0.0.1:80", "evil:8017", "localhost.evil:8017", "0.0.0.0:8017", ""] {
            assert!(!is_own(host, 8017), "{host}");
        }
    }
}
