//! A closed-loop HTTP load: so many connections, each with one request at a time, on one thread.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What is sent, again and again.
#[derive(Clone)]
pub(super) struct Target {
    /// `host:port`
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) key: String,
    pub(super) body: Bytes,
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
        let clients = (0..connections).map(|_| client(target, from, until));
        let mut all = Histogram::<u64>::new(3)?;
        for histogram in futures::future::try_join_all(clients).await? {
            all.add(histogram)?;
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
    runtime.block_on(async { Client::connect(target).await?.request(target).await })
}

async fn client(target: &Target, from: Instant, until: Instant) -> Result<Histogram<u64>> {
    let mut client = Client::connect(target).await?;
    let mut latencies = Histogram::new(3)?;
    loop {
        let sent = Instant::now();
        if sent >= until {
            return Ok(latencies);
        }
        client.request(target).await?;
        if sent >= from {
            latencies.record(sent.elapsed().as_micros() as u64)?;
        }
    }
}

/// One connection.
struct Client {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: tokio::task::JoinHandle<hyper::Result<()>>,
}

impl Client {
    async fn connect(target: &Target) -> Result<Self> {
        let stream = TcpStream::connect(&target.authority).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, driver: tokio::spawn(connection) })
    }

    async fn request(&mut self, target: &Target) -> Result<()> {
        let request = Request::post(&target.path)
            .header(header::HOST, &target.authority)
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-api-key", &target.key)
            .body(Full::new(target.body.clone()))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await.context("the server hung up")?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(&body));
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
