//! Serving presigned URLs: the transfers that S3 would do itself.

mod answer;
mod range;

use std::io::SeekFrom;

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
    routing::any,
};
use futures::StreamExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use ports::{Checksum, Clock, Error, Part};
use sha2::{Digest, Sha256};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
};
use tokio_util::io::ReaderStream;

use self::{
    answer::Refused,
    range::{Selection, select},
};
use super::{LocalBlobs, blocking, check_key, files::checksum_differs, presigned};

/// How much is read from disk at a time.
const CHUNK: usize = 64 * 1024;

#[derive(Clone)]
struct Served {
    blobs: LocalBlobs,
    /// The largest object or part that is taken, in bytes.
    max_put: u64,
}

/// The route of all presigned URLs.
pub(crate) fn router(blobs: LocalBlobs, max_put: u64) -> Router {
    let path = format!("{}{{*key}}", presigned::PATH);
    Router::new().route(&path, any(serve)).with_state(Served { blobs, max_put })
}

async fn serve(
    State(served): State<Served>,
    method: Method,
    Path(key): Path<String>,
    query: Result<Query<presigned::Signed>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    // given by the server around this, where there is one
    let request_id = headers.get("x-request-id").and_then(|id| id.to_str().ok());
    let request_id =
        request_id.map_or_else(|| served.blobs.clock.id("req"), std::borrow::ToOwned::to_owned);
    let answer = async {
        // HEAD is what GET would answer, so the same URL allows it.
        let allowed = match method {
            Method::GET | Method::HEAD => "GET",
            Method::PUT => "PUT",
            _ => return Err(Refused::method()),
        };
        let Query(signed) = query.map_err(|_| Refused::incomplete())?;
        let now_ms = served.blobs.clock.now_ms();
        signed.check(&served.blobs.secret, allowed, &key, now_ms)?;
        check_key(&key)?;
        match method {
            Method::PUT => put(&served, &key, &signed, &headers, body).await,
            _ => get(&served, &key, &method, &headers).await,
        }
    };
    answer.await.unwrap_or_else(|refused| refused.answer(&request_id))
}

async fn get(
    served: &Served,
    key: &str,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Refused> {
    let mut file = File::open(served.blobs.files.path(key)).await?;
    let size = file.metadata().await?.len();
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let (status, start, end) = match select(range, size) {
        Selection::Whole => (StatusCode::OK, 0, size),
        Selection::Part(start, end) => (StatusCode::PARTIAL_CONTENT, start, end),
        Selection::Outside => return Err(Refused::range(size)),
    };
    let mut answer = HeaderMap::new();
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    answer.insert(header::CONTENT_LENGTH, HeaderValue::from(end - start));
    if status == StatusCode::PARTIAL_CONTENT {
        let text = format!("bytes {start}-{}/{size}", end - 1);
        let value = HeaderValue::try_from(text).map_err(|_| Refused::range(size))?;
        answer.insert(header::CONTENT_RANGE, value);
    }
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        file.seek(SeekFrom::Start(start)).await?;
        Body::from_stream(ReaderStream::with_capacity(file.take(end - start), CHUNK))
    };
    Ok((status, answer, body).into_response())
}

async fn put(
    served: &Served,
    key: &str,
    signed: &presigned::Signed,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let LocalBlobs { files, uploads, .. } = &served.blobs;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|length| length > served.max_put) {
        return Err(Refused::too_large(served.max_put));
    }
    // Known before the bytes are taken: an upload that is gone takes none.
    let place = match (&signed.upload, signed.part, signed.checksum) {
        (Some(upload), Some(number), Some(checksum)) => {
            uploads.place(key, upload, Part { number, checksum })?
        }
        _ => files.path(key),
    };
    let incoming = files.incoming();
    let digest = receive(&incoming.path, body, served.max_put).await?;
    if signed.checksum.is_some_and(|checksum| checksum != digest) {
        return Err(checksum_differs().into());
    }
    let (uploads, is_part) = (uploads.clone(), signed.upload.is_some());
    let keep = move || {
        if is_part { uploads.keep(incoming, &place) } else { incoming.keep(&place) }
    };
    blocking(keep).await?;
    Ok(StatusCode::OK.into_response())
}

/// Writes the body to a file as it comes, and sums it up on the way.
async fn receive(path: &std::path::Path, body: Body, max: u64) -> Result<Checksum, Refused> {
    let mut file = File::create_new(path).await?;
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Refused::interrupted())?;
        size += chunk.len() as u64;
        if size > max {
            return Err(Refused::too_large(max));
        }
        hash.update(&chunk);
        file.write_all(&chunk).await?;
    }
    // The write behind it may still fail; that is known only now.
    file.flush().await?;
    Ok(Checksum::from_digest(hash.finalize().into()))
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::from(Error::NotFound(String::new())),
            _ => Self::from(Error::unavailable(error)),
        }
    }
}
