//! What becomes of a job: each decision once by hand, then the promises over random histories.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use dcmp_domain::job::{EndKind, Event, Failure, Input, Job, Refusal, State, Tensors};
use support::*;

#[test]
fn a_new_job_is_queued_and_nobody_works_on_it() {
    let job = job();
    assert_eq!(job.state, State::Queued);
    assert_eq!((job.version, job.tried()), (1, 0));
    assert!(job.fences.is_empty() && job.working().next().is_none());
    assert!(job.is_attended(job.created_us) && !job.is_attended(job.attended_until_us));
}

#[test]
fn an_assigned_job_runs() {
    let job = after(&job(), [assign("a")]);
    assert_eq!(job.state, State::Running);
    assert_eq!((job.version, job.tried()), (2, 1));
    assert_eq!(job.fences["a"], 0);
}

#[test]
fn a_declined_attempt_does_not_count() {
    let job = after(&job(), [assign("a"), declined("a")]);
    assert_eq!(job.state, State::Queued);
    assert_eq!(job.tried(), 0);
    assert_eq!(job.attempts[0].end.as_ref().unwrap().kind, EndKind::Declined);
    assert_eq!(refusal(&job, declined("a")), Refusal::Stale);
}

#[test]
fn at_most_three_are_tried_a_hedge_included() {
    let job = after(&job(), [assign("a"), assign("hedge"), failed("a", true), assign("c")]);
    assert_eq!((job.state, job.tried()), (State::Running, 3));
    assert_eq!(job.working().count(), 2);
    assert_eq!(refusal(&job, assign("d")), Refusal::Exhausted);
    // one that declines makes room again
    let job = after(&job, [declined("hedge"), assign("d")]);
    assert_eq!(job.tried(), 3);
}

#[test]
fn a_failure_that_others_would_share_ends_the_job() {
    let job = after(&job(), [assign("a"), failed("a", false)]);
    assert_eq!(job.state, State::Failed);
    assert_eq!(job.failure.unwrap().code, "MODEL_FAILED");
    assert_eq!(job.ended_us, Some(NOW));
}

#[test]
fn a_failure_beside_a_hedge_leaves_the_hedge_running() {
    let job = after(&job(), [assign("a"), assign("hedge"), failed("a", false)]);
    assert_eq!(job.state, State::Running);
    assert_eq!(job.working().next().unwrap().fence, "hedge");
    assert!(done(&job, "a").is_none());
    assert_eq!(done(&job, "hedge").unwrap().state, State::Completed);
}

#[test]
fn the_last_retryable_failure_ends_the_job() {
    let history = ["a", "b", "c"].iter().flat_map(|f| [assign(f), failed(f, true)]);
    let job = after(&job(), history);
    assert_eq!((job.state, job.tried()), (State::Failed, 3));
}

#[test]
fn a_late_result_is_welcome_until_somebody_took_over() {
    let lost = after(&job(), [assign("a"), lost("a")]);
    assert_eq!(lost.state, State::Queued);
    assert_eq!(done(&lost, "a").unwrap().state, State::Completed);
    let replaced = after(&lost, [assign("b")]);
    assert!(done(&replaced, "a").is_none());
    assert_eq!(refusal(&replaced, failed("a", true)), Refusal::Stale);
}

#[test]
fn what_a_lost_device_says_beside_a_result_changes_nothing() {
    let job = after(&job(), [assign("a"), lost("a")]);
    assert_eq!(refusal(&job, failed("a", false)), Refusal::Repeated);
    assert_eq!(refusal(&job, lost("a")), Refusal::Repeated);
    assert_eq!(refusal(&job, declined("a")), Refusal::Repeated);
}

#[test]
fn the_loss_of_the_last_attempt_ends_the_job() {
    let history = ["a", "b", "c"].iter().flat_map(|f| [assign(f), lost(f)]);
    let job = after(&job(), history);
    assert_eq!(job.state, State::Failed);
    let failure = job.failure.clone().unwrap();
    assert_eq!(failure.code, "DEVICE_LOST");
    assert!(failure.message.contains("the device went away"), "{}", failure.message);
    assert!(done(&job, "c").is_none());
}

#[test]
fn a_cancelled_job_tells_who_works_on_it() {
    let before = after(&job(), [assign("a"), lost("a"), assign("b"), assign("c")]);
    let decision = before.decide(Event::Cancel, NOW, &settings()).unwrap();
    let told: Vec<_> = decision.stop.iter().map(|attempt| attempt.fence.as_str()).collect();
    assert_eq!(told, ["b", "c"]);
    let job = decision.job;
    assert_eq!((job.state, job.failure.as_ref()), (State::Cancelled, None));
    for event in [Event::Cancel, Event::Expire, assign("d"), failed("b", true), lost("c")] {
        assert_eq!(refusal(&job, event), Refusal::Ended);
    }
}

