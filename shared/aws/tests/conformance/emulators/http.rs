//! Servers on free ports, and a client that sends exactly what it is told.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use conformance::Answer;
use http::{Request, Response, request::Builder};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Body, Incoming},
    service::Service,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A server that ends with this.
pub(crate) struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What `serve` does with a listener on a free port.
    pub(crate) async fn start<F>(serve: impl FnOnce(TcpListener) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, task: tokio::spawn(serve(listener)) }
    }

    pub(crate) async fn routes(router: axum::Router) -> Self {
        Self::start(|listener| async move { axum::serve(listener, router).await.unwrap() }).await
    }

    pub(crate) async fn service<S, B>(service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
    {
        Self::start(|listener| async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = service.clone();
                tokio::spawn(async move {
                    let server = hyper::server::conn::http1::Builder::new();
                    // a client that went away is no concern of the test
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        })
        .await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Sends one request, with no header but those of `request`.
pub(crate) async fn send(request: Builder, body: Bytes) -> Answer {
    let host = request.uri_ref().unwrap().authority().unwrap().to_string();
    let path = request.uri_ref().unwrap().path_and_query().unwrap().to_string();
    let request = request.uri(path).header("host", &host).body(Full::new(body)).unwrap();
    let stream = TcpStream::connect(&host).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    connection.abort();
    Answer { status, body }
}
