//! Batches: submitted, followed, read page by page, and now and then cancelled.

use std::time::Duration;

use axum::body::Body;
use http::StatusCode;
use protocol::rest::batch::{Item, Results, Shown};
use serde_json::{Value, json};

use super::{AGAIN, Customer, TRIES, may_pass};
use crate::{
    ledger::AskedBatch,
    model::{Poison, floats_of},
};

/// How many inputs a batch has.
const INPUTS: [u64; 2] = [5, 400];

/// How often, of 1, an input of a batch is poison, and a batch is cancelled.
const POISON: f64 = 0.01;
const CANCELS: f64 = 0.15;

/// How many results are read at once.
const PAGE: usize = 70;

impl Customer {
    /// One batch, from the first try to its last result.
    pub(crate) async fn ask_many(&self, is_foul: bool) {
        let (number, body) = self.want_many(is_foul);
        let headers = [("idempotency-key", format!("batch-{number}"))];
        for _ in 0..TRIES {
            let body = Body::from(body.to_string());
            let answer = self.http("POST", "/inference/batch", &self.key, &headers, body).await;
            match answer {
                Some((StatusCode::ACCEPTED, body)) => {
                    let Some(accepted) = self.read::<Value>(&body) else { return };
                    let id = accepted["job_id"].as_str().unwrap_or_default().to_owned();
                    self.accept_batch(number, &id);
                    return self.follow_batch(number, &id).await;
                }
                Some((status, body)) if !may_pass(status) => {
                    let body = String::from_utf8_lossy(&body);
                    let wrong = format!("a good batch was answered {status}: {body}");
                    return self.ledger.violated(wrong);
                }
                _ => self.ledger.count("batches refused for now"),
            }
            self.rest().await;
        }
    }

    /// Makes up a batch.
    fn want_many(&self, is_foul: bool) -> (usize, Value) {
        let dice = self.dice();
        let model = self.model();
        let count = dice.between(INPUTS[0], INPUTS[1]);
        let input = |number| {
            let is_poison = is_foul && dice.happens(POISON);
            let poison = if is_poison { Poison::Refused } else { Poison::None };
            vec![number as f32, poison.mark(), dice.below(1_000) as f32]
        };
        let inputs: Vec<Vec<f32>> = (0..count).map(input).collect();
        let listed: Vec<_> =
            inputs.iter().map(|data| json!({ "data": data, "shape": [1, data.len()] })).collect();
        let body = json!({
            "model_id": model.id,
            "inputs": listed,
            "placement": if dice.happens(0.5) { "shared" } else { "own" },
        });
        let mut ledger = self.ledger.lock();
        let number = ledger.batches.len();
        ledger.batches.push(AskedBatch { model, inputs, ..AskedBatch::default() });
        (number, body)
    }

    fn accept_batch(&self, number: usize, id: &str) {
        let mut ledger = self.ledger.lock();
        ledger.owners.insert(id.to_owned(), self.number);
        let known = ledger.batches[number].accepted.replace(id.to_owned());
        drop(ledger);
        self.ledger.count("batches accepted");
        if known.as_ref().is_some_and(|known| known != id) {
            self.ledger.violated(format!("batch {number} is {id}, and was {known:?} before"));
        }
    }

