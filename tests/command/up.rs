//! `dcmp up`

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
};

use crate::{
    shell::Shell,
    support::{KEY, Process, eventually},
};

/// Starts it with its standard output in a file, and waits until it serves.
async fn start(shell: &Shell, arguments: &[&str]) -> Process {
    let out = shell.home().join("out");
    let arguments = [&["up", "--listen", "127.0.0.1:0", "--data", "data"], arguments].concat();
    let process = Process::spawn(shell.command(&arguments).stdout(File::create(&out).unwrap()));
    eventually("the platform", || async { read(&out).contains("ready ").then_some(()) }).await;
    process
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn it_prints_where_it_serves_and_nothing_else() {
    for signal in [2, 15] {
        let shell = Shell::new();
        let mut process = start(&shell, &[]).await;
        let said = process.said();
        assert!(said.contains("API key    dcmp_") && said.contains("/docs"), "{said}");
        // a client on this machine needs to be told nothing but the directory
        shell.run(&["model", "list", "--data", "data"]).ended(0);
        process.signal(signal);
        assert_eq!(process.code(), Some(0), "{}", process.said());
        let out = read(&shell.home().join("out"));
        let port = out.strip_prefix("ready http://127.0.0.1:").and_then(|o| o.strip_suffix('\n'));
        assert!(port.unwrap().parse::<u16>().is_ok(), "{out}");
    }
}

#[tokio::test]
async fn what_keeps_it_from_starting_is_said() {
    let shell = Shell::new().with("DCMP_LISTEN", "127.0.0.1:0");
    let _process = start(&shell, &[]).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (arguments, words) in [
        (&["--data", "data"][..], &["data", "in use"][..]),
        (&["--data", "new", "--listen", &taken], &["cannot listen on", &taken, "--listen"]),
        (&["--data", "new", "--api-key", " "], &["--api-key is empty"]),
        (&["--data", "new", "--api-key", "a", "--listen", "0.0.0.0:0"], &["loopback address"]),
        (&["--data", "new", "--lease-ms", "1"], &["--lease-ms"]),
        (&["--durability", "none"], &["--durability"]),
        (&["--listen", "here"], &["--listen"]),
    ] {
        let said = shell.run(&[&["up"], arguments].concat()).told(words);
        assert!(said.out.is_empty() && said.code == Some(2), "{said:?}");
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let shell = Shell::new();
    let mut process = start(&shell, &["--api-key", KEY]).await;
    // a request that will never be whole; the server says when it begins to wait for the rest
    let out = read(&shell.home().join("out"));
    let address = out.trim().strip_prefix("ready http://").unwrap();
    let mut request = std::net::TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /api/v1/inference HTTP/1.1\r\nHost: {address}\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    );
    request.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    request.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100");
    process.signal(2);
    eventually("the ending", || async { process.said().contains("ending").then_some(()) }).await;
    process.signal(2);
    assert_eq!(process.code(), Some(130));
    assert!(process.said().contains("ended at once"), "{}", process.said());
}