#[test]
fn a_deadline_passes_when_it_passes_and_says_what_came_before() {
    let fresh = job();
    assert_eq!(refusal(&fresh, Event::Expire), Refusal::Early);
    let histories = [
        (vec![], "before a device was free"),
        (vec![assign("a")], "while a device worked on it"),
        (vec![assign("a"), lost("a")], "before that: the device went away"),
    ];
    for (history, words) in histories {
        let job = after(&fresh, history);
        let decision = job.decide(Event::Expire, job.deadline_us, &settings()).unwrap();
        let failure = decision.job.failure.unwrap();
        assert_eq!((decision.job.state, &*failure.code), (State::TimedOut, "DEADLINE_EXCEEDED"));
        assert!(failure.message.contains(words), "{}", failure.message);
    }
}

#[test]
fn an_abandoned_job_fails_as_it_is_told() {
    let failure = Failure { code: "NO_MODEL".to_owned(), message: "it was deleted".to_owned() };
    let job = after(&job(), [Event::Abandon(failure.clone())]);
    assert_eq!((job.state, job.failure), (State::Failed, Some(failure)));
}

#[test]
fn the_parts_of_the_time_never_exceed_the_whole() {
    let job = after(&job(), [assign("a")]);
    assert_eq!(job.timings_ms(), None);
    // more than the platform saw, less than nothing, and no number at all
    let claims =
        [(50.0, 1e9), (1e9, 50.0), (-1e300, 1.0), (1.0, -1e300), (f64::NAN, f64::INFINITY)];
    for (queue, compute) in claims {
        let job = finished(&job, "a", queue, compute, NOW + 100_000).unwrap();
        let [queue, transfer, compute, total] = job.timings_ms().unwrap();
        assert_eq!(total, 101.0);
        assert!((queue + transfer + compute - total).abs() < 1e-9);
        assert!([queue, transfer, compute].iter().all(|part| (0.0..=total).contains(part)));
    }
}

#[test]
fn a_job_that_many_decline_forgets_them_and_stays_small() {
    let mut job = after(&job(), [assign("kept")]);
    for round in 0..1_000 {
        let fence = format!("busy{round}");
        job = after(&job, [assign(&fence), declined(&fence)]);
        assert!(job.attempts.len() <= 17, "{} attempts", job.attempts.len());
    }
    assert_eq!((job.state, job.tried()), (State::Running, 1));
    assert_eq!(job.working().next().unwrap().fence, "kept");
}

#[test]
fn a_call_lets_go_of_its_job_and_is_told_how_it_stands() {
    let input = Input::Inline(Tensors::encode(&[1]).unwrap());
    let waiting = job();
    assert_eq!(waiting.accepted_as, None);
    let queued = after(&waiting, [Event::LetGo(input.clone())]);
    assert!(!queued.is_attended(NOW));
    assert_eq!((queued.accepted_as, &queued.input), (Some(State::Queued), &input));
    let running = after(&waiting, [assign("a"), Event::LetGo(input)]);
    assert_eq!(running.accepted_as, Some(State::Running));
    // what comes later is no answer to the call any more
    assert_eq!(done(&running, "a").unwrap().accepted_as, Some(State::Running));
}

/// Which devices rest, and for how long from now, in milliseconds.
fn resting(job: &Job, now_us: u64) -> Vec<(&str, bool, u64)> {
    let all = job.resting(now_us);
    all.map(|rests| (rests.device, rests.refused, (rests.until_us - now_us) / 1000)).collect()
}

#[test]
fn a_full_device_rests_longer_with_every_decline() {
    let (mut job, mut pauses) = (job(), Vec::new());
    for round in 0..40 {
        let fence = format!("{round}");
        job = after(&job, [assign(&fence), declined(&fence)]);
        let all = resting(&job, NOW);
        pauses.push(all.iter().map(|(.., pause)| *pause).max().unwrap());
    }
    assert_eq!(pauses[..4], [10, 20, 40, 80]);
    assert!(pauses.is_sorted() && *pauses.last().unwrap() == 1_000, "{pauses:?}");
    assert_eq!(resting(&job, NOW + 1_000_000), []);
    // without a caller there is no hurry
    let job = after(&job, [Event::LetGo(Input::Caller)]);
    assert!(resting(&job, NOW).iter().all(|(.., pause)| *pause == 60_000));
}

#[test]
fn a_device_that_refused_rests_for_longer_than_a_caller_waits() {
    let job = after(&job(), [assign("a"), refused("a"), assign("b"), lost("b"), assign("c")]);
    assert_eq!((job.state, job.tried()), (State::Running, 2));
    assert_eq!(refusal(&job, refused("a")), Refusal::Stale);
    assert_eq!(resting(&job, NOW), [("dev_a", true, 60_000)]);
    assert!(settings().sync_max_ms < 60_000);
}
