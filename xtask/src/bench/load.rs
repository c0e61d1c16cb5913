//! A closed-loop HTTP load: so many connections, each with one request at a time, on one thread.
//!
//! The client is as lean as it can be, since it runs on the cores of what it measures: one request in
//! bytes, sent again and again, and of the answer only the status and the length are read.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// What is sent, again and again.
#[derive(Clone)]
pub(super) struct Target {
    /// `host:port`
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) key: String,
    pub(super) body: String,
}

/// What came of it.
pub(super) struct Measured {
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// Runs the load; what happens in the first fifth of the time is not counted.
pub(super) fn run(target: &Target, connections: usize, seconds: u64) -> Result<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let start = Instant::now();
        let from = start + Duration::from_secs(seconds) / 5;
        let until = start + Duration::from_secs(seconds);
        let mut clients = JoinSet::new();
        for _ in 0..connections {
            clients.spawn(client(target.clone(), from, until));
        }
        let mut all = Histogram::<u64>::new(3)?;
        while let Some(histogram) = clients.join_next().await {
            all.add(histogram??)?;
        }
        Ok(measured(&all, until - from))
    })
}

/// Of latencies in microseconds, over a time.
pub(super) fn measured(latencies: &Histogram<u64>, time: Duration) -> Measured {
    Measured {
        per_second: latencies.len() as f64 / time.as_secs_f64(),
        p50_ms: latencies.value_at_quantile(0.5) as f64 / 1000.0,
        p99_ms: latencies.value_at_quantile(0.99) as f64 / 1000.0,
    }
}

/// One request on a connection of its own.
pub(super) fn once(target: &Target) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { Client::connect(target).await?.request().await })
}

async fn client(target: Target, from: Instant, until: Instant) -> Result<Histogram<u64>> {
    let mut client = Client::connect(&target).await?;
    let mut latencies = Histogram::new(3)?;
    loop {
        let sent = Instant::now();
        if sent >= until {
            return Ok(latencies);
        }
        client.request().await?;
        if sent >= from {
            latencies.record(sent.elapsed().as_micros() as u64)?;
        }
    }
}

/// One connection.
struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Client {
    async fn connect(target: &Target) -> Result<Self> {
        let stream = TcpStream::connect(&target.authority).await?;
        stream.set_nodelay(true)?;
        let Target { authority, path, key, body } = target;
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\n\
             x-api-key: {key}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        Ok(Self { stream, request: request.into_bytes(), buffer: Vec::with_capacity(8 * 1024) })
    }

    async fn request(&mut self) -> Result<()> {
        self.stream.write_all(&self.request).await?;
        self.buffer.clear();
        loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server hung up");
            let Some((status, length)) = head(&self.buffer)? else { continue };
            if self.buffer.len() < length {
                continue;
            }
            ensure!(status == 200, "{}", String::from_utf8_lossy(&self.buffer));
            return Ok(());
        }
    }
}

/// The status of an answer and the length of the whole, once its head is there.
fn head(answer: &[u8]) -> Result<Option<(u16, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(answer)? else { return Ok(None) };
    let length = response.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
    let Some(length) = length else { bail!("an answer without a length") };
    let length: usize = str::from_utf8(length.value)?.trim().parse()?;
    Ok(Some((response.code.context("an answer without a status")?, head + length)))
}