    /// Looks until the batch is over, and then at its results.
    async fn follow_batch(&self, number: usize, id: &str) {
        let mut cancels = self.dice().happens(CANCELS);
        let mut pause = self.dice().duration(AGAIN[0], AGAIN[1]);
        let path = format!("/inference/{id}?limit=1");
        let mut over = 0;
        loop {
            self.clock.sleep(pause).await;
            if cancels {
                cancels = !self.cancel_batch(number, id).await;
            }
            match self.http("GET", &path, &self.key, &[], Body::empty()).await {
                Some((StatusCode::OK, body)) => {
                    let Some(shown) = self.read::<Shown>(&body) else { return };
                    let progress = shown.batch.progress;
                    let now_over = progress.completed + progress.failed;
                    if now_over < over || now_over > progress.total {
                        let wrong = format!("{id} had {over} inputs that were over: {progress:?}");
                        return self.ledger.violated(wrong);
                    }
                    over = now_over;
                    let status = shown.batch.status;
                    if !matches!(&*status, "queued" | "running") {
                        self.ledger.lock().batches[number].ended = Some(status);
                        return self.results(number, id, progress.completed).await;
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

    /// Whether it was cancelled, or is over.
    async fn cancel_batch(&self, number: usize, id: &str) -> bool {
        self.ledger.lock().batches[number].cancels = true;
        let path = format!("/inference/{id}");
        match self.http("DELETE", &path, &self.key, &[], Body::empty()).await {
            Some((StatusCode::OK, _)) => {
                self.ledger.count("batches cancelled");
                true
            }
            Some((StatusCode::CONFLICT, _)) => true,
            _ => false,
        }
    }

    /// Reads every result: each input's once, in order, and right.
    async fn results(&self, number: usize, id: &str, completed: u64) {
        self.hidden(&format!("/inference/{id}")).await;
        let mut cursor = String::new();
        let (mut next, mut right) = (0, 0);
        loop {
            let path = format!("/inference/{id}/results?limit={PAGE}{cursor}");
            let Some((status, body)) = self.http("GET", &path, &self.key, &[], Body::empty()).await
            else {
                self.rest().await;
                continue;
            };
            if status != StatusCode::OK {
                if !may_pass(status) {
                    let body = String::from_utf8_lossy(&body);
                    let wrong = format!("results of {id} were answered {status}: {body}");
                    return self.ledger.violated(wrong);
                }
                self.rest().await;
                continue;
            }
            let Some(page) = self.read::<Results>(&body) else { return };
            for item in &page.results {
                if let Err(wrong) = self.is_right(number, item, next) {
                    return self.ledger.violated(format!("{id}: {wrong}"));
                }
                next = item.index + 1;
                right += u64::from(item.status == "completed");
            }
            match page.next_cursor {
                Some(after) => cursor = format!("&cursor={after}"),
                None => break,
            }
        }
        let ledger = self.ledger.lock();
        let asked = &ledger.batches[number];
        let all = asked.inputs.len() as u64;
        // of one that was stopped, chunks that ended since are there and are not counted
        let is_whole = asked.ended.as_deref() == Some("completed");
        drop(ledger);
        if is_whole && (next, right) != (all, completed) {
            let wrong =
                format!("{id} has {next} of {all} results, {right} right, {completed} counted");
            self.ledger.violated(wrong);
        }
    }

    fn is_right(&self, number: usize, item: &Item, next: u64) -> Result<(), String> {
        let ledger = self.ledger.lock();
        let asked = &ledger.batches[number];
        let is_cancelled = asked.cancels;
        let index = item.index;
        if index < next || index != next && !is_cancelled {
            return Err(format!("the result of input {index} came in the place of {next}"));
        }
        let Some(input) = asked.inputs.get(index as usize) else {
            return Err(format!("there is no input {index}"));
        };
        let poison = Poison::of(input);
        let code = item.error.as_ref().map(|error| &*error.code);
        match &*item.status {
            "completed" if poison == Poison::None => {
                let result = item.result.as_ref().map_or("null", |result| result.get());
                let result: Value = serde_json::from_str(result).unwrap_or_default();
                match floats_of(&result["data"]) == Some(asked.model.run(input)) {
                    true => Ok(()),
                    false => Err(format!("input {index} has a wrong result")),
                }
            }
            // whether its chunk could not be run is judged at the end
            "failed" if poison.reason() == code || code == Some("DEVICE_LOST") => Ok(()),
            "cancelled" if is_cancelled => Ok(()),
            other => Err(format!("input {index}, {poison:?}, is {other}, {code:?}")),
        }
    }
}
