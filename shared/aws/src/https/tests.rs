#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_smithy_runtime_api::http::Request;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use super::*;

const SOON: Duration = Duration::from_millis(50);
const LATER: Duration = Duration::from_secs(60);

fn sender(read: Duration) -> Sender {
    Sender { pool: pool(Trust::Amazon), read }
}

async fn ask(sender: &Sender, url: String) -> Result<HttpResponse, ConnectorError> {
    sender.call(Request::get(url).unwrap()).await
}

/// A server that gives each connection to `serve`, and how many there were.
async fn server<F>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream));
        }
    });
    (address, count)
}

/// Says the same to each question.
async fn say(mut stream: TcpStream, answer: &[u8]) {
    let mut question = [0; 4096];
    while stream.read(&mut question).await.is_ok_and(|read| read > 0) {
        if stream.write_all(answer).await.is_err() {
            break;
        }
    }
}

const EMPTY: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

#[test]
fn every_root_of_amazon_is_believed() {
    let text = std::str::from_utf8(AMAZON_ROOTS).unwrap();
    let count = text.matches("BEGIN CERTIFICATE").count();
    assert!(count > 0);
    assert_eq!(roots(Trust::Amazon).len(), count);
}

#[tokio::test]
async fn a_connection_is_used_again_until_the_sdk_finds_it_broken() {
    let (address, connections) = server(|stream| say(stream, EMPTY)).await;
    let (sender, url) = (sender(LATER), format!("http://{address}"));
    for _ in 0..3 {
        assert_eq!(ask(&sender, url.clone()).await.unwrap().status().as_u16(), 204);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);

    let mut request = Request::get(url.clone()).unwrap();
    let capture = CaptureSmithyConnection::new();
    request.add_extension(capture.clone());
    sender.call(request).await.unwrap();
    capture.get().unwrap().poison();
    ask(&sender, url).await.unwrap();
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_late_answer_is_a_timeout() {
    let (address, _) = server(|stream| say(stream, b"")).await;
    let error = ask(&sender(SOON), format!("http://{address}")).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert!(error.to_string().contains("timeout"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_may_be_there_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = ask(&sender(LATER), format!("http://{address}")).await.unwrap_err();
    assert!(error.is_io(), "{error:?}");
}

#[tokio::test]
async fn half_an_answer_is_worth_another_try() {
    let serve = |mut stream: TcpStream| async move {
        let mut question = [0; 4096];
        assert!(stream.read(&mut question).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\nconte").await.unwrap();
    };
    let (address, _) = server(serve).await;
    let error = ask(&sender(LATER), format!("http://{address}")).await.unwrap_err();
    let is_transient = error.as_other() == Some(ErrorKind::TransientError);
    assert!(is_transient || error.is_io(), "{error:?}");
}

#[tokio::test]
async fn who_shows_a_strangers_certificate_is_told_nothing() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let heard = Arc::new(AtomicUsize::new(0));
    let counted = heard.clone();
    let serve = move |stream| {
        let (acceptor, counted) = (acceptor.clone(), counted.clone());
        async move {
            if acceptor.accept(stream).await.is_ok() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    let (address, _) = server(serve).await;
    let url = format!("https://localhost:{}", address.port());
    let error = ask(&sender(LATER), url).await.unwrap_err();
    let said = aws_smithy_types::error::display::DisplayErrorContext(&error).to_string();
    assert!(said.contains("UnknownIssuer"), "{said}");
    assert_eq!(heard.load(Ordering::SeqCst), 0);
}
