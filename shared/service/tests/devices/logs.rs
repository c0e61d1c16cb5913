//! What a device says when its owner asks for its log.

use std::time::Duration;

use dcmp_service::{
    Error,
    devices::logs::{self, Answer, Question},
};
use protocol::{
    rest::devices as rest,
    socket::{LogFilter, LogLevel, LogLine, Logs, LogsPull, Share},
};

use crate::support::{Device, Platform, hello};

fn line(number: usize, level: LogLevel) -> LogLine {
    let time = "2026-01-01T01:00:00+01:00".to_owned();
    LogLine { time, level, message: format!("line {number}") }
}

fn part(request_id: &str, part: u32, more: bool, count: usize) -> Logs {
    let lines = (0..count).map(|number| line(number, LogLevel::Info)).collect();
    Logs { request_id: request_id.to_owned(), lines, part, more }
}

/// Asks without waiting; the question as the device hears it.
async fn ask(platform: &Platform, device: &mut Device<'_>, lines: u32) -> LogsPull {
    let question = Question { lines: Some(lines), level: None, timeout_ms: Some(0) };
    let answer = logs::pull(&platform.app, &platform.customer, &device.id, question).await;
    let Answer::Pending(pending) = answer.unwrap() else { panic!("nobody answered") };
    let pull: LogsPull = serde_json::from_str(&device.hears("logsPull").await).unwrap();
    assert_eq!(pull.request_id, pending.request_id);
    let poll_url = format!("/api/v1/devices/{}/logs/{}", device.id, pull.request_id);
    assert_eq!(pending.poll_url, poll_url);
    pull
}

async fn answers(platform: &Platform, device: &Device<'_>, logs: Logs) -> Result<(), Error> {
    let known = device.known().await.unwrap();
    dcmp_service::devices::logs::answered(&platform.app, &known, logs).await
}

async fn look(
    platform: &Platform,
    device: &str,
    request: &str,
) -> Result<Option<rest::Logs>, Error> {
    match logs::get(&platform.app, &platform.customer, device, request).await? {
        Answer::Complete(logs) => Ok(Some(logs)),
        Answer::Pending(_) => Ok(None),
    }
}

#[track_caller]
fn assert_refused<T>(answer: Result<T, Error>, word: &str) {
    match answer {
        Err(
            error @ (Error::Invalid(_)
            | Error::Conflict(_)
            | Error::Forbidden(_)
            | Error::NotFound(_)),
        ) => {
            assert!(error.to_string().contains(word), "{error}");
        }
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it was allowed, without `{word}`"),
    }
}

#[tokio::test]
async fn whoever_waits_is_woken_by_the_answer() {
    let platform = Platform::start().await;
    let mut device = platform.device("one").await;
    let id = device.id.clone();
    let question = Question { level: Some("warn"), ..Question::default() };
    let waits = logs::pull(&platform.app, &platform.customer, &id, question);
    let says = async {
        let pull: LogsPull = serde_json::from_str(&device.hears("logsPull").await).unwrap();
        assert_eq!((pull.lines, pull.level), (100, LogFilter::From(LogLevel::Warn)));
        // it knows no levels
        let lines = vec![line(1, LogLevel::Info), line(2, LogLevel::Error)];
        let logs = Logs { request_id: pull.request_id, lines, part: 0, more: false };
        answers(&platform, &device, logs).await.unwrap();
    };
    let (answer, ()) = tokio::join!(waits, says);
    let Answer::Complete(logs) = answer.unwrap() else { panic!("it waited for less than 25 s") };
    assert_eq!((logs.device_id.as_str(), logs.status.as_str()), (id.as_str(), "complete"));
    assert_eq!(
        logs.logs,
        [LogLine { time: "2026-01-01T00:00:00.000Z".to_owned(), ..line(2, LogLevel::Error) }]
    );
}

#[tokio::test]
async fn parts_in_any_order_and_twice_are_one_answer() {
    let platform = Platform::start().await;
    let mut device = platform.device("one").await;
    let pull = ask(&platform, &mut device, 10).await;
    let request = pull.request_id.as_str();
    for (number, more) in [(1, true), (2, false), (1, true)] {
        answers(&platform, &device, part(request, number, more, 2)).await.unwrap();
        assert!(look(&platform, &device.id, request).await.unwrap().is_none());
    }
    // it comes in another process
    let other = platform.another_process();
    let known = device.known().await.unwrap();
    logs::answered(&other, &known, part(request, 0, true, 1)).await.unwrap();
    let logs = look(&platform, &device.id, request).await.unwrap().unwrap();
    assert_eq!(logs.logs.len(), 5);
    // and again, with other lines
    answers(&platform, &device, part(request, 0, false, 4)).await.unwrap();
    assert_eq!(look(&platform, &device.id, request).await.unwrap().unwrap().logs, logs.logs);
    platform.pass(Duration::from_secs(3601));
    assert_refused(look(&platform, &device.id, request).await, "older than an hour");
}

