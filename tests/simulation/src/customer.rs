//! Simulated customers: they ask, wait, ask again when they got no answer, look, look where they must
//! not, and change their minds.

mod batch;

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, StatusCode};
use ports::Clock;
use protocol::rest::inference::Job;
use serde_json::{Value, json};

use crate::{
    dice::Dice,
    ledger::{Asked, Ledger},
    model::{Model, Poison, floats_of},
    platform::{BASE, Platform},
};

/// How long a customer waits before it asks again.
const AGAIN: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(6)];

/// How often a request without an answer is made again, by a customer who can tell that it is the same.
const TRIES: u32 = 12;

/// How many customers there are; each has as many of the models.
pub(crate) const CUSTOMERS: usize = 4;

/// How often, of 1, a customer does what it does now and then.
const CANCELS: f64 = 0.03;
const LOOKS_ELSEWHERE: f64 = 0.03;

/// How long a job may take, in milliseconds: longer than every fault together.
const DEADLINE_MS: u64 = 1_200_000;

/// Who asks.
pub(crate) struct Customer {
    pub(crate) number: usize,
    pub(crate) key: String,
    /// The key of another.
    pub(crate) foreign_key: String,
    pub(crate) models: Arc<Vec<Model>>,
    pub(crate) platform: Arc<Platform>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A request as it is made, however often.
struct Wanted {
    /// Its place in the ledger.
    number: usize,
    body: Value,
    headers: Vec<(&'static str, String)>,
    query: &'static str,
    idempotent: bool,
}

impl Customer {
    fn dice(&self) -> &Dice {
        &self.platform.weather.dice
    }

    async fn rest(&self) {
        self.clock.sleep(self.dice().duration(AGAIN[0], AGAIN[1])).await;
    }

    /// One request, from the first try to the end of its job.
    pub(crate) async fn ask(&self, poison: Poison) {
        let wanted = self.want(poison);
        for _ in 0..TRIES {
            let answer = self.submit(&wanted).await;
            match answer {
                Some((StatusCode::OK, body)) => {
                    let Some(job) = self.read::<Job>(&body) else { return };
                    self.accept(&wanted, &job.job_id);
                    self.ended(wanted.number, &job);
                    return self.afterwards(wanted.number, &job.job_id).await;
                }
                Some((StatusCode::ACCEPTED, body)) => {
                    let Some(accepted) = self.read::<Value>(&body) else { return };
                    let id = accepted["job_id"].as_str().unwrap_or_default().to_owned();
                    self.accept(&wanted, &id);
                    return self.follow(wanted.number, &id).await;
                }
                Some((status, body)) if !may_pass(status) => {
                    let body = String::from_utf8_lossy(&body).into_owned();
                    return self
                        .ledger
                        .violated(format!("a good request was answered {status}: {body}"));
                }
                Some(_) => self.ledger.count("requests refused for now"),
                None => self.ledger.count("requests without an answer"),
            }
            if !wanted.idempotent {
                return;
            }
            self.rest().await;
        }
    }

    /// One of the customer's own models.
    pub(crate) fn model(&self) -> Model {
        let each = self.models.len() / CUSTOMERS;
        let own = self.number * each + self.dice().below(each as u64) as usize;
        self.models[own].clone()
    }

    /// Makes up a request.
    fn want(&self, poison: Poison) -> Wanted {
        let dice = self.dice();
        let model = self.model();
        let mut ledger = self.ledger.lock();
        let number = ledger.asked.len();
        let length = match dice.below(100) {
            // in the item, only with the caller, by reference
            0..90 => 4,
            90..98 => 200,
            _ => 8_000,
        };
        let mut input = vec![number as f32, poison.mark()];
        input.resize_with(length, || dice.below(1_000) as f32);
        let (shape, data) = ([1, length], input.clone());
        ledger.asked.push(Asked {
            model: model.clone(),
            input,
            poison,
            accepted: None,
            cancels: false,
            cancelled: false,
            ended: None,
        });
        drop(ledger);
        let mut body = json!({
            "model_id": model.id,
            "input": { "data": data, "shape": shape },
            "options": { "deadline_ms": DEADLINE_MS },
            "placement": if dice.happens(0.5) { "shared" } else { "own" },
        });
        let mut headers = Vec::new();
        let mut query = "";
        match dice.below(8) {
            0 => headers.push(("x-async", "true".to_owned())),
            1 => headers.push(("prefer", "respond-async".to_owned())),
            2 => query = "?async=true",
            3 => body["async"] = true.into(),
            4 => headers.push(("prefer", format!("wait={}", dice.below(10)))),
            5 => body["options"]["timeout"] = dice.below(10_000).into(),
            _ => {}
        }
        let idempotent = dice.happens(0.6);
        if idempotent {
            headers.push(("idempotency-key", format!("request-{number}")));
        }
        Wanted { number, body, headers, query, idempotent }
    }

    async fn submit(&self, wanted: &Wanted) -> Option<(StatusCode, Bytes)> {
        let Wanted { body, headers, query, .. } = wanted;
        let path = format!("/inference{query}");
        self.http("POST", &path, &self.key, headers, Body::from(body.to_string())).await
    }

