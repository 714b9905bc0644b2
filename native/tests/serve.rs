//! `vitrine serve` as a client meets it.
#![expect(clippy::unwrap_used, reason = "what cannot be made here is a failed test")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(dir: &std::path::Path) -> Server {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vitrine"))
        .args(["serve", "--port", "0", "--dir", dir.to_str().unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
    Server { child, address }
}

fn ask(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.write_all(request.replace("HOST", &server.address).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn pages_come_with_their_kind_and_policy_and_nothing_else_comes() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("site");
    std::fs::create_dir(&root).unwrap();
    for (name, text) in [("index.html", "<p>hello"), ("x.wasm", "\0asm"), ("../private.txt", "private")] {
        std::fs::File::create(root.join(name)).unwrap().write_all(text.as_bytes()).unwrap();
    }
    let server = serve(&root);
    let page = ask(&server, "GET / HTTP/1.1\r\nHost: HOST\r\n\r\n");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("<p>hello"), "{page}");
    for header in [
        "Content-Type: text/html; charset=utf-8",
        "Content-Security-Policy: default-src 'none'",
        "Cross-Origin-Opener-Policy: same-origin",
        "Cross-Origin-Embedder-Policy: require-corp",
        "X-Content-Type-Options: nosniff",
    ] {
        assert!(page.contains(header), "{header} in {page}");
    }
    assert!(ask(&server, "GET /x.wasm HTTP/1.1\r\nHost: HOST\r\n\r\n").contains("Content-Type: application/wasm\r\n"));
    let head = ask(&server, "HEAD / HTTP/1.1\r\nHost: HOST\r\n\r\n");
    assert!(head.contains("Content-Length: 8\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    for (request, status) in [
        ("GET /../private.txt HTTP/1.1\r\nHost: HOST\r\n\r\n", "404"),
        ("GET /%2e%2e/private.txt HTTP/1.1\r\nHost: HOST\r\n\r\n", "404"),
        ("GET / HTTP/1.1\r\nHost: another.example\r\n\r\n", "403"),
        ("GET / HTTP/1.1\r\n\r\n", "403"),
        ("PUT / HTTP/1.1\r\nHost: HOST\r\n\r\n", "405"),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let answer = ask(&server, request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
        assert!(!answer.contains("private"), "{answer}");
    }
    let out = Command::new(env!("CARGO_BIN_EXE_vitrine")).args(["serve", "--dir", "no-such-folder"]).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&out.stderr).lines().count(), 1);
}