#[tokio::test]
async fn what_nobody_asked_for_changes_nothing() {
    let platform = Platform::start().await;
    let (mut device, other) = (platform.device("one").await, platform.device("other").await);
    let pull = ask(&platform, &mut device, 3).await;
    let request = pull.request_id.as_str();
    for unasked in ["logs_1", "", "../HEAD", "logs_", &"l".repeat(100_000)] {
        assert_refused(
            answers(&platform, &device, part(unasked, 0, false, 1)).await,
            "nobody waits",
        );
    }
    // another device, though of the same owner
    assert_refused(answers(&platform, &other, part(request, 0, false, 1)).await, "nobody waits");
    assert_refused(answers(&platform, &device, part(request, 0, false, 4)).await, "3 lines");
    assert_refused(answers(&platform, &device, part(request, 64, true, 1)).await, "0 to 63");
    let mut odd = part(request, 0, false, 2);
    odd.lines[1].time = "noon".to_owned();
    assert_refused(answers(&platform, &device, odd).await, "lines[1].time");
    assert!(look(&platform, &device.id, request).await.unwrap().is_none());
    // two ends
    answers(&platform, &device, part(request, 2, false, 1)).await.unwrap();
    for (number, more) in [(3, true), (1, false), (0, false)] {
        assert_refused(
            answers(&platform, &device, part(request, number, more, 1)).await,
            "the last",
        );
    }
    assert!(look(&platform, &device.id, request).await.unwrap().is_none());
}

#[tokio::test]
async fn an_answer_is_bounded() {
    let platform = Platform::start().await;
    let mut device = platform.device("one").await;
    let pull = ask(&platform, &mut device, 1000).await;
    let long = |number, more| {
        let mut logs = part(&pull.request_id, number, more, 20);
        logs.lines.iter_mut().for_each(|line| line.message = "é".repeat(3_000));
        logs
    };
    // a long line is cut, not refused: 20 of them are 80 KB
    for number in 0..3 {
        answers(&platform, &device, long(number, true)).await.unwrap();
    }
    assert_refused(answers(&platform, &device, long(3, false)).await, "256 KB");
    answers(&platform, &device, part(&pull.request_id, 3, false, 1)).await.unwrap();
    let logs = look(&platform, &device.id, &pull.request_id).await.unwrap().unwrap().logs;
    assert_eq!((logs.len(), logs[0].message.len()), (61, 4096));
}

#[tokio::test]
async fn only_its_owner_reads_a_log() {
    let platform = Platform::start().await;
    let shared = protocol::socket::Hello { share: Share::Everyone, ..hello("shared") };
    let mut shared = platform.device_with(&platform.key, shared).await;
    let own = platform.device("own").await;
    let request = ask(&platform, &mut shared, 9).await.request_id;
    answers(&platform, &shared, part(&request, 0, false, 1)).await.unwrap();
    let (stranger, _) = platform.stranger().await;
    let (app, question) = (&platform.app, Question::default);
    assert_refused(logs::pull(app, &stranger, &shared.id, question()).await, "only its owner");
    assert_refused(logs::get(app, &stranger, &shared.id, &request).await, "only its owner");
    assert_refused(logs::pull(app, &stranger, &own.id, question()).await, "no device");
    assert_refused(logs::get(app, &stranger, &own.id, &request).await, "no device");
    let mine = &platform.customer;
    assert_refused(logs::pull(app, mine, "dev_platform", question()).await, "the platform itself");
    assert!(shared.hears_nothing());
}

#[tokio::test]
async fn a_device_that_is_not_there_is_not_waited_for() {
    let platform = Platform::start().await;
    let mut device = platform.device("one").await;
    let request = ask(&platform, &mut device, 9).await.request_id;
    device.vanish();
    let pull = || logs::pull(&platform.app, &platform.customer, &device.id, Question::default());
    // the send finds out, and then it is known
    assert_refused(pull().await, "offline");
    assert_eq!(platform.show(&device.id).await.status, "offline");
    assert_refused(pull().await, "offline");
    assert_refused(look(&platform, &device.id, &request).await, "left before it answered");
}

#[tokio::test]
async fn wrong_questions_are_explained() {
    let platform = Platform::start().await;
    let mut device = platform.device("one").await;
    let pull = |question| logs::pull(&platform.app, &platform.customer, &device.id, question);
    for lines in [0, 1001, u32::MAX] {
        let question = Question { lines: Some(lines), ..Question::default() };
        assert_refused(pull(question).await, "lines: expected 1 to 1000");
    }
    for level in ["", "loud", "ALL"] {
        let question = Question { level: Some(level), ..Question::default() };
        assert_refused(pull(question).await, "level: expected `all`");
    }
    assert!(device.hears_nothing());
}