    /// A request with a key, and its answer if there is one.
    pub(crate) async fn http(
        &self,
        method: &str,
        path: &str,
        key: &str,
        headers: &[(&'static str, String)],
        body: Body,
    ) -> Option<(StatusCode, Bytes)> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{BASE}{}{path}", api::BASE_PATH))
            .header("x-api-key", key)
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        self.platform.http(request.body(body).ok()?).await
    }

    /// An answer, with nothing in it that is another customer's.
    fn read<T: serde::de::DeserializeOwned>(&self, body: &Bytes) -> Option<T> {
        let text = String::from_utf8_lossy(body);
        let ledger = self.ledger.lock();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let foreign =
            |word: &&str| ledger.owners.get(*word).is_some_and(|owner| *owner != self.number);
        let found = words.filter(|word| word.len() > 32).find(foreign).map(str::to_owned);
        drop(ledger);
        if let Some(id) = found {
            let number = self.number;
            self.ledger.violated(format!("customer {number} was shown {id}, which is another's"));
        }
        let read = serde_json::from_slice(body);
        if read.is_err() {
            self.ledger.violated(format!("an answer that is none: {text}"));
        }
        read.ok()
    }

    /// The customer is told of its job: always of the same one.
    fn accept(&self, wanted: &Wanted, id: &str) {
        let mut ledger = self.ledger.lock();
        let before = ledger.owners.insert(id.to_owned(), self.number);
        let asked = &mut ledger.asked[wanted.number];
        let known = asked.accepted.replace(id.to_owned());
        drop(ledger);
        self.ledger.count("jobs accepted");
        if known.as_ref().is_some_and(|known| known != id) || known.is_none() && before.is_some() {
            self.ledger.violated(format!(
                "request {} was given the job {id}, before {known:?}",
                wanted.number
            ));
        }
    }

    /// The end of a job, as the customer is told it: always the same.
    fn ended(&self, number: usize, job: &Job) {
        let mut ledger = self.ledger.lock();
        let asked = &mut ledger.asked[number];
        let id = &job.job_id;
        let mut wrong = None;
        if asked.ended.as_ref().is_some_and(|before| *before != job.status) {
            wrong = Some(format!("{id} was {:?} and then {}", asked.ended, job.status));
        }
        if asked.cancelled && job.status != "cancelled" {
            wrong = Some(format!("{id} was cancelled and then {}", job.status));
        }
        if job.status == "completed" {
            let result = job.result.as_ref().map_or("null", |result| result.get());
            let result: Value = serde_json::from_str(result).unwrap_or_default();
            if floats_of(&result["data"]) != Some(asked.model.run(&asked.input)) {
                wrong = Some(format!("{id} has a wrong result"));
            }
        }
        asked.ended = Some(job.status.clone());
        drop(ledger);
        if let Some(wrong) = wrong {
            self.ledger.violated(wrong);
        }
    }

    /// Looks until the job is over.
    async fn follow(&self, number: usize, id: &str) {
        let cancels = self.dice().happens(CANCELS);
        let mut pause = self.dice().duration(AGAIN[0], AGAIN[1]);
        let path = format!("/inference/{id}");
        loop {
            self.clock.sleep(pause).await;
            if cancels {
                self.cancel(number, id).await;
            }
            match self.http("GET", &path, &self.key, &[], Body::empty()).await {
                Some((StatusCode::OK, body)) => {
                    let Some(job) = self.read::<Job>(&body) else { return };
                    if !matches!(&*job.status, "queued" | "running") {
                        self.ended(number, &job);
                        return self.afterwards(number, id).await;
                    }
                }
                Some((status, body)) if !may_pass(status) => {
                    let body = String::from_utf8_lossy(&body).into_owned();
                    return self.ledger.violated(format!("{id} was answered {status}: {body}"));
                }
                _ => {}
            }
            pause = (pause * 3 / 2).min(Duration::from_secs(20));
        }
    }

    /// After the end: now and then it is looked at once more, and by somebody else.
    async fn afterwards(&self, number: usize, id: &str) {
        if !self.dice().happens(LOOKS_ELSEWHERE) {
            return;
        }
        self.rest().await;
        let path = format!("/inference/{id}");
        self.hidden(&path).await;
        if let Some((StatusCode::OK, body)) =
            self.http("GET", &path, &self.key, &[], Body::empty()).await
            && let Some(job) = self.read::<Job>(&body)
        {
            self.ended(number, &job);
        }
    }

    /// What is at this path is not there for others.
    async fn hidden(&self, path: &str) {
        for method in ["GET", "DELETE"] {
            let answer = self.http(method, path, &self.foreign_key, &[], Body::empty()).await;
            if let Some((status, _)) = answer
                && status != StatusCode::NOT_FOUND
                && !status.is_server_error()
            {
                let wrong = format!("a stranger's {method} of {path} was answered {status}");
                self.ledger.violated(wrong);
            }
        }
    }

    async fn cancel(&self, number: usize, id: &str) {
        self.ledger.lock().asked[number].cancels = true;
        let path = format!("/inference/{id}");
        let answer = self.http("DELETE", &path, &self.key, &[], Body::empty()).await;
        if let Some((StatusCode::OK, _)) = answer {
            self.ledger.count("jobs cancelled");
            self.ledger.lock().asked[number].cancelled = true;
        }
    }
}

/// Whether asking again may help: something broke, nothing is connected, or the first try still runs.
fn may_pass(status: StatusCode) -> bool {
    status.is_server_error()
        || status == StatusCode::CONFLICT
        || status == StatusCode::TOO_MANY_REQUESTS
}
