//! Jobs and their histories, in short.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "tests")]

use dcmp_domain::{
    job::{
        self, Attempt, Event, Failure, Input, Job, New, Outcome, Output, Refusal, Tensors, Wants,
    },
    lease,
    model::Pin,
};

/// When everything happens, unless a test says otherwise; in epoch microseconds.
pub(crate) const NOW: u64 = 1_800_000_000_000_000;

pub(crate) fn settings() -> lease::Settings {
    lease::Settings::default()
}

/// A job as it is accepted.
pub(crate) fn job() -> Job {
    let new = New {
        id: "infer_1".to_owned(),
        customer: "cust_1".to_owned(),
        project: None,
        model: Pin { id: "model_1".to_owned(), version: 1, revision: 1 },
        input: Input::Inline(Tensors::encode(&[(); 0]).unwrap()),
        by_name: false,
        adapted: None,
        wants: Wants::default(),
        chunk: None,
        body_hash: None,
        attended_ms: Some(20_000),
        deadline_ms: 300_000,
    };
    Job::new(new, NOW - 1_000)
}

pub(crate) fn assign(fence: &str) -> Event {
    Event::Assign(Attempt {
        fence: fence.to_owned(),
        device: format!("dev_{fence}"),
        session: "session".to_owned(),
        sent_us: NOW,
        end: None,
    })
}

pub(crate) fn declined(fence: &str) -> Event {
    Event::Declined { fence: fence.to_owned(), reason: "busy".to_owned() }
}

pub(crate) fn refused(fence: &str) -> Event {
    Event::Refused { fence: fence.to_owned(), reason: "it takes no work now".to_owned() }
}

pub(crate) fn failed(fence: &str, retryable: bool) -> Event {
    let message = "it did not work".to_owned();
    let failure = Failure { code: "MODEL_FAILED".to_owned(), message };
    Event::Failed { fence: fence.to_owned(), failure, retryable }
}

pub(crate) fn lost(fence: &str) -> Event {
    Event::Lost { fence: fence.to_owned(), reason: "the device went away".to_owned() }
}

/// The job after these events, none of which may be refused.
#[track_caller]
pub(crate) fn after(job: &Job, events: impl IntoIterator<Item = Event>) -> Job {
    events.into_iter().fold(job.clone(), |job, event| {
        let next = job.decide(event, NOW, &settings()).unwrap().job;
        assert_eq!(next.version, job.version + 1);
        next
    })
}

#[track_caller]
pub(crate) fn refusal(job: &Job, event: Event) -> Refusal {
    job.decide(event, NOW, &settings()).unwrap_err()
}

/// The job with a result, as the store applies one: on the condition that its fence is live.
pub(crate) fn done(job: &Job, fence: &str) -> Option<Job> {
    finished(job, fence, 0.0, 1.0, NOW)
}

pub(crate) fn finished(
    job: &Job,
    fence: &str,
    queue: f64,
    compute: f64,
    now_us: u64,
) -> Option<Job> {
    job.fences.get(fence)?;
    let outcome = Outcome {
        failed: 0,
        fence: fence.to_owned(),
        result: Output::Inline(Tensors::encode(&[(); 0]).unwrap()),
        queue_ms: queue,
        compute_ms: compute,
        cpu_ms: compute,
        gpu_ms: 0.0,
    };
    let mut job = job.clone();
    job.version += 1;
    job::finish(outcome, now_us).apply(&mut job);
    Some(job)
}
