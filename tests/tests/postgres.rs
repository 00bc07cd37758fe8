//! The throw-away PostgreSQL is there, and is gone with the process that asked for it.
#![allow(clippy::expect_used, reason = "a test says what it expected")]

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dragoman_tests::postgres::database;

/// Says to this very program, started again, that it is the one that is killed.
const VICTIM: &str = "DRAGOMAN_TEST_VICTIM";

fn address(url: &str) -> &str {
    let (_, rest) = url.split_once('@').expect("a user");
    rest.split_once('/').expect("a name").0
}

/// Asks for a database, says where, and waits to be killed; without the variable it does nothing.
#[test]
#[ignore = "the process that the other test kills"]
fn victim() {
    if std::env::var_os(VICTIM).is_some() {
        println!("{}", database().expect("a database"));
        std::thread::sleep(Duration::from_secs(60));
    }
}

#[test]
fn the_server_ends_when_its_process_is_killed() {
    let own = std::env::current_exe().expect("this program");
    let mut victim = Command::new(own)
        .args(["--exact", "victim", "--ignored", "--nocapture"])
        .env(VICTIM, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let mut output = std::io::BufReader::new(victim.stdout.take().expect("its output"));
    let url = loop {
        let mut line = String::new();
        let read = std::io::BufRead::read_line(&mut output, &mut line).expect("a line");
        assert!(read > 0, "it ended without a URL");
        if let Some(at) = line.find("postgres://") {
            break line.split_off(at).trim().to_owned();
        }
    };
    TcpStream::connect(address(&url)).expect("a server");
    victim.kill().expect("it runs");
    victim.wait().expect("it ended");
    let until = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(address(&url)).is_ok() {
        assert!(Instant::now() < until, "the server outlives its process");
        std::thread::sleep(Duration::from_millis(50));
    }
    let directory = std::env::temp_dir().join(format!("dragoman-postgres-{}-0", victim.id()));
    while directory.exists() {
        assert!(Instant::now() < until, "{} is left", directory.display());
        std::thread::sleep(Duration::from_millis(50));
    }
}
