//! Which engine for the embedded store? 16 clients write a record of 400 to 800 bytes if there is
//! none, then replace it if it is as it was, each write together with an entry of an ordered log,
//! and wait once for the disk. Each engine runs in a process of its own, so that its memory is its
//! own.
//!
//! `cd spikes/store && cargo run --release [seconds]`

mod engines;

use std::{
    process::Command,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use engines::{ENGINES, Engine};
use hdrhistogram::Histogram;

const CLIENTS: u64 = 16;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, name, seconds] = &arguments[..] {
        return measure(name, seconds.parse().expect("a number of seconds"));
    }
    let seconds = arguments.get(1).map_or("10", String::as_str);
    println!("{CLIENTS} clients, two writes and one wait for the disk each, {seconds} s");
    println!("engine                            pairs/s   p50 µs   p99 µs   max µs   RSS MB");
    for (name, _) in ENGINES {
        let this = std::env::current_exe().expect("this program has a path");
        let status = Command::new(this).args([name, seconds]).status();
        assert!(status.is_ok_and(|status| status.success()), "{name} failed");
    }
}

fn measure(name: &str, seconds: u64) {
    let directory = tempfile::tempdir_in(".").expect("a directory beside this one");
    let (_, open) = ENGINES.iter().find(|(engine, _)| *engine == name).expect("a known engine");
    let engine: Arc<dyn Engine> = open(directory.path()).into();
    let (start, stop) =
        (Arc::new(Barrier::new(CLIENTS as usize + 1)), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (engine, start, stop) = (engine.clone(), start.clone(), stop.clone());
            std::thread::spawn(move || {
                start.wait();
                work(&*engine, client, &stop)
            })
        })
        .collect();
    start.wait();
    let began = Instant::now();
    std::thread::sleep(Duration::from_secs(seconds));
    stop.store(true, Ordering::Relaxed);
    let mut all = Histogram::<u64>::new(3).expect("3 digits are allowed");
    for client in clients {
        all.add(client.join().expect("a client does not panic")).expect("both count alike");
    }
    println!(
        "{name:<32} {:>8.0} {:>8} {:>8} {:>8} {:>8}",
        all.len() as f64 / began.elapsed().as_secs_f64(),
        all.value_at_quantile(0.5),
        all.value_at_quantile(0.99),
        all.max(),
        resident_mb()
    );
}

fn work(engine: &dyn Engine, client: u64, stop: &AtomicBool) -> Histogram<u64> {
    let mut latencies = Histogram::new(3).expect("3 digits are allowed");
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let begin = Instant::now();
        // As ids that begin with the time: growing, but not one by one.
        let key = (number << 8 | client).to_be_bytes();
        let first = vec![b'a'; 400 + (number % 256) as usize];
        let second = vec![b'b'; 600 + (number % 200) as usize];
        engine.write(&key, None, &first);
        let token = engine.write(&key, Some(&first), &second);
        engine.durable(token);
        latencies.record(begin.elapsed().as_micros() as u64).expect("it grows as needed");
    }
    latencies
}

fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
