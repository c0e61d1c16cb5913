//! The connections of the SDK's clients: HTTP/1.1 over rustls, one pool for all services. Every one of
//! them speaks it; the SDK's own client brings HTTP/2 and proxies besides, a twentieth of a function's
//! program.

use std::{
    error::Error,
    fmt,
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use aws_smithy_runtime_api::client::{
    connection::{CaptureSmithyConnection, ConnectionMetadata},
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::{body::SdkBody, retry::ErrorKind};
use futures::{FutureExt, future::BoxFuture};
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{CaptureConnection, HttpConnector as Tcp, capture_connection},
    },
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::time::timeout;
use tower::Service;

use crate::config::limits;

type BoxError = Box<dyn Error + Send + Sync>;

/// Those that sign for every service of AWS.
/// <https://docs.aws.amazon.com/acm/latest/userguide/acm-concepts.html#ATS>
const AMAZON_ROOTS: &[u8] = include_bytes!("roots.pem");

/// Whose certificates are believed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Amazon's.
    Amazon,
    /// Also those that the machine believes. Reading these takes two thirds of a function's start.
    Machine,
}

/// A client without connections yet.
pub(crate) fn client(trust: Trust) -> SharedHttpClient {
    SharedHttpClient::new(Https(pool(trust)))
}

fn pool(trust: Trust) -> Pool {
    let mut tcp = Tcp::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let connect = HttpsConnectorBuilder::new()
        .with_tls_config(tls(trust))
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(limits::IDLE)
        .build(Hurried(connect))
}

fn roots(trust: Trust) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(AMAZON_ROOTS).flatten());
    if trust == Trust::Machine {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    roots
}

fn tls(trust: Trust) -> ClientConfig {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .expect("ring has what the default versions of TLS need")
        .with_root_certificates(roots(trust))
        .with_no_client_auth()
}

/// Opens connections within a time, the exchange of keys included.
#[derive(Clone)]
struct Hurried<C>(C);

impl<C> Service<Uri> for Hurried<C>
where
    C: Service<Uri>,
    C::Future: Send + 'static,
    C::Response: Send + 'static,
    C::Error: Into<BoxError>,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<C::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connecting = timeout(limits::CONNECT, self.0.call(to));
        async move {
            match connecting.await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_) => Err(Late("connecting", limits::CONNECT).into()),
            }
        }
        .boxed()
    }
}

/// What took too long, and how long it was given.
#[derive(Debug, thiserror::Error)]
#[error("{0} took longer than {1:?}")]
struct Late(&'static str, Duration);

type Pool = Client<Hurried<HttpsConnector<Tcp>>, SdkBody>;

struct Https(Pool);

impl fmt::Debug for Https {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Https")
    }
}

impl HttpClient for Https {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let read = settings.read_timeout().unwrap_or(limits::READ);
        SharedHttpConnector::new(Sender { pool: self.0.clone(), read })
    }
}

/// Sends requests whose answers begin within a time.
struct Sender {
    pool: Pool,
    read: Duration,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("read", &self.read).finish_non_exhaustive()
    }
}

impl HttpConnector for Sender {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
            }
        };
        let used = capture_connection(&mut request);
        if let Some(wanted) = request.extensions().get::<CaptureSmithyConnection>() {
            wanted.set_connection_retriever(move || connection(&used));
        }
        let (mut pool, read) = (self.pool.clone(), self.read);
        HttpConnectorFuture::new(async move {
            let answering = async {
                poll_fn(|context| Service::poll_ready(&mut pool, context)).await?;
                Service::call(&mut pool, request).await
            };
            match timeout(read, answering).await {
                Ok(Ok(answer)) => HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                    .map_err(|error| ConnectorError::other(error.into(), None)),
                Ok(Err(error)) => Err(failure(error.into())),
                Err(_) => Err(ConnectorError::timeout(Late("the answer", read).into())),
            }
        })
    }
}

/// The connection that a request went by, so that the SDK can keep others from it when it is broken.
fn connection(used: &CaptureConnection) -> Option<ConnectionMetadata> {
    used.connection_metadata().as_ref()?;
    let used = used.clone();
    let poison = move || {
        if let Some(connected) = used.connection_metadata().as_ref() {
            connected.poison();
        }
    };
    Some(ConnectionMetadata::builder().proxied(false).poison_fn(poison).build())
}

/// A failure as the SDK knows it: what it says decides whether the request is sent again.
fn failure(error: BoxError) -> ConnectorError {
    let cause = error.as_ref();
    if find::<Late>(cause).is_some() {
        return ConnectorError::timeout(error);
    }
    if let Some(cause) = find::<hyper::Error>(cause) {
        if cause.is_user() {
            return ConnectorError::user(error);
        }
        if cause.is_incomplete_message() {
            // the other side closed in the midst of an answer, as S3 now and then does
            return ConnectorError::other(error, Some(ErrorKind::TransientError));
        }
        if cause.is_closed() || cause.is_canceled() || find::<io::Error>(cause).is_some() {
            return ConnectorError::io(error);
        }
        return ConnectorError::other(error, None);
    }
    let has_connected = find::<hyper_util::client::legacy::Error>(cause)
        .is_none_or(|cause| !cause.is_connect() && find::<io::Error>(cause).is_none());
    if has_connected { ConnectorError::other(error, None) } else { ConnectorError::io(error) }
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(error), |&error| error.source())
        .find_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod tests;
