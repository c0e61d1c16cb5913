//! `GET /inference/{job_id}/results`

use api::{Auth, Customer, Paging, Path, Result, Route, encode_cursor, routes, scope};
use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use domain::access::Scope;
use futures::stream;
use ports::Action;
use protocol::rest::batch::Results;
use service::{App, Error, POSTPROCESS_FUNCTION, batch};

/// A line each.
const NDJSON: &str = "application/x-ndjson";

/// Where the next answer begins, when this one is cut off.
const NEXT: &str = "x-next-cursor";

/// How many results are read at a time for a stream of lines.
const STEP: usize = 1_000;

pub(crate) fn route() -> Route {
    Route::new("inference-results", routes!(results))
        .auth(Auth::Customer(Scope::Infer))
        .memory_mb(512)
        .uses(&[Action::GetRecords, Action::ReadBlobs, Action::Call(POSTPROCESS_FUNCTION)])
}

/// The results of a batch
///
/// Those that are there, in the order of the inputs: a page, or with `Accept: application/x-ndjson` all
/// of them, a line each. `next_cursor` is known as long as there are more to come, now or later. A
/// deployment whose answers are bounded ends the lines early, and says where the next answer begins in
/// `X-Next-Cursor`.
#[utoipa::path(
    get,
    path = "/inference/{job_id}/results",
    tag = "Inference",
    params(("job_id" = String, Path, description = "The batch's id"), Paging),
    responses((status = 200, body = Results))
)]
async fn results(
    State(app): State<App>,
    caller: Customer<scope::Infer>,
    Path(id): Path<String>,
    paging: Paging,
    headers: HeaderMap,
) -> Result<Response> {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let cursor = paging.cursor.as_deref();
    if accept.is_some_and(|accept| accept.contains(NDJSON)) {
        return lines(app, caller.customer.clone(), id, paging.cursor).await;
    }
    let bytes = batch::MAX_PAGE_BYTES;
    let mut page = batch::page(&app, &caller.customer, &id, cursor, paging.limit, bytes).await?;
    page.next_cursor = encode_cursor(page.next_cursor);
    Ok(Json(page).into_response())
}

/// All results as lines, a piece at a time; only the first if answers are bounded.
async fn lines(app: App, customer: String, id: String, cursor: Option<String>) -> Result<Response> {
    let step = if app.settings().bounded_answers { usize::MAX } else { STEP };
    let bytes = batch::MAX_PAGE_BYTES;
    let first = batch::page(&app, &customer, &id, cursor.as_deref(), step, bytes).await?;
    if app.settings().bounded_answers {
        let next = encode_cursor(first.next_cursor.clone());
        let mut answer = ([(header::CONTENT_TYPE, NDJSON)], text(&first)?).into_response();
        if let Some(next) = next.and_then(|next| next.parse().ok()) {
            answer.headers_mut().insert(NEXT, next);
        }
        return Ok(answer);
    }
    let pages = stream::try_unfold(Some(Next::Page(first)), move |state| {
        let (app, customer, id) = (app.clone(), customer.clone(), id.clone());
        async move {
            let page = match state {
                None => return Ok(None),
                Some(Next::Page(page)) => page,
                Some(Next::Cursor(cursor)) => {
                    batch::page(&app, &customer, &id, Some(&cursor), STEP, bytes).await?
                }
            };
            // of a batch that goes on this is where it stands now
            let is_last = page.results.is_empty();
            let next = page.next_cursor.clone().filter(|_| !is_last).map(Next::Cursor);
            Ok::<_, Error>(Some((text(&page)?, next)))
        }
    });
    Ok(([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(pages)).into_response())
}

/// What a stream of lines goes on with.
enum Next {
    Page(Results),
    Cursor(String),
}

fn text(page: &Results) -> std::result::Result<Bytes, Error> {
    let mut lines = Vec::new();
    for item in &page.results {
        serde_json::to_writer(&mut lines, item).map_err(Error::internal)?;
        lines.push(b'\n');
    }
    Ok(lines.into())
}
